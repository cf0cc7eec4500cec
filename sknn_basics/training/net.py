"""The skorch net that trains every estimator."""

import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, LoadInitState
from skorch.history import History
from torch import Tensor, nn

from sknn_basics._compat import add_scaled, is_compiled, norms
from sknn_basics.modules.layers import random_layers
from sknn_basics.modules.summary import count_multiplications
from sknn_basics.modules.variations import find_mixing
from sknn_basics.training.averaging import RunningAverage
from sknn_basics.training.batches import (
    ArrayDataset,
    Batches,
    evaluation_batch_size,
    map_batches,
)
from sknn_basics.training.callbacks import (
    DECISIONS,
    KeepBestWeights,
    StopWithoutProgress,
    ValidationScore,
    all_finite,
    explain_divergence,
)
from sknn_basics.training.checkpoints import Recording, TrainingCheckpoint, load_state
from sknn_basics.training.devices import (
    Replayed,
    has_graphs,
    kept_memory,
    move,
    reproducible,
    threads_for_step,
)
from sknn_basics.training.interrupts import end_or_raise
from sknn_basics.training.losses import Loss
from sknn_basics.training.optimisers import set_rate
from sknn_basics.training.saving import own_memory, replace_when_complete
from sknn_basics.training.transfer import frozen_statistics

# Who makes the steps where it is not the net itself: called with the `Fit` of a training.
TRAINER: ContextVar[Callable | None] = ContextVar("TRAINER", default=None)


# Attributes of a net that are, or hold, parts of its network or its loss.
PARTS_OF_NETWORK = (
    *("module", "criterion", "parameters_", "trainable_", "decayed_", "constrained_"),
    *("frozen_statistics_", "overwriting_"),
)


class Records(History):
    """skorch's history, which does not copy all epochs to read or write the last one."""

    def __getitem__(self, i):
        if isinstance(i, int):
            return list.__getitem__(self, i)
        if isinstance(i, tuple) and list(map(type, i)) == [int, str]:
            epoch, name = i
            return list.__getitem__(self, epoch)[name]
        return super().__getitem__(i)


class Net(NeuralNet):
    """A skorch net without skorch's costs on small data.

    Batches are slices of tensors, the loss stays on the device until the epoch ends, and a batch
    leaves no record unless a callback asks for batches. Decisions (stopping, schedules, best
    weights) are callbacks: they read the history, and set `stop_reason_` to end the training.

    Parameters
    ----------
    module : nn.Module
        Network with its initial weights, on its device.
    criterion : Loss
        Loss a sample.
    optimizer : callable
        Makes the optimiser of (parameters, lr).
    alpha : float, default=0.0
        L2 penalty on weights, divided by the batch's total weight as in scikit-learn.
    clip_grad_norm : float or None, default=None
        Largest norm of the gradient of all parameters together.
    average_decay : float or None, default=None
        Of a `RunningAverage` of the weights, which takes their place after each epoch.
    groups : callable or None, default=None
        Sorts the network's parameters into groups with options of their own for the optimiser.
    autocast : bool, default=False
        Whether the network computes in bfloat16 what it can.
    replays : bool, default=True
        Whether steps on a GPU may be replayed as CUDA graphs.
    rng : numpy.random.RandomState or None, default=None
        Source of a new order of samples for every epoch; None keeps the order of the data.
    **kwargs
        Parameters of `skorch.NeuralNet`.

    Attributes
    ----------
    stop_reason_ : str or None
        Why a callback ended the training.
    valid_output_ : Tensor or None
        Outputs of the last epoch for the validation data.
    order_ : ndarray or None
        Order of the samples in the last epoch, until the training has ended.
    observed_ : ndarray or None
        Means of what the criterion observes, over the last epoch of training.
    n_earlier_, n_epochs_ : int
        Number of epochs before the last training, and of the last training.
    n_epochs_of_part_ : int
        Number of epochs since the last training has begun, or has gone on after a pause.
    is_paused_ : bool
        Whether the last training has not ended, and the next one continues with it.
    rates_of_steps_ : list of float
        Rates of the next steps, where a schedule changes them by step.
    n_steps_of_epoch_ : int
        Number of steps that an epoch takes.
    best_ : dict
        Best value so far of what was recorded with `record_with_best`.
    recording : Recording or None
        What checkpoints of the training are to say of it.
    batches_ : Batches or None
        What it is trained on, while it is.
    has_ended_ : bool
        Whether the last training has come to its end, and was not interrupted.
    interrupt_ : KeyboardInterrupt or None
        An interrupt that is for what called it, too.
    """

    # Whether a step is made with all samples, and not with a batch.
    steps_take_all = False

    def __init__(
        self,
        module: nn.Module,
        criterion: Loss,
        optimizer: Callable,
        *,
        alpha: float = 0.0,
        clip_grad_norm: float | None = None,
        average_decay: float | None = None,
        groups: Callable | None = None,
        autocast: bool = False,
        replays: bool = True,
        rng: np.random.RandomState | None = None,
        **kwargs,
    ):
        super().__init__(
            module,
            criterion,
            optimizer,
            train_split=None,
            verbose=0,
            device=str(next(module.parameters()).device),
            **kwargs,
        )
        self.alpha = alpha
        self.clip_grad_norm = clip_grad_norm
        self.average_decay, self.groups, self.average_ = average_decay, groups, None
        self.autocast, self.replays = autocast, replays
        self.replayed_ = None
        self.rates_of_steps_: list[float] = []
        self.rng = rng
        self.stop_reason_, self.mixing_ = None, []
        self.valid_output_ = self.observed_ = self.order_ = None
        self.n_earlier_ = self.n_epochs_ = self.n_epochs_of_part_ = 0
        self.is_paused_ = False
        self.recording: Recording | None = None
        self.batches_, self.has_ended_ = None, False
        self.interrupt_: KeyboardInterrupt | None = None

    # Why nets of a kind are not trained together with others, if they are not.
    why_alone: str | None = None

    # Whether a step changes nothing but tensors that stay the same ones.
    changes_tensors_only = True

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer())]

    def initialize_optimizer(self, triggered_directly=None):
        self.list_parameters()
        parameters = self.trainable_ if self.groups is None else self.groups(self.module_)
        self.optimizer_ = self.optimizer(parameters, lr=self.lr)
        return self

    def list_parameters(self) -> None:
        """Sort the network's parameters by what is done with them."""
        self.parameters_ = list(self.module_.parameters())
        self.trainable_ = [p for p in self.parameters_ if p.requires_grad]
        self.decayed_ = [p for p in self.trainable_ if p.dim() > 1]
        self.constrained_ = [
            layer
            for layer in self.module_.modules()
            if getattr(layer, "max_norm", None) is not None and layer.weight.requires_grad
        ]
        self.overwriting_ = [
            layer for layer in self.module_.modules() if getattr(layer, "may_overwrite", False)
        ]
        self.frozen_statistics_ = frozen_statistics(self.module_)

    def __getstate__(self) -> dict:
        # skorch saves network and optimiser apart from all else, which would be a second copy.
        state = {**super().__getstate__(), "recording": None, "batches_": None}
        is_initialized = "module_" in vars(self)
        return {k: v for k, v in state.items() if not (is_initialized and k in PARTS_OF_NETWORK)}

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        if "module_" in vars(self):
            self.module, self.criterion = self.module_, self.criterion_
            self.list_parameters()

    def trains_the_same(self) -> bool:
        """Tell whether the optimiser still holds what is to be trained."""
        held = {id(p) for group in self.optimizer_.param_groups for p in group["params"]}
        return held == {id(p) for p in self.module_.parameters() if p.requires_grad}

    def _set_training(self, training=True):
        super()._set_training(training)
        for layer in self.frozen_statistics_ if training else ():
            layer.eval()

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let activations overwrite their inputs, which saves memory traffic.

        Only here: whoever else looks at the network, with hooks or for gradients by layer, finds
        every output as its layer has made it.
        """
        layers = [layer for layer in self.overwriting_ if not layer.inplace]
        for layer in layers:
            layer.inplace = True
        try:
            yield
        finally:
            for layer in layers:
                layer.inplace = False

    def initialize_history(self):
        self.best_, self.history_ = {}, Records()
        return self

    def record_with_best(self, name: str, value: float) -> None:
        """Record a loss of this epoch, and whether it is the smallest so far as ``<name>_best``."""
        best = self.best_.get(name, np.inf)
        self.best_[name] = min(value, best)
        self.history.record(name, value)
        self.history.record(f"{name}_best", bool(value < best))

    def fit_loop(self, X, y=None, epochs=None, valid: ArrayDataset | None = None, **fit_params):
        """Train on X and y, or a dataset of both; evaluate `valid` after every epoch."""
        train = self.get_dataset(X, y)
        self.warn_of_lost_state()
        self.stop_reason_, self.has_ended_, self.interrupt_ = None, False, None
        n_known = len(self.history)
        if not self.is_paused_:
            self.n_earlier_ = n_known
        if not self.best_:
            self.best_ = _best_of(self.history)
        if self.average_decay is not None and self.average_ is None:
            self.average_ = RunningAverage(self.module_, self.average_decay)
        try:
            rows = len(train) if self.steps_take_all else self.batch_size
            n_multiplications = rows * count_multiplications(self.module_)
            with threads_for_step(n_multiplications), self.in_place(), reproducible(self.device):
                self.run_epochs(train, valid, self.max_epochs if epochs is None else epochs)
            self.has_ended_ = True
        except KeyboardInterrupt as error:
            try:
                end_or_raise(error, stacklevel=2)
            except KeyboardInterrupt:
                self.interrupt_ = error
            if self.average_ is not None:
                self.average_.show()
            self.drop_unfinished_epoch(has_validation=valid is not None)
        finally:
            self.replayed_ = self.batches_ = None
            own_memory(self.module_, self.optimizer_)
        self.n_epochs_ = len(self.history) - self.n_earlier_
        self.n_epochs_of_part_ = len(self.history) - n_known
        return self

    def partial_fit(self, *args, **kwargs):
        super().partial_fit(*args, **kwargs)
        if self.interrupt_ is not None:
            # skorch would take it for itself.
            error, self.interrupt_ = self.interrupt_, None
            raise error
        return self

    def drop_unfinished_epoch(self, has_validation: bool) -> None:
        """Remove the last epoch's record if something that belongs there is missing."""
        names = {"train_loss"} | ({"valid_loss"} if has_validation else set())
        if any(isinstance(callback, ValidationScore) for _, callback in self.callbacks_):
            names.add("valid_score")
        if self.history and not names <= self.history[-1].keys():
            del self.history[-1]
            self.best_ = _best_of(self.history)

    def bytes_of_step(self) -> int:
        """Estimate the memory that outputs of all layers and their gradients take in a step."""
        rows = [len(parameter) for parameter in self.parameters_ if parameter.dim() > 1]
        # A network that uses its weights at many places tells the size of its largest layer.
        outputs = max(sum(rows), len(rows) * getattr(self.module_, "largest_output", 0))
        return 4 * self.parameters_[0].element_size() * self.batch_size * outputs

    def run_epochs(self, train: ArrayDataset, valid: ArrayDataset | None, epochs: int) -> None:
        """Train until a callback stops it, for at most `epochs` epochs."""
        # In a list, as what skorch would take for a part of the network is none.
        self.mixing_ = find_mixing(self.module_)
        train_all = TRAINER.get() or Fit.train
        try:
            train_all(Fit(self, self.around_steps(train, valid, epochs)))
        finally:
            self.mixing_ = []

    def around_steps(
        self, train: ArrayDataset, valid: ArrayDataset | None, epochs: int
    ) -> Generator:
        """Do all of a training but its steps.

        Yields the batches of each epoch, and is sent what `pass_over` returns of them.
        """
        if self.may_be_replayed():
            self.replayed_ = Replayed(self.differentiate_for_replay)
        batches = self.get_iterator(train, training=True)
        if self.order_ is not None:
            batches.order = self.order_
        valid_batches = None if valid is None else self.get_iterator(valid, training=False)
        self.n_steps_of_epoch_, self.batches_ = len(batches), batches
        for _ in range(self.go_on(epochs)):
            self.notify("on_epoch_begin", dataset_train=train, dataset_valid=valid)
            if self.average_ is not None:
                self.average_.hide()
            self.record_epoch("train", *(yield batches))
            if self.average_ is not None:
                self.average_.show()
            if valid_batches is not None:
                self.record_epoch("valid", *self.pass_over(valid_batches, "valid"))
            self.end_epoch(dataset_train=train, dataset_valid=valid)
            if self.stop_reason_ is not None:
                break
        self.order_ = batches.order

    def go_on(self, epochs: int) -> int:
        """Load the checkpoint that the training continues from; tell how many epochs are left."""
        if self.recording is None or self.recording.saved is None:
            return epochs
        state = self.recording.saved["state"]
        load_state(self, state)
        if state["has_ended"] or self.stop_reason_ is not None:
            return 0
        return max(0, epochs - (len(self.history) - self.n_earlier_))

    def state_of_search(self) -> dict | None:
        """Give what is known of the training besides, where it is a search of another library."""
        return None

    def get_dataset(self, X, y=None) -> ArrayDataset:
        """Make a dataset for the network's device and data type."""
        if isinstance(X, ArrayDataset):
            return X
        parameter = self.parameters_[0]
        return ArrayDataset(X, y, dtype=parameter.dtype, device=parameter.device)

    def get_iterator(self, dataset, training=False) -> Batches:
        """Cut a dataset into shuffled training batches, or into large ones to evaluate."""
        if training:
            return Batches(dataset, self.batch_size, self.rng)
        return Batches(dataset, self.rows_of_evaluation(dataset))

    def rows_of_evaluation(self, dataset: ArrayDataset) -> int:
        """Tell how many samples are evaluated at once."""
        return evaluation_batch_size(dataset, self.module_)

    def notify(self, method_name, **cb_kwargs):
        try:
            return super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as error:
            error.is_from_callback = True
            raise

    def end_epoch(self, **kwargs) -> None:
        """Notify the callbacks, and read skorch's own way to stop as one."""
        if not self.history[-1, "batches"]:
            # skorch's checkpoints look at the last batch.
            self.history.new_batch()
        for _, callback in self.callbacks_:
            try:
                callback.on_epoch_end(self, **kwargs)
            except KeyboardInterrupt as error:
                if not isinstance(callback, EarlyStopping):
                    error.is_from_callback = type(callback) not in DECISIONS
                    raise
                self.stop_reason_ = "skorch's EarlyStopping stopped the training."

    def record_epoch(self, prefix: str, losses: np.ndarray, counts: list[int], observed) -> None:
        """Record the mean loss of batches, and its parts where the criterion observes any."""
        if observed is not None:
            losses = losses + self.criterion_.held_back(observed[:, 1:])
        self.record_with_best(f"{prefix}_loss", float(np.dot(losses, counts) / sum(counts)))
        if observed is None:
            return
        is_training = prefix == "train"
        if is_training:
            self.observed_ = np.average(observed[:, 1:], axis=0, weights=counts)
        parts = self.criterion_.read_epoch(observed[:, 0], observed[:, 1:], counts, is_training)
        for name, value in parts.items():
            self.history.record(f"{prefix}_{name}", value)

    def pass_over(self, batches: Batches, prefix: str):
        """Train with every batch if the prefix of records is 'train', else evaluate it.

        Returns
        -------
        losses : ndarray of shape (n_batches,)
            The reported losses.
        counts : list of int
            Sizes of the batches.
        observed : ndarray of shape (n_batches, 1 + n_observed) or None
            Losses without a penalty, and means of what the criterion observes besides, if anything.
        """
        training = prefix == "train"
        step_fn = self.train_step if training else self.validation_step
        self._set_training(training)
        losses, scales, norms, counts, outputs, observed = [], [], [], [], [], []
        watched = self.watches_batches()
        for batch in batches:
            step = self._observed_step(batch, step_fn, prefix) if watched else step_fn(batch)
            losses.append(step["loss"])
            counts.append(len(batch[0]))
            if step["penalty"] is not None:
                scales.append(step["penalty"][0])
                norms += step["penalty"][1]
            if self.criterion_.n_observed:
                with torch.no_grad():
                    observed.append(self.criterion_.observe(step["y_pred"]).mean(0))
            if not training:
                outputs.append(step["y_pred"])
        if not training:
            self.valid_output_ = torch.cat(outputs).cpu()
        losses = torch.stack(losses).numpy(force=True)
        if scales and isinstance(scales[0], Tensor):
            scales = torch.stack(scales).numpy(force=True).astype(np.float64)
        if norms:
            norms = torch.stack(norms).numpy(force=True).reshape(len(losses), -1)
        parts = None
        if observed:
            parts = np.column_stack([losses, torch.stack(observed).numpy(force=True)])
        return self.reported_losses(losses, scales, norms), counts, parts

    def reported_losses(self, losses: np.ndarray, scales, norms) -> np.ndarray:
        """Add the L2 penalty to the losses of batches, of shape (n_batches,).

        `scales` has shape (n_batches,), and `norms` of all decayed weights (n_batches, n_weights);
        both are empty without a penalty.
        """
        losses = losses * self.criterion_.reported_share
        if not len(norms):
            return losses
        return losses + 0.5 * np.asarray(scales) * np.square(norms, dtype=np.float64).sum(axis=1)

    def watches_batches(self) -> bool:
        """Tell whether a callback wants to be told of every batch."""
        hooks = ("on_batch_begin", "on_batch_end")
        return any(_overrides(callback, *hooks) for _, callback in self.callbacks_)

    def watches_gradients(self) -> bool:
        """Tell whether a callback wants to see the gradient of every step."""
        return any(_overrides(callback, "on_grad_computed") for _, callback in self.callbacks_)

    def runs_foreign_code(self) -> bool:
        """Tell whether there are callbacks besides this package's decisions."""
        own = DECISIONS | {TrainingCheckpoint}
        return any(type(callback) not in own for _, callback in self.callbacks_)

    def _observed_step(self, batch, step_fn, prefix: str) -> dict:
        """Run a step with the notices and records that batch callbacks expect."""
        training = prefix == "train"
        self.notify("on_batch_begin", batch=batch[:2], training=training)
        step = step_fn(batch)
        self.history.record_batch(f"{prefix}_loss", step["loss"].item())
        self.history.record_batch(f"{prefix}_batch_size", len(batch[0]))
        self.notify("on_batch_end", batch=batch[:2], training=training, **step)
        return step

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        self.history.new_batch()

    def train_step(self, batch, **fit_params) -> dict:
        self.begin_step()
        step = self.differentiate(*batch) if self.replayed_ is None else self.replay(*batch)
        self.show_gradient(batch)
        self.optimizer_.step()
        for layer in self.constrained_:
            layer.weight.detach().renorm_(2, 0, layer.max_norm)
        if self.average_ is not None:
            self.average_.update()
        return step

    def differentiate(self, X: Tensor, y: Tensor, weight: Tensor | None) -> dict:
        """Compute a batch's loss and its gradient, with that of the penalty, and clip it."""
        for parameter in self.trainable_:
            parameter.grad = None
        output = self.compute(X)
        loss, total_weight = self.training_loss(output, y, weight)
        loss.backward()
        penalty = self.decay(self.alpha / total_weight) if self.alpha else None
        self.clip_gradient()
        return {"loss": loss.detach(), "penalty": penalty, "y_pred": output}

    def replay(self, *batch: Tensor | None) -> dict:
        """Do the same as a CUDA graph, whose results lie where the next step overwrites them."""
        step, gradients = self.replayed_(*batch)
        for parameter, gradient in zip(self.trainable_, gradients):
            parameter.grad = gradient
        scale, norms = step["penalty"] or (None, ())
        is_computed = isinstance(scale, Tensor)
        numbers = [step["loss"], *norms, *([scale] if is_computed else [])]
        loss, *norms = torch.stack(numbers).unbind()
        if is_computed:
            scale = norms.pop()
        return {**step, "loss": loss, "penalty": None if scale is None else (scale, norms)}

    def differentiate_for_replay(self, *batch: Tensor | None) -> tuple[dict, list]:
        """Give also the gradients, which each way to compute them puts elsewhere."""
        step = self.differentiate(*batch)
        # Whoever holds an output holds the way to it, which no recording may begin with.
        step["y_pred"] = step["y_pred"].detach()
        return step, [parameter.grad for parameter in self.trainable_]

    def may_be_replayed(self) -> bool:
        """Tell whether steps may be recorded: on a GPU, where they run no code of a user."""
        return (
            self.replays
            and has_graphs(self.device)
            and self.changes_tensors_only
            and not self.mixing_
            and not (self.runs_foreign_code() or is_compiled(self.module_))
            and not any(map(is_foreign, [*self.module_.modules(), *self.criterion_.modules()]))
        )

    def begin_step(self) -> None:
        """Set the learning rate of a step, where a schedule changes it by step."""
        if self.rates_of_steps_:
            set_rate(self.optimizer_, self.rates_of_steps_.pop(0))

    def compute(self, X: Tensor) -> Tensor:
        """Compute the outputs of the network."""
        if not self.autocast:
            return self.module_(X)
        with torch.autocast(X.device.type, torch.bfloat16):
            return self.module_(X).float()

    def clip_gradient(self) -> None:
        """Clip the norm of the gradient, if it has a limit."""
        if self.clip_grad_norm is not None:
            nn.utils.clip_grad_norm_(self.trainable_, self.clip_grad_norm)

    def show_gradient(self, batch) -> None:
        """Show the gradient to the callbacks that want it."""
        for _, callback in self.callbacks_:
            if type(callback).on_grad_computed is not Callback.on_grad_computed:
                parameters = self.module_.named_parameters()
                callback.on_grad_computed(
                    self, named_parameters=parameters, batch=batch[:2], training=True
                )

    def training_loss(self, output: Tensor, y: Tensor, weight: Tensor | None):
        """Average the losses of a batch, by both targets of samples that were mixed."""
        if not self.mixing_:
            return self.mean_loss(output, y, weight)
        others, shares = self.mixing_[0].drawn
        weight = torch.ones_like(shares) if weight is None else weight
        own, other = weight * shares, weight[others] * (1 - shares)
        total = (own + other).sum()
        total = torch.where(total > 0, total, 1.0)
        losses = self.criterion_(output, y), self.criterion_(output, y[others])
        own, other = ((part / total).to(losses[0].dtype) for part in (own, other))
        return losses[0] @ own + losses[1] @ other, total

    def mean_loss(self, output: Tensor, y: Tensor, weight: Tensor | None):
        """Average the losses of a batch; return also the batch's total weight."""
        if weight is None:
            return self.criterion_.mean(output, y), len(output)
        total = weight.sum()
        # A batch that weighs nothing teaches nothing, rather than 0 / 0.
        total = torch.where(total > 0, total, 1.0)
        losses = self.criterion_(output, y)
        return losses @ (weight / total).to(losses.dtype), total

    def decay(self, scale) -> tuple | None:
        """Add the gradient of the L2 penalty; return what the penalty is computed from."""
        decayed = [parameter for parameter in self.decayed_ if parameter.grad is not None]
        if not decayed:
            return None
        gradients = [parameter.grad for parameter in decayed]
        weights = [parameter.detach() for parameter in decayed]
        if isinstance(scale, Tensor):
            scale = scale.to(weights[0].dtype)
        add_scaled(gradients, weights, scale)
        return scale, norms(weights)

    def validation_step(self, batch, **fit_params) -> dict:
        X, y, weight = batch
        with torch.no_grad():
            output = self.compute(X)
            loss, _ = self.mean_loss(output, y, weight)
        return {"loss": loss, "penalty": None, "y_pred": output}

    def evaluation_step(self, batch, training=False) -> Tensor:
        if self.module_.training != training:
            self._set_training(training)
        with torch.set_grad_enabled(training):
            return self.compute(batch[0])

    def predict_proba(self, X) -> np.ndarray:
        """Compute the activated outputs for X."""
        return self.map_outputs(self.activate, X)

    def map_outputs(self, function: Callable, X) -> np.ndarray:
        """Join the arrays that a function makes of the outputs for X before their activation."""
        return self.map_batches(
            lambda batch: function(self.evaluation_step(batch)), self.get_dataset(X)
        )

    def map_batches(self, function: Callable, dataset: ArrayDataset) -> np.ndarray:
        """Join the arrays that a function makes of batches, in evaluation without gradients."""
        if self.module_.training:
            self._set_training(False)
        with self.in_place():
            return map_batches(function, dataset, self.rows_of_evaluation(dataset))

    def activate(self, output: Tensor) -> np.ndarray:
        """Apply the output activation."""
        return self.predict_nonlinearity(output).cpu().numpy()

    def final_loss(self) -> float:
        """Tell the loss of the last epoch, NaN if there was none."""
        return self.history[-1, "train_loss"] if self.history else np.nan

    def progress(self) -> tuple[float, int]:
        """Tell the best monitored value and the number of epochs without progress."""
        for _, callback in self.callbacks_:
            if isinstance(callback, StopWithoutProgress):
                return callback.best_, callback.n_waiting_
        return np.inf, 0

    def recorded(self) -> dict[str, np.ndarray]:
        """Collect what was recorded for every epoch, by name."""
        hidden = ("epoch", "batches")
        names = dict.fromkeys(name for row in self.history for name in row if name not in hidden)
        return {
            name: np.array([row.get(name, np.nan) for row in self.history])
            for name in names
            if not name.endswith("_best")
        }

    def continue_history(
        self, earlier: "Net", changed: Sequence[str] = (), incomparable: Sequence[str] = ()
    ) -> None:
        """Go on with a copy of another net's history.

        Parameters
        ----------
        earlier : Net
            The other net.
        changed : sequence of str
            What has another meaning now, and is left out.
        incomparable : sequence of str
            What has no best value yet on the present data.
        """
        left_out = {*changed, *(f"{name}_best" for name in incomparable)}
        self.history_ = Records(earlier.history_)
        if left_out:
            rows = [{k: v for k, v in row.items() if k not in left_out} for row in self.history_]
            self.history_ = Records(rows)
        self.best_ = {k: v for k, v in earlier.best_.items() if k not in incomparable}

    def end_training(self, dtype: torch.dtype, callbacks: list) -> None:
        """Round the network, let go of data, gradients and all callbacks but those given."""
        was_rounded = next(self.module_.parameters()).dtype != dtype
        move(self.module_, dtype=dtype).eval()
        if not all_finite(self.module_):
            name = str(dtype).removeprefix("torch.")
            raise ValueError(explain_divergence(f"the weights are too large for {name}", self))
        self.module_.zero_grad()
        if was_rounded:
            # Loading gives the optimiser's state the network's data type.
            self.optimizer_.load_state_dict(self.optimizer_.state_dict())
        self.valid_output_ = self.order_ = self.average_ = self.recording = None
        self.callbacks = callbacks
        kept = [id(c[1] if isinstance(c, tuple) else c) for c in callbacks]
        self.callbacks_ = [named for named in self.callbacks_ if id(named[1]) in kept]

    def save_params(self, *args, **files):
        """Save as skorch does, but a file that exists stays whole until the new one is.

        A file that cannot be written is told in a warning too, since skorch's checkpoints continue
        without a word.
        """
        if args:
            raise TypeError("save_params takes file names by keyword, as f_params='...'")
        own_memory(self.module_, self.optimizer_)
        try:
            with replace_when_complete(files) as temporary:
                super().save_params(**temporary)
        except Exception as error:
            names = [str(path) for path in files.values() if isinstance(path, str | Path)]
            warnings.warn(
                f"{', '.join(names)} cannot be written ({type(error).__name__}: {error}).",
                RuntimeWarning,
                stacklevel=2,
            )
            raise

    def warn_of_lost_state(self) -> None:
        """Warn of what a training lacks that continues from skorch's checkpoints."""
        if not (self.history and any(type(own) is LoadInitState for _, own in self.callbacks_)):
            return
        lacking = {
            "the order of samples": self.rng is not None,
            "the state of random draws": bool(random_layers(self.module_)),
            "the best weights so far": any(
                isinstance(callback, KeepBestWeights) for _, callback in self.callbacks_
            ),
        }
        if missing := [name for name, is_used in lacking.items() if is_used]:
            warnings.warn(
                f"skorch's checkpoints do not hold {', '.join(missing)}: the training continues, "
                "but not as if it had never been interrupted. "
                "sknn_basics.training.checkpoints.TrainingCheckpoint holds all of it, in one file.",
                UserWarning,
                stacklevel=2,
            )


@dataclass(eq=False)
class Fit:
    """A fit under way: a training, whose steps somebody has to make.

    The training is a generator (`Net.around_steps`) that stands still wherever steps are to be
    made. `advance` runs it to the next such place: it records the epoch that has ended, lets the
    callbacks decide, begins the next one, and leaves its batches in `batches`. Whoever makes the
    steps, the net itself (`train`) or a stack of many nets, leaves what came of them in `result`.
    So decisions are the same code in both cases, and need no thread that waits for them.

    Attributes
    ----------
    net : Net
        Whose training.
    around_steps : generator
        What `Net.around_steps` returned.
    batches : Batches or None
        What the next epoch is trained on; None before the first and after the last.
    result : (ndarray, list of int, ndarray or None) or None
        What `Net.pass_over` returns of these batches, once they are trained.
    error : Exception or None
        What went wrong instead.
    reason : str or None
        Why it cannot be trained together with others, where that was tried and failed.
    row : tuple or None
        The row of a report that counts it.
    """

    net: Net
    around_steps: Generator
    batches: Batches | None = None
    result: tuple | None = None
    error: Exception | None = None
    reason: str | None = None
    row: tuple | None = None

    def advance(self) -> None:
        """Run all that belongs between an epoch's last step and the next one's first."""
        result, self.result = self.result, None
        try:
            self.batches = self.around_steps.send(result)
        except StopIteration:
            self.batches = None

    def train(self) -> None:
        """Make all steps."""
        with kept_memory(self.net.device, self.net.bytes_of_step()):
            self.advance()
            while self.batches is not None:
                self.result = self.net.pass_over(self.batches, "train")
                self.advance()


def _best_of(history: History) -> dict[str, float]:
    """Find the best value of each quantity in a history that came from a checkpoint."""
    best = {}
    for epoch in history:
        names = [key.removesuffix("_best") for key, value in epoch.items() if key.endswith("_best")]
        best.update({name: epoch[name] for name in names if epoch[f"{name}_best"]})
    return best


def _overrides(callback: Callback, *hooks: str) -> bool:
    """Tell whether a callback has one of some methods of its own."""
    return any(getattr(type(callback), hook) is not getattr(Callback, hook) for hook in hooks)


def is_foreign(module: nn.Module) -> bool:
    """Tell whether a module is, or calls, code of a user."""
    home = type(module).__module__
    is_known = home.startswith(("torch.nn.modules.", "sknn_basics."))
    return not is_known or getattr(module, "calls_user", False)
