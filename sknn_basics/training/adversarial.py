"""Training of two networks against each other, and callbacks for it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from scipy.sparse import issparse
from skorch.callbacks import Callback
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from sknn_basics.modules.adversarial import draw_latents, one_hot
from sknn_basics.modules.conv_adversarial import Growing
from sknn_basics.training.batches import ArrayDataset, Batches
from sknn_basics.training.devices import in_double, new_generator
from sknn_basics.training.losses import Loss
from sknn_basics.training.net import Net
from sknn_basics.training.optimisers import make_optimiser

# The others are made by parameters of estimators.
__all__ = ["RecordSamples"]

PLAYERS = GENERATOR, DISCRIMINATOR = "generator", "discriminator"


# Rows and columns of the grid over a plane on which confidences are recorded.
GRID_SIZE = 40

# Samples whose distances are measured after every epoch.
N_PROBED = 128


class LogLoss(Loss):
    """Cross-entropy of real and made samples; the generator maximises the confidence in its own.

    References
    ----------
    Goodfellow et al. "Generative adversarial nets." NeurIPS 2014.
    """

    def __init__(self, label_smoothing: float = 0.0):
        super().__init__()
        self.label_smoothing = label_smoothing

    def discriminate(self, logits: Tensor, is_real: bool) -> Tensor:
        """Compute the discriminator's loss for samples that are all real, or all made."""
        if not is_real:
            return F.softplus(logits)
        return F.softplus(-logits) + self.label_smoothing * logits

    def generate(self, logits: Tensor) -> Tensor:
        """Compute the generator's loss for samples that it has made."""
        return F.softplus(-logits)


class HingeLoss(Loss):
    """Distance of logits from the right side of a margin.

    References
    ----------
    Lim and Ye. "Geometric GAN." arXiv:1705.02894.
    """

    def discriminate(self, logits: Tensor, is_real: bool) -> Tensor:
        """Compute the discriminator's loss."""
        return F.relu(1 - logits if is_real else 1 + logits)

    def generate(self, logits: Tensor) -> Tensor:
        """Compute the generator's loss."""
        return -logits


class WassersteinLoss(HingeLoss):
    """Difference of the mean logits, which estimates a distance of distributions.

    References
    ----------
    Arjovsky, Chintala and Bottou. "Wasserstein generative adversarial networks." ICML 2017.
    """

    def discriminate(self, logits: Tensor, is_real: bool) -> Tensor:
        """Compute the discriminator's loss."""
        return -logits if is_real else logits


class GivenLoss(Loss):
    """Two functions of the user: ``(logits, is_real)`` and ``(logits)`` to one loss per sample."""

    def __init__(self, discriminate: Callable, generate: Callable):
        super().__init__()
        self.functions = discriminate, generate

    def discriminate(self, logits: Tensor, is_real: bool) -> Tensor:
        """Compute the discriminator's loss."""
        return check_losses(self.functions[0](logits, is_real))

    def generate(self, logits: Tensor) -> Tensor:
        """Compute the generator's loss."""
        return check_losses(self.functions[1](logits))


def check_losses(losses) -> Tensor:
    """Check what a function of the user has made of logits.

    Raises
    ------
    TypeError
        If it is no tensor that depends on them.
    """
    if isinstance(losses, Tensor) and losses.requires_grad and losses.is_floating_point():
        return losses
    raise TypeError(f"loss must be functions of logits to one loss per sample, got {losses!r}.")


ADVERSARIAL_LOSSES = {"log_loss": LogLoss, "hinge": HingeLoss, "wasserstein": WassersteinLoss}


def make_optimiser_of_players(
    players: Sequence[Sequence[nn.Parameter]], lr: float, *, discriminator_rate: float, **options
) -> Optimizer:
    """Make one optimiser of two players, whose groups of parameters tell the player's name."""
    optimiser = make_optimiser(players[0], lr=lr, **options)
    other = make_optimiser(players[1], lr=discriminator_rate, **options)
    for group in optimiser.param_groups:
        group["player"] = GENERATOR
    for group in other.param_groups:
        optimiser.add_param_group({**group, "player": DISCRIMINATOR})
    return optimiser


class AdversarialNet(Net):
    """A net of a generator and a discriminator, each with steps of its own.

    A step of one player leaves the other one alone: its weights, its moments in the optimiser, and
    the running statistics of its layers.

    Parameters
    ----------
    latent : str or callable
        Distribution of the latent variables, see `draw_latents`.
    n_components : int
        Number of latent variables.
    is_joint : bool
        Whether the discriminator steps on real and made samples together, and the generator once,
        or the discriminator on real ones, the generator, the discriminator on made ones, and the
        generator again.
    generator_steps : int
        How often the generator steps each time.
    discriminator_steps : int
        On how many batches the discriminator is trained before the generator steps.
    gradient_penalty : float
        Strength of the penalty on the discriminator's gradient with respect to samples.
    average_decay : float or None
        What remains of the average of the generator's weights at each of its steps.
    noise : torch.Generator or None
        Source of the latent variables.
    **kwargs
        Parameters of `Net`; `optimizer` makes the optimiser of both players.
    """

    changes_tensors_only = False

    why_alone = "two networks take turns in its steps"

    def __init__(
        self,
        *args,
        latent: str | Callable,
        n_components: int,
        is_joint: bool = True,
        generator_steps: int = 1,
        discriminator_steps: int = 1,
        gradient_penalty: float = 0.0,
        average_decay: float | None = None,
        noise: torch.Generator | None = None,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.latent, self.n_components = latent, n_components
        self.is_joint = is_joint
        self.generator_steps, self.discriminator_steps = generator_steps, discriminator_steps
        self.gradient_penalty, self.average_decay = gradient_penalty, average_decay
        self.noise = noise

    def list_parameters(self) -> None:
        if hasattr(self.module_, "average"):
            self.module_.average.requires_grad_(False)
        super().list_parameters()
        self.parameters_of_ = {
            name: [p for p in getattr(self.module_, name).parameters() if p.requires_grad]
            for name in PLAYERS
        }
        self.learning_layers_ = {
            name: [
                layer
                for layer in getattr(self.module_, name).modules()
                if hasattr(layer, "track_running_stats") and layer.track_running_stats
            ]
            for name in PLAYERS
        }

    def initialize_optimizer(self, triggered_directly=None):
        self.list_parameters()
        self.optimizer_ = self.optimizer([self.parameters_of_[n] for n in PLAYERS], lr=self.lr)
        return self

    # Epochs.

    def pass_over(self, batches: Batches, prefix: str = "train") -> tuple:
        """Play a round with every batch.

        Returns
        -------
        losses : ndarray of shape (n_batches,)
            Sums of both players' losses.
        counts : list of int
            Sizes of the batches.
        observed : dict of str to float
            Losses and confidences, averaged over the epoch, and the variety of samples at its end.
        """
        self._set_training(True)
        self.groups_of_ = {
            name: [g for g in self.optimizer_.param_groups if g["player"] == name]
            for name in PLAYERS
        }
        self.recorded_ = {"real": [], "made": [], GENERATOR: []}
        counts, watched = [], self.watches_batches()
        for number, batch in enumerate(batches, 1):
            has_turn = number % self.discriminator_steps == 0 or number == len(batches)
            play = partial(self.play_round, has_turn=has_turn)
            if watched:
                self._observed_step(batch, play, "train")
            else:
                play(batch)
            counts.append(len(batch[0]))
        observed = self.read_records(counts)
        observed["variety"] = self.measure_variety(batches.dataset)
        losses = np.full(len(counts), observed["generator_loss"] + observed["discriminator_loss"])
        return losses, counts, observed

    def record_epoch(self, prefix: str, losses: np.ndarray, counts: list[int], observed) -> None:
        self.record_with_best(f"{prefix}_loss", float(losses.mean()))
        for name, value in observed.items():
            self.history.record(name, value)

    def read_records(self, counts: list[int]) -> dict[str, float]:
        """Average what the rounds of an epoch have recorded."""
        means = {}
        for name, records in self.recorded_.items():
            losses = in_double(torch.stack([loss for loss, _ in records])).numpy(force=True)
            sizes = [len(logits) for _, logits in records]
            logits = torch.cat([logits for _, logits in records])
            means[name] = float(np.average(losses, weights=sizes)), float(logits.sigmoid().mean())
        return {
            "generator_loss": means[GENERATOR][0],
            "discriminator_loss": (means["real"][0] + means["made"][0]) / 2,
            "real_confidence": means["real"][1],
            "made_confidence": means["made"][1],
        }

    def measure_variety(self, dataset: ArrayDataset) -> float:
        """Compare the distances between generated samples with those between real ones."""
        n_probed = min(N_PROBED, len(dataset))
        rows = np.linspace(0, len(dataset) - 1, n_probed).astype(np.int64)
        real, y, _ = dataset[rows]
        noise = new_generator(0, real.device)
        self.module_.eval()
        with torch.no_grad():
            latents = draw_latents(self.latent, n_probed, self.n_components, noise)
            made = self.module_.sampler(self.with_classes(latents.to(real.dtype), y))
        distances = [in_double(F.pdist(x.flatten(1))).mean().item() for x in (made, real)]
        return distances[0] / distances[1] if distances[1] > 0 else np.nan

    # Steps.

    def play_round(self, batch: tuple, has_turn: bool) -> dict:
        """Train the discriminator on a batch and on as many samples, and in turn the generator."""
        real, y, _ = batch
        uses = [(real, True)] if self.is_joint else [(real, False), (None, True)]
        for samples, is_made in uses:
            self.train_discriminator(samples, self.make(len(real), y) if is_made else None, y)
            for _ in range(self.generator_steps if has_turn else 0):
                self.train_generator(len(real), y)
        loss = self.recorded_["real"][-1][0] + self.recorded_["made"][-1][0]
        return {"loss": loss, "penalty": None, "y_pred": self.recorded_["real"][-1][1]}

    def make(self, n_samples: int, y: Tensor | None) -> Tensor:
        """Make samples as they are in training, without any trace in the generator."""
        with torch.no_grad(), unchanged(self.learning_layers_[GENERATOR]):
            return self.module_.generator(self.draw(n_samples, y))

    def draw(self, n_samples: int, y: Tensor | None) -> Tensor:
        """Draw latent variables, and append classes."""
        latents = draw_latents(self.latent, n_samples, self.n_components, self.noise)
        return self.with_classes(latents.to(self.parameters_[0].dtype), y)

    def with_classes(self, latents: Tensor, y: Tensor | None) -> Tensor:
        """Append classes to latent variables where there are any."""
        condition = self.condition(y, latents.dtype)
        return latents if condition is None else torch.cat([latents, condition], 1)

    def condition(self, y: Tensor | None, dtype: torch.dtype) -> Tensor | None:
        """Write classes as rows of zeros with a one, where there are any."""
        n_classes = self.module_.n_classes
        return one_hot(y, n_classes, dtype) if n_classes else None

    def train_discriminator(self, real: Tensor | None, made: Tensor | None, y) -> None:
        """Make a step of the discriminator on samples that are real, made, or both."""
        loss = 0.0
        for name, samples in (("real", real), ("made", made)):
            if samples is not None:
                logits = self.module_.discriminator(samples, self.condition(y, samples.dtype))
                part = self.criterion_.discriminate(logits, name == "real").mean()
                self.recorded_[name].append((part.detach(), logits.detach()))
                loss = loss + part
        if self.gradient_penalty and real is not None:
            loss = loss + self.gradient_penalty * self.penalise(real, made, y)
        self.step(DISCRIMINATOR, loss, (real if real is not None else made, y))

    def train_generator(self, n_samples: int, y) -> None:
        """Make a step of the generator on new samples."""
        made = self.module_.generator(self.draw(n_samples, y))
        with unchanged(self.learning_layers_[DISCRIMINATOR]):
            logits = self.module_.discriminator(made, self.condition(y, made.dtype))
        loss = self.criterion_.generate(logits).mean()
        self.recorded_[GENERATOR].append((loss.detach(), logits.detach()))
        self.step(GENERATOR, loss, (made, y))
        if self.average_decay is not None:
            self.module_.follow(self.average_decay)

    def penalise(self, real: Tensor, made: Tensor | None, y) -> Tensor:
        """Compute the penalty on the discriminator's gradient with respect to samples.

        With the Wasserstein loss, gradients between real and made samples should have norm 1;
        otherwise, those at real samples should vanish (R1).

        References
        ----------
        Gulrajani et al. "Improved training of Wasserstein GANs." NeurIPS 2017.

        Mescheder, Geiger and Nowozin. "Which training methods for GANs do actually converge?"
        ICML 2018.
        """
        is_between = isinstance(self.criterion_, WassersteinLoss)
        points = real.detach().flatten(1)
        if is_between:
            share = torch.rand(
                len(real), 1, generator=self.noise, dtype=real.dtype, device=real.device
            )
            points = torch.lerp(made.flatten(1), points, share)
        points = points.view_as(real).requires_grad_()
        with unchanged(self.learning_layers_[DISCRIMINATOR]):
            logits = self.module_.discriminator(points, self.condition(y, points.dtype))
        (gradient,) = torch.autograd.grad(logits.sum(), points, create_graph=True)
        squares = gradient.flatten(1).square().sum(1)
        if is_between:
            return ((squares + 1e-12).sqrt() - 1).square().mean()
        return 0.5 * squares.mean()

    def step(self, player: str, loss: Tensor, batch: tuple) -> None:
        """Move the weights of one player against the gradient of its loss."""
        parameters = self.parameters_of_[player]
        loss.backward(inputs=parameters)
        if self.alpha:
            self.decay(self.alpha / len(batch[0]))
        self.clip_gradient()
        self.show_gradient(batch)
        groups, self.optimizer_.param_groups = (
            self.optimizer_.param_groups,
            self.groups_of_[player],
        )
        try:
            self.optimizer_.step()
        finally:
            self.optimizer_.param_groups = groups
        for parameter in parameters:
            parameter.grad = None

    def end_training(self, dtype: torch.dtype, callbacks: list) -> None:
        super().end_training(dtype, callbacks)
        self.noise, self.recorded_ = None, {}


@contextmanager
def unchanged(layers: Sequence[nn.Module]) -> Iterator[None]:
    """Let layers use the statistics of batches without learning them."""
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True


class RecordSamples(Callback):
    """Record what a GAN makes of the same latent variables after every so many epochs.

    A fit with `warm_start`, or `partial_fit`, continues with what was recorded.

    Parameters
    ----------
    n_samples : int, default=8
        Number of samples.
    every : int, default=1
        Number of epochs from one record to the next.
    random_state : int, default=0
        Source of the latent variables and, of a conditional GAN, the classes.

    Attributes
    ----------
    epochs_ : list of int
        Epochs, counted from 1, after which samples were recorded.
    samples_ : list of ndarray of shape (n_samples, ...)
        The samples.
    confidences_ : list of ndarray of shape (n_rows, n_columns)
        Where samples have two features: the discriminator's confidence over a grid of the range of
        the data, for each record.
    extent_ : tuple of float
        That range: of the first feature, and of the second.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn_basics import GAN
    >>> from sknn_basics.training.adversarial import RecordSamples
    >>> record = RecordSamples(n_samples=3, every=2)
    >>> X = np.random.RandomState(0).normal(size=(100, 2))
    >>> model = GAN(max_iter=4, callbacks=[record], random_state=0).fit(X)
    >>> record.epochs_, record.samples_[0].shape
    ([2, 4], (3, 2))
    """

    def __init__(self, n_samples: int = 8, *, every: int = 1, random_state: int = 0):
        self.n_samples, self.every, self.random_state = n_samples, every, random_state

    def on_train_begin(self, net, **kwargs):
        """Begin anew, unless the training continues.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net that is trained.
        **kwargs
            What skorch tells callbacks besides.
        """
        if not len(net.history) or not hasattr(self, "epochs_"):
            self.epochs_, self.samples_, self.confidences_ = [], [], []

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        """Record samples, if it is the epoch for some.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net that is trained.
        dataset_train : Dataset, default=None
            Real samples.
        **kwargs
            What skorch tells callbacks besides.
        """
        if len(net.history) % self.every:
            return
        module, parameter = net.module_.eval(), net.parameters_[0]
        noise = new_generator(self.random_state, parameter.device)
        latents = draw_latents(net.latent, self.n_samples, net.n_components, noise)
        y = torch.arange(self.n_samples, device=parameter.device) % max(1, module.n_classes)
        with torch.no_grad():
            made = module.sampler(net.with_classes(latents.to(parameter.dtype), y))
        if dataset_train.preprocess is not None:
            made = dataset_train.preprocess.inverse(made)
        shape = dataset_train.X.shape[1:]
        self.epochs_.append(len(net.history))
        self.samples_.append(made.numpy(force=True).reshape(-1, *shape))
        if tuple(shape) == (2,):
            self._judge_plane(net, dataset_train)

    def _judge_plane(self, net, dataset: ArrayDataset) -> None:
        """Record the discriminator's confidence over the range of two features."""
        X = dataset.X.toarray() if issparse(dataset.X) else dataset.X
        low, high = X.min(axis=0), X.max(axis=0)
        self.extent_ = tuple(float(end) for pair in zip(low, high) for end in pair)
        x, y = (np.linspace(a, b, GRID_SIZE) for a, b in zip(low, high))
        points = torch.from_numpy(np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2))
        points = points.to(net.parameters_[0])
        if dataset.preprocess is not None:
            points = dataset.preprocess(points)
        with torch.no_grad():
            confidence = net.module_(points).sigmoid().numpy(force=True)
        self.confidences_.append(confidence.reshape(GRID_SIZE, GRID_SIZE))


class GrowNetworks(Callback):
    """Let networks grow to the next size of images after every so many epochs.

    The layers of a new size are faded in over the first half of its epochs. The optimiser begins
    anew: it has no moments of these layers.

    Parameters
    ----------
    n_sizes : int
        Number of sizes.
    n_epochs : int
        Number of epochs for each.
    """

    def __init__(self, n_sizes: int, n_epochs: int):
        self.n_sizes, self.n_epochs = n_sizes, n_epochs

    def on_epoch_begin(self, net, **kwargs):
        stage, epoch = divmod(len(net.history) - 1, self.n_epochs)
        if stage >= self.n_sizes:
            stage, epoch = self.n_sizes - 1, self.n_epochs - 1
        share = min(1.0, 2 * (epoch + 1) / self.n_epochs) if stage else 1.0
        parts = [part for part in net.module_.modules() if isinstance(part, Growing)]
        # The history of networks from a text is empty.
        growth = max(stage - 1 + share, *(float(part.growth) for part in parts))
        if parts[0].stage()[0] < stage:
            net.initialize_optimizer()
        for part in parts:
            part.growth.fill_(growth)
        net.history.record("growth", growth)
