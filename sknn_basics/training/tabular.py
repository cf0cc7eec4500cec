"""Training of an ensemble for tables: all members in each step, each with its own rows."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from sknn_basics.modules.tabular import TabularNetworks

BETAS, EPSILON = (0.9, 0.95), 1e-8
# Shares of the steps at which the schedule has come down to 0 and rises again. At the last one,
# where networks can be compared fairly, those leave that the cycle before has brought nothing, and
# the worse half of the settings.
RESTARTS = 3 / 15, 7 / 15
# A member's error decides which epoch is its best, and of equal ones the loss.
SHARE_OF_LOSS = 0.05
ELEMENTS_OF_EVALUATION = 2**24


@dataclass
class Table:
    """Rows as tensors: columns, levels of the columns with embeddings, targets, weights."""

    inputs: Tensor
    codes: Tensor | None
    target: Tensor
    weight: Tensor

    def of(self, index: Tensor, networks: TabularNetworks) -> tuple[Tensor, Tensor | None]:
        """Take rows, given for each member, as the arguments of the networks."""
        return self.inputs[index], None if self.codes is None else self.codes[index]


@dataclass
class Members:
    """What differs from member to member; the first axis of all is the member.

    Attributes
    ----------
    train, valid : Tensor of shape (n_members, n_rows)
        Row numbers; a member that has fewer than others has some again, with a weight of 0.
    train_share, valid_share : Tensor of shape (n_members, n_rows)
        1, or 0 for a row that only fills up.
    half : Tensor of shape (n_members, n_rows)
        Half of the validation rows that each belongs to, 0 or 1.
    rate, decay, dropout : Tensor of shape (n_members,)
        Largest learning rate, decay, share of units that are left out.
    setting : Tensor of shape (n_members,)
        Number of the draw of hyper-parameters, which members with different folds share.
    """

    train: Tensor
    train_share: Tensor
    valid: Tensor
    valid_share: Tensor
    half: Tensor
    rate: Tensor
    decay: Tensor
    dropout: Tensor
    setting: Tensor

    def take(self, members: Tensor) -> "Members":
        """Take some of the members."""
        return Members(**{name: tensor[members] for name, tensor in vars(self).items()})


@dataclass
class Plan:
    """What a training does.

    Attributes
    ----------
    loss : callable
        Computes each row's loss from outputs and targets, of shape (n_members, n_rows).
    judge : callable
        Computes what decides on each member's best epoch (lower is better) from outputs, targets
        and weights of shape (n_members, n_rows, ...).
    patience : float
        Epochs without a better one after which a member leaves.
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    judge: Callable[[Tensor, Tensor, Tensor], Tensor]
    n_epochs: int
    batch_size: int
    patience: float = math.inf


@dataclass
class Outcome:
    """What a training has found: by member, and by epoch and member (NaN of those that left).

    Attributes
    ----------
    rows : Tensor of shape (n_members, n_parameters)
        Parameters of each member's best epoch.
    best, best_epoch : Tensor of shape (n_members,)
        What it was judged by, and its number.
    held_out : Tensor of shape (n_members, n_valid, n_outputs)
        Outputs for validation rows from an epoch that other validation rows chose: those of the
        best epoch would promise too much, the more epochs and the fewer rows there are.
    """

    rows: Tensor
    best: Tensor
    best_epoch: Tensor
    held_out: Tensor
    train_loss: list[Tensor] = field(default_factory=list)
    valid_loss: list[Tensor] = field(default_factory=list)


def cross_entropy(output: Tensor, y: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Compute each row's loss of a softmax over classes."""
    flat = functional.cross_entropy(
        output.flatten(0, 1), y.flatten(), reduction="none", label_smoothing=label_smoothing
    )
    return flat.view(y.shape)


def binary_cross_entropy(output: Tensor, y: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Compute each row's mean loss of a logistic output per label."""
    smooth = y * (1 - label_smoothing) + label_smoothing / 2
    return functional.binary_cross_entropy_with_logits(output, smooth, reduction="none").mean(2)


def squared_error(output: Tensor, y: Tensor) -> Tensor:
    """Compute each row's mean squared error."""
    return (output - y).square().mean(2)


def pinball(output: Tensor, y: Tensor, quantile: float) -> Tensor:
    """Compute each row's mean loss of a quantile, for the median half the absolute error."""
    error = y - output
    return torch.maximum(quantile * error, (quantile - 1) * error).mean(2)


def judge_loss(output: Tensor, y: Tensor, weight: Tensor, loss) -> Tensor:
    """Compute each member's mean loss."""
    return weighted_mean(loss(output, y), weight)


def judge_errors(output: Tensor, y: Tensor, weight: Tensor, loss) -> Tensor:
    """Compute each member's share of errors, and a little of its loss."""
    if y.dim() == 2:
        errors = (output.argmax(2) != y).float()
    else:
        errors = ((output > 0) != (y > 0.5)).float().mean(2)
    return weighted_mean(errors + SHARE_OF_LOSS * loss(output, y), weight)


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Average over rows."""
    return (values * weight).sum(1) / weight.sum(1).clamp_min(1e-12)


def rate_factor(progress: float) -> float:
    """Rise and fall four times, at ever longer intervals (the coslog4 schedule)."""
    return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * progress)))


def flat_cosine(progress: float) -> float:
    """Stay at 1 for the first half, then fall to 0 along a cosine."""
    return 1.0 if progress < 0.5 else 0.5 * (1 + math.cos(math.pi * (2 * progress - 1)))


class Adam:
    """Adam with decoupled decay on a matrix, with a learning rate and a decay per element."""

    def __init__(self, rates: Tensor, decays: Tensor):
        self.rates, self.decays = rates, decays
        self.mean, self.square = torch.zeros_like(rates), torch.zeros_like(rates)
        self.n_steps = 0

    @torch.no_grad()
    def step(self, rows: Tensor, gradient: Tensor, factor: float, decay: float) -> None:
        """Make a step; `factor` and `decay` are the schedule's."""
        self.n_steps += 1
        self.mean.lerp_(gradient, 1 - BETAS[0])
        self.square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        root = math.sqrt(1 - BETAS[1] ** self.n_steps)
        update = self.mean / self.square.sqrt().add_(EPSILON * root)
        rows.addcmul_(rows, self.decays, value=-factor * decay)
        rows.addcmul_(update, self.rates, value=-factor * root / (1 - BETAS[0] ** self.n_steps))

    def take(self, members: Tensor) -> None:
        """Keep some of the members."""
        for name in ("rates", "decays", "mean", "square"):
            setattr(self, name, getattr(self, name)[members])


class Training:
    """A training under way: the members that are left, and what all have found so far."""

    def __init__(self, networks: TabularNetworks, table: Table, members: Members, plan: Plan):
        self.networks, self.table, self.members, self.plan = networks, table, members, plan
        rates, decays = (factors.to(networks.rows) for factors in networks.factors())
        rate = members.rate[:, None]
        self.optimiser = Adam(rates * rate, decays * rate * members.decay[:, None])
        n_members, device = networks.n_members, networks.rows.device
        n_outputs = networks.shapes[f"bias{networks.n_layers - 1}"][1][1]
        # Numbers of the members that are left, among all.
        self.left = torch.arange(n_members, device=device)
        self.outcome = Outcome(
            rows=networks.rows.detach().clone(),
            best=torch.full((n_members,), math.inf, device=device),
            best_epoch=torch.zeros(n_members, dtype=torch.long, device=device),
            held_out=torch.zeros(*members.valid.shape, n_outputs, device=device),
        )
        # Each half of the validation rows has its own best epoch, for the outputs of the other.
        self.best_of_half = torch.full((2, n_members), math.inf, device=device)

    def state(self, generator: torch.Generator) -> dict:
        """Collect what decides how the training continues after an epoch."""
        return {
            "rows": self.networks.rows.detach(),
            "left": self.left,
            "best_of_half": self.best_of_half,
            "optimiser": vars(self.optimiser),
            "members": vars(self.members),
            "outcome": vars(self.outcome),
            "generator": generator.get_state(),
        }

    def load_state(self, state: dict, generator: torch.Generator) -> None:
        """Go on from the state of another training."""
        device = self.left.device
        state = {name: _moved(value, device) for name, value in state.items()}
        self.networks.rows = torch.nn.Parameter(state["rows"])
        self.left, self.best_of_half = state["left"], state["best_of_half"]
        for name in ("optimiser", "members", "outcome"):
            vars(getattr(self, name)).update(state[name])
        generator.set_state(state["generator"].cpu())

    def advance(self, epoch: int, generator: torch.Generator) -> None:
        """Train for an epoch, evaluate, and let go of members that need no more of them."""
        self._train_epoch(epoch, generator)
        self._judge(epoch)
        self._leave(epoch)

    def _train_epoch(self, epoch: int, generator: torch.Generator) -> None:
        members, plan = self.members, self.plan
        draws = torch.rand(members.train.shape, generator=generator, device=self.left.device)
        # Rows that only fill up come last, where batches are the same for all.
        batches = (draws + (1 - members.train_share)).argsort(1)
        n_batches = max(1, members.train.shape[1] // plan.batch_size)
        total = torch.zeros(len(self.left), device=self.left.device)
        for i, batch in enumerate(batches.tensor_split(n_batches, 1)):
            progress = (epoch * n_batches + i) / (plan.n_epochs * n_batches)
            total += self._step(batch, progress, generator)
        self._record(self.outcome.train_loss, total / n_batches)

    def _step(self, batch: Tensor, progress: float, generator: torch.Generator) -> Tensor:
        """Make a step of all members, and give their losses."""
        members, networks, fades = self.members, self.networks, flat_cosine(progress)
        index = members.train.gather(1, batch)
        weight = self.table.weight[index] * members.train_share.gather(1, batch)
        dropout = members.dropout * fades if self._drops else None
        output = networks(*self.table.of(index, networks), dropout, generator)
        loss = (self.plan.loss(output, self.table.target[index]) * weight).mean(1)
        networks.rows.grad = None
        loss.sum().backward()
        rows, gradient = networks.rows.detach(), networks.rows.grad
        self.optimiser.step(rows, gradient, rate_factor(progress), fades)
        return loss.detach()

    @property
    def _drops(self) -> bool:
        return bool((self.members.dropout > 0).any()) if self.left.device.type == "cpu" else True

    def _judge(self, epoch: int) -> None:
        """Evaluate all members on their validation rows, and keep what is best so far."""
        members, outcome = self.members, self.outcome
        output = self.outputs(members.valid)
        weight = self.table.weight[members.valid] * members.valid_share
        target = self.table.target[members.valid]
        value = self.plan.judge(output, target, weight)
        self._record(outcome.valid_loss, value)
        for half, best in enumerate(self.best_of_half):
            is_judging = members.half == half
            of_half = self.plan.judge(output, target, weight * is_judging)
            better = (of_half <= best[self.left]).nonzero()[:, 0]
            improved = self.left[better]
            best[improved] = of_half[better]
            outcome.held_out[improved] = torch.where(
                is_judging[better].unsqueeze(2), outcome.held_out[improved], output[better]
            )
        better = (value <= outcome.best[self.left]).nonzero()[:, 0]
        improved = self.left[better]
        outcome.best[improved] = value[better]
        outcome.best_epoch[improved] = epoch
        outcome.rows[improved] = self.networks.rows.detach()[better]

    @torch.no_grad()
    def outputs(self, index: Tensor) -> Tensor:
        """Compute the outputs for rows, given for each member."""
        pieces = index.split(evaluation_size(self.networks), 1)
        return torch.cat([self.networks(*self.table.of(i, self.networks)) for i in pieces], 1)

    def _record(self, curve: list[Tensor], values: Tensor) -> None:
        everyone = torch.full_like(self.outcome.best, math.nan)
        everyone[self.left] = values
        curve.append(everyone)

    def _leave(self, epoch: int) -> None:
        """Let members go that have waited too long, or that are not worth a last cycle."""
        outcome, plan = self.outcome, self.plan
        best_epoch = outcome.best_epoch[self.left]
        stays = epoch - best_epoch < plan.patience
        before, last = (share * plan.n_epochs for share in RESTARTS)
        if epoch < last <= epoch + 1:
            stays &= (best_epoch >= before) & self._settings_that_stay()
        if bool(stays.all()):
            return
        self.left, self.members = self.left[stays], self.members.take(stays)
        self.networks.rows = torch.nn.Parameter(self.networks.rows.detach()[stays])
        self.optimiser.take(stays)

    def _settings_that_stay(self) -> Tensor:
        """Find the members with the better half of the settings, by the mean over their folds."""
        setting = self.members.setting
        present = setting.unique()
        values = self.outcome.best[self.left]
        means = torch.stack([values[setting == number].mean() for number in present])
        kept = present[means.argsort(stable=True)[: -(-len(present) // 2)]]
        return torch.isin(setting, kept)


def _moved(value, device: torch.device):
    """Move tensors, those in dicts and lists too, to a device."""
    if isinstance(value, dict):
        return {name: _moved(part, device) for name, part in value.items()}
    if isinstance(value, list):
        return [_moved(part, device) for part in value]
    return value.to(device) if isinstance(value, Tensor) else value


def evaluation_size(networks: TabularNetworks) -> int:
    """Choose how many rows of each member are evaluated at once."""
    widest = max(shape[-1] for _, shape in networks.shapes.values())
    per_row = networks.n_members * (widest + 16 * networks.n_numbers)
    return max(1, min(4096, ELEMENTS_OF_EVALUATION // max(1, per_row)))
