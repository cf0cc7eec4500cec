"""Classification and regression of tables by one stack of networks."""

import time
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real

import numpy as np
import torch
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from sknn_basics._compat import (
    Interval,
    StrOptions,
    begin_callbacks,
    check_classification_targets,
    check_sample_weight,
    check_y,
    fit_context,
    has_callbacks,
)
from sknn_basics.estimators._base.checks import hidden_sizes, unchanged_by_failure
from sknn_basics.estimators._base.recording import begin_recording, checkpoints_of
from sknn_basics.estimators._base.targets import check_class_weight, check_given
from sknn_basics.estimators._base.types import (
    Callbacks,
    ClassWeight,
    Columns,
    Device,
    Float,
    Int,
    Ints,
    RandomState,
    Scoring,
)
from sknn_basics.modules.tabular import TabularNetworks
from sknn_basics.preprocessing.tables import TableEncoder, check_table
from sknn_basics.training import tabular as training
from sknn_basics.training.checkpoints import TrainingCheckpoint
from sknn_basics.training.combining import find_temperature, pick_greedily
from sknn_basics.training.devices import (
    new_generator,
    reproducible,
    resolve_device,
    resolve_device_or_cpu,
    threads_for_step,
)
from sknn_basics.training.interrupts import end_or_raise
from sknn_basics.training.tabular import Members, Plan, Table, Training

N_FOLDS = 8
LEAST_STEPS, FEWEST_EPOCHS, MOST_EPOCHS = 1_200, 32, 512
# Columns of more levels have a learned embedding in place of indicators.
MOST_INDICATORS = 12
LARGEST_SEED = np.iinfo(np.int32).max
# Hyper-parameters that differ from setting to setting.
DRAWN = "learning_rate_init", "alpha", "dropout", "embedding_scale"


class TabularEstimator(CallbackSupportMixin, BaseEstimator, ABC):
    """What classifiers and regressors of tables share."""

    _parameter_constraints: dict = {
        "n_networks": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "embedding_scale": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), None],
        "scoring": [StrOptions({"loss", *get_scorer_names()}), callable, None],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "callbacks": [list, tuple, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "device": [str, torch.device],
    }

    # Numbers of at most so many different values get indicators, too.
    _few_values = 0

    # What heads define.

    @abstractmethod
    def _encode_y(self, y, reset: bool) -> np.ndarray:
        """Check y, and return what the loss reads; learn what y means if `reset`."""

    @abstractmethod
    def _count_outputs(self) -> int:
        """Tell the number of outputs of a network."""

    @abstractmethod
    def _make_loss(self):
        """Make the function of outputs and targets that gives each row's loss."""

    @abstractmethod
    def _make_own_judge(self, loss):
        """Make what chooses the best epoch without a word from the user."""

    @abstractmethod
    def _activate(self, output: np.ndarray) -> np.ndarray:
        """Turn outputs into probabilities, or into targets."""

    @abstractmethod
    def _predictions_of(self, prediction: np.ndarray) -> dict:
        """Give what each method that a scorer may call returns, from activated outputs."""

    @abstractmethod
    def _loss_of(self, output: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
        """Compute the mean loss of outputs."""

    def _calibrate(self, output: np.ndarray, target: np.ndarray, weight: np.ndarray) -> None:
        """Learn from outputs for rows that their networks did not learn from."""

    # Fitting.

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, groups=None, X_val=None, y_val=None):
        """Fit all networks as one stack.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            The table: numbers, booleans, strings and categories, with missing ones among them.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        groups : array-like of shape (n_samples,), default=None
            Groups of rows that belong together: no network is validated on a row of a group that
            it learns from.
        X_val : {array-like, data frame} of shape (n_val, n_features), default=None
            Rows that all networks are validated on, in place of folds of X.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Their targets.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If an input cannot be used, or the training diverged. What was learned before stays.
        """
        if (X_val is None) != (y_val is None):
            missing = "X_val" if X_val is None else "y_val"
            raise ValueError(f"X_val and y_val belong together, but {missing} is missing.")
        if groups is not None and X_val is not None:
            raise ValueError("groups say how X is split into folds, which X_val replaces.")
        with unchanged_by_failure(self):
            self._fit(X, y, sample_weight, groups, None if X_val is None else (X_val, y_val))
        return self

    def _fit(self, X, y, sample_weight, groups, validation) -> None:
        """Check and encode the data, deal out rows, train, and read the results."""
        check_given(y, self)
        rng = check_random_state(self.random_state)
        X = check_table(X, self)
        validate_data(self, X, skip_check_array=True)
        self.encoder_ = TableEncoder(
            self.categorical_features,
            few_values=self._few_values,
            max_categories=MOST_INDICATORS,
            many_categories="codes",
        ).fit(X)
        encoded, target = self.encoder_.encode(X), self._encode_y(y, reset=True)
        check_consistent_length(encoded.numbers, target)
        weight = self._weigh(sample_weight, encoded.numbers, y)
        recording = self._begin_recording(rng, encoded, target, weight, groups, validation)
        if validation is None:
            splits = self._deal(target, groups, rng)
        else:
            X_val, y_val = validation
            encoded, target, weight, splits = self._append(X_val, y_val, encoded, target, weight)
        self.networks_ = self._describe_networks(len(splits), rng)
        plan = self._plan(max(len(split.train) for split in splits), sample_weight is not None)
        course = self._start(encoded, target, weight, splits, plan, rng)
        data = {"estimator": self, "X": X, "y": y}
        data["metadata"] = None if sample_weight is None else {"sample_weight": sample_weight}
        generator = new_generator(rng.randint(LARGEST_SEED), course.left.device)
        context = begin_callbacks(self, plan.n_epochs)
        context.call_on_fit_task_begin(**data)
        n_multiplications = course.networks.rows.numel() * plan.batch_size
        with threads_for_step(n_multiplications), reproducible(course.left.device):
            self._train(course, generator, context, data, recording)
        self._read(
            course.outcome,
            [split.valid for split in splits],
            target,
            weight,
            has_own=validation is None,
        )
        context.call_on_fit_task_end(**data, reconstruction_attributes={})

    def _weigh(self, sample_weight, X, y) -> np.ndarray:
        """Check the weights of samples, and make their mean 1."""
        weight = check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weight.any():
            raise ValueError("sample_weight must not be zero for all samples.")
        return weight / weight.mean()

    def _deal(self, target, groups, rng) -> list["Split"]:
        """Deal the rows out to folds, class by class: list rows to train and to validate on."""
        n_samples = len(target)
        if groups is not None:
            return split_by_groups(target, groups, rng)
        if n_samples == 1:
            return [Split(np.zeros(1, int), np.zeros(1, int))]
        order = rng.permutation(n_samples)
        if target.ndim == 1:
            order = order[np.argsort(target[order], kind="stable")]
        folds = [order[k::N_FOLDS] for k in range(min(N_FOLDS, n_samples))]
        return [Split(np.setdiff1d(order, fold), fold) for fold in folds]

    def _append(self, X_val, y_val, encoded, target, weight) -> tuple:
        """Put the validation rows after the others, for the only split."""
        X_val = check_table(X_val, self)
        validate_data(self, X_val, reset=False, skip_check_array=True)
        encoded_val, target_val = self.encoder_.encode(X_val), self._encode_y(y_val, reset=False)
        check_consistent_length(encoded_val.numbers, target_val)
        n_train, n_val = len(target), len(target_val)
        return (
            encoded.append(encoded_val),
            np.concatenate([target, target_val]),
            np.concatenate([weight, np.ones(n_val)]),
            [Split(np.arange(n_train), np.arange(n_train, n_train + n_val))],
        )

    def _describe_networks(self, n_folds: int, rng) -> dict[str, np.ndarray]:
        """Say what each network differs in: its fold, and from the second round on its setting."""
        number = np.arange(self.n_networks)
        setting = number // n_folds
        # A factor from 1/2 to 2 for each but the first, on a logarithmic scale.
        factors = 2 ** rng.uniform(-1, 1, size=(setting[-1] + 1, len(DRAWN)))
        factors[0] = 1
        drawn = {n: getattr(self, n) * factors[setting, i] for i, n in enumerate(DRAWN)}
        drawn["dropout"] = np.minimum(drawn["dropout"], max(0.5, self.dropout))
        return {"fold": number % n_folds, "setting": setting, **drawn}

    def _start(self, encoded, target, weight, splits, plan: Plan, rng) -> Training:
        """Put data and new networks on the device."""
        device = resolve_device(self.device)
        self._structure_ = {
            "n_numbers": self.encoder_.n_numbers_,
            "n_inputs": encoded.numbers.shape[1],
            "n_levels": self.encoder_.n_levels_,
            "hidden_layer_sizes": hidden_sizes(self.hidden_layer_sizes),
            "n_outputs": self._count_outputs(),
        }
        networks = TabularNetworks(self.n_networks, **self._structure_)
        scales = torch.from_numpy(self.networks_["embedding_scale"]).float()
        networks.draw(new_generator(rng.randint(LARGEST_SEED), torch.device("cpu")), scales)
        table = Table(
            torch.from_numpy(encoded.numbers).to(device),
            torch.from_numpy(encoded.codes).to(device) if self.encoder_.n_levels_ else None,
            torch.from_numpy(target).to(device),
            torch.from_numpy(weight.astype(np.float32)).to(device),
        )
        fold = self.networks_["fold"]
        train, train_share = fill_up([split.train for split in splits], fold)
        valid, valid_share = fill_up([split.valid for split in splits], fold)
        half, _ = fill_up([split.half for split in splits], fold)
        members = {
            "train": train,
            "train_share": train_share,
            "valid": valid,
            "valid_share": valid_share,
            "half": half,
            "rate": self.networks_["learning_rate_init"].astype(np.float32),
            "decay": self.networks_["alpha"].astype(np.float32),
            "dropout": self.networks_["dropout"].astype(np.float32),
            "setting": self.networks_["setting"],
        }
        members = {name: torch.from_numpy(array).to(device) for name, array in members.items()}
        return Training(networks.to(device), table, Members(**members), plan)

    def _begin_recording(self, rng, encoded, target, weight, groups, validation):
        """Find the checkpoint to continue from, where checkpoints are wanted."""
        for callback in self.callbacks or ():
            if not isinstance(callback, TrainingCheckpoint):
                raise TypeError(f"callbacks must be TrainingCheckpoint objects, got {callback!r}.")
        values = (encoded.numbers, encoded.codes, target, weight, groups, *(validation or ()))
        names = ("X", "codes of X", "y", "sample_weight", "groups", "X_val", "y_val")
        data = {name: value for name, value in zip(names, values) if value is not None}
        return begin_recording(self, rng, data) if self.callbacks else None

    def _train(
        self, course: Training, generator: torch.Generator, context, data: dict, recording
    ) -> None:
        """Train until all is done, or somebody stops it: what is best so far is then used."""
        checkpoints = checkpoints_of(self.callbacks)
        state = {"seconds": 0.0, "has_ended": False}
        if recording is not None and recording.saved is not None:
            state = recording.saved["state"]
            course.load_state(state["course"], generator)
        for checkpoint in checkpoints:
            checkpoint.begin(recording)

        def write(is_last: bool, seconds: float) -> None:
            epoch, values = len(course.outcome.valid_loss), course.outcome.valid_loss[-1]
            is_best = bool((course.outcome.best_epoch == epoch - 1).any())
            for own in checkpoints:
                is_due = is_best if own.best_only else own.is_due(epoch)
                if own.needs_last(recording) if is_last else is_due:
                    state = {"seconds": seconds, "has_ended": is_last}
                    state["course"] = course.state(generator)
                    own.write(recording, epoch, "valid_loss", float(values.nanmean()), state, None)

        if not state["has_ended"]:
            seconds = self._train_epochs(course, generator, context, data, state["seconds"], write)
            if seconds is not None:
                write(True, seconds)

    def _train_epochs(self, course, generator, context, data: dict, before: float, write):
        """Train all epochs that are left; tell how long all took, None if interrupted."""
        begin = time.monotonic() - before
        most = np.inf if self.max_time is None else self.max_time
        seconds = before
        for epoch in range(len(course.outcome.train_loss), course.plan.n_epochs):
            task = context.subcontext(task_name="epoch")
            task.call_on_fit_task_begin(**data)
            try:
                course.advance(epoch, generator)
            except KeyboardInterrupt as error:
                if not epoch:
                    raise
                end_or_raise(error, stacklevel=7)
                return None
            seconds = time.monotonic() - begin
            self._report(course.outcome, seconds)
            fitted = self._as_of_now(course.outcome) if has_callbacks(self) else {}
            stop = task.call_on_fit_task_end(**data, reconstruction_attributes=fitted)
            write(False, seconds)
            if stop or seconds > most or not len(course.left):
                break
        return seconds

    def _as_of_now(self, outcome: training.Outcome) -> dict:
        """Give what a copy needs, to predict as this epoch does."""
        share = np.full(self.n_networks, 1 / self.n_networks)
        return {"_rows_": outcome.rows.numpy(force=True), "ensemble_weights_": share}

    def _report(self, outcome: training.Outcome, seconds: float) -> None:
        """Raise if an epoch has diverged; print a line if `verbose`."""
        train, epoch = outcome.train_loss[-1], len(outcome.train_loss)
        valid = outcome.valid_loss[-1]
        if bool((~torch.isfinite(train) & ~torch.isnan(valid)).any()):
            raise ValueError(
                f"The training diverged in epoch {epoch}: lower learning_rate_init="
                f"{self.learning_rate_init}, or look for extreme values in X, y or sample_weight."
            )
        if self.verbose:
            print(
                f"Epoch {epoch}: training loss {train.nanmean():.4f}, validation "
                f"{valid.nanmean():.4f}, {int((~valid.isnan()).sum())} networks, {seconds:.1f} s"
            )

    def _plan(self, n_train: int, is_weighted: bool) -> Plan:
        batch_size = min(self.batch_size, n_train)
        n_epochs = self.max_iter
        if n_epochs == "auto":
            n_batches = max(1, n_train // batch_size)
            n_epochs = int(np.clip(LEAST_STEPS // n_batches, FEWEST_EPOCHS, MOST_EPOCHS))
        loss = self._make_loss()
        if self.scoring is None:
            judge = self._make_own_judge(loss)
        elif self.scoring == "loss":
            judge = partial(training.judge_loss, loss=loss)
        else:
            judge = partial(self._judge_by_scorer, check_scoring(self, self.scoring), is_weighted)
        return Plan(
            loss=loss,
            judge=judge,
            n_epochs=n_epochs,
            batch_size=batch_size,
            patience=np.inf if self.n_iter_no_change is None else self.n_iter_no_change,
        )

    def _judge_by_scorer(self, scorer, is_weighted: bool, output, target, weight) -> torch.Tensor:
        """Score each network's outputs for its validation rows; lower is better."""
        values = []
        arrays = (tensor.numpy(force=True) for tensor in (output, target, weight))
        for member_output, member_target, member_weight in zip(*arrays):
            rows = member_weight > 0
            if not rows.any():
                values.append(0.0)
                continue
            prediction = self._activate(member_output[None, rows].astype(np.float64))[0]
            given = Given(self, self._predictions_of(prediction))
            weights = {"sample_weight": member_weight[rows]} if is_weighted else {}
            y = self._decode(member_target[rows])
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    score = scorer(given, np.zeros((len(y), 1)), y, **weights)
            except Exception as error:
                raise ValueError(
                    f"scoring={self.scoring!r} cannot score the validation rows: {error}"
                ) from error
            values.append(-score if np.isfinite(score) else np.inf)
        return torch.tensor(values, dtype=output.dtype, device=output.device)

    # Reading the results.

    def _read(self, outcome, folds, target, weight, has_own: bool) -> None:
        """Keep what predicts, and learn from the rows that networks were validated on."""
        stack = [
            torch.stack(curve).numpy(force=True)
            for curve in (outcome.train_loss, outcome.valid_loss)
        ]
        self.history_ = dict(zip(("train_loss", "valid_loss"), stack))
        self.n_iter_ = len(stack[0])
        self.best_epoch_ = outcome.best_epoch.numpy(force=True)
        self._rows_ = outcome.rows.numpy(force=True)
        settings = self.networks_["setting"]
        held_out = outcome.held_out.numpy(force=True).astype(np.float64)
        outputs = [
            read_held_out(held_out, folds, self.networks_["fold"], settings == number, len(target))
            for number in range(settings[-1] + 1)
        ]
        is_known = ~np.isnan(outputs[0][:, 0])
        self._calibrate(outputs[0][is_known], target[is_known], weight[is_known])
        chosen = self._pick(outputs, settings, target, weight)
        counts = np.bincount(settings)
        self.ensemble_weights_ = chosen[settings] / counts[settings]
        if has_own:
            mean = np.tensordot(chosen, np.stack(outputs), 1)
            self.out_of_fold_prediction_ = self._activate(mean)

    def _pick(self, outputs, settings, target, weight) -> np.ndarray:
        """Choose how much each setting counts, by rows that its networks did not learn from."""
        chosen = np.zeros(len(outputs))
        # The last round of folds may not be complete.
        counts = np.bincount(settings)
        candidates = np.flatnonzero(counts == counts[0])
        is_known = ~np.isnan(outputs[0][:, 0])
        known = np.stack([outputs[n][is_known] for n in candidates])
        score = partial(self._loss_of, target=target[is_known], weight=weight[is_known])
        chosen[candidates] = pick_greedily(known, score) if len(candidates) > 1 else 1
        return chosen

    @torch.no_grad()
    def _predict_outputs(self, X) -> np.ndarray:
        """Average the outputs of all networks, and activate the mean."""
        check_is_fitted(self)
        X = check_table(X, self)
        validate_data(self, X, reset=False, skip_check_array=True)
        encoded = self.encoder_.encode(X)
        device = resolve_device_or_cpu(self.device)
        counted = np.flatnonzero(self.ensemble_weights_)
        networks = TabularNetworks(len(counted), **self._structure_)
        networks.rows.data = torch.from_numpy(self._rows_[counted])
        networks.to(device)
        size = training.evaluation_size(networks)
        weights = self.ensemble_weights_[counted]
        pieces = []
        for begin in range(0, len(X), size):
            rows = slice(begin, begin + size)
            inputs, codes = (
                torch.from_numpy(part[rows]).to(device).expand(len(counted), -1, -1)
                for part in (encoded.numbers, encoded.codes)
            )
            output = networks(inputs, codes).numpy(force=True).astype(np.float64)
            pieces.append(np.tensordot(weights, output, 1))
        return self._activate(np.concatenate(pieces))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags


@dataclass
class Split:
    """Numbers of rows to train and to validate on, and to which half each of the latter belongs.

    An epoch that one half has chosen tells honestly of the other.
    """

    train: np.ndarray
    valid: np.ndarray
    half: np.ndarray | None = None

    def __post_init__(self):
        if self.half is None:
            self.half = np.arange(len(self.valid)) % 2


class Given:
    """What a scorer takes for an estimator: predictions that were made already."""

    def __init__(self, estimator, predictions: dict):
        self._estimator_type = getattr(estimator, "_estimator_type", None)
        self._tags = estimator.__sklearn_tags__()
        for name, values in predictions.items():
            setattr(self, name, values if name == "classes_" else returning(values, name))

    def __sklearn_tags__(self):
        return self._tags

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y=None):
        """Tell scikit-learn that this is an estimator."""
        return self


def returning(values: np.ndarray, name: str):
    """Make a method that returns values; scikit-learn's scorers look at its name."""

    def method(X):
        return values

    method.__name__ = name
    return method


def fill_up(rows: list[np.ndarray], of_member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List each member's rows; one with fewer than others has some again, with a share of 0."""
    longest = max(map(len, rows))
    index = np.stack([np.resize(listed, longest) for listed in rows])
    share = np.arange(longest) < np.array([[len(listed)] for listed in rows])
    return index[of_member], share[of_member].astype(np.float32)


def split_by_groups(target: np.ndarray, groups, rng) -> list["Split"]:
    """Split rows for training and validation, with every group on one side.

    Raises
    ------
    ValueError
        If there is one group only.
    """
    check_consistent_length(target, groups)
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    n_folds = min(N_FOLDS, codes.max() + 1)
    if n_folds < 2:
        raise ValueError("groups must have two different values at least.")
    splitter = GroupKFold if target.ndim > 1 else StratifiedGroupKFold
    splits = splitter(n_folds, shuffle=True, random_state=rng.randint(LARGEST_SEED))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        return [
            Split(train, valid, np.unique(codes[valid], return_inverse=True)[1] % 2)
            for train, valid in splits.split(target, target, codes)
        ]


def read_held_out(held_out, folds, fold_of, is_of_setting, n_samples: int) -> np.ndarray:
    """Put one setting's outputs for the folds into the order of the rows; NaN where none is."""
    outputs = np.full((n_samples, held_out.shape[2]), np.nan)
    for member in np.flatnonzero(is_of_setting):
        fold = folds[fold_of[member]]
        outputs[fold] = held_out[member, : len(fold)]
    return outputs


class TabularClassifier(ClassifierMixin, TabularEstimator):
    """Classifier of tables: an ensemble of networks, trained as one.

    The first model to try on a table. Columns are taken as they are, see
    `sknn_basics.preprocessing.TableEncoder`; numbers get learned periodic embeddings, categories of
    many levels learned ones. The networks differ in their initial weights and in the rows that they
    are validated on, so that together they see all rows. Their logits are averaged, and divided by
    one temperature that is learned from rows which a network did not see.

    Parameters
    ----------
    n_networks : int, default=8
        Number of networks. Eight share the same hyper-parameters, each is validated on another
        eighth of the rows; of more than eight, those after draw hyper-parameters of their own,
        and the best settings are picked.
    hidden_layer_sizes : int or array-like of int, default=(128, 128, 128)
        Numbers of units of each network.
    categorical_features : 'from_dtype', array-like of int, bool or str, or None, \
            default='from_dtype'
        Columns of categories, see `sknn_basics.preprocessing.TableEncoder`.
    learning_rate_init : float, default=0.04
        Largest rate of Adam's steps; the schedule falls to 0 and rises again three times.
    alpha : float, default=0.02
        Decay of the weights, decoupled from the gradient.
    dropout : float, default=0.15
        Share of hidden units that are left out in a step; it fades in the second half.
    embedding_scale : float, default=0.1
        Standard deviation of the initial frequencies in the embeddings of numbers, in periods per
        unit of a scaled number. Larger ones begin with rougher functions.
    label_smoothing : float or 'auto', default='auto'
        Share of the targets' mass that is spread over all classes; 'auto' is 0.1 where errors
        choose the best epoch, and else 0.
    batch_size : int, default=256
        Rows of each network in a step.
    max_iter : int or 'auto', default='auto'
        Number of epochs; 'auto' makes at least some 1,200 steps, in 32 to 512 epochs.
    n_iter_no_change : int or None, default=None
        Number of epochs without a better one after which a network leaves the training.
    scoring : str, callable or None, default=None
        What decides on the best epoch of a network: None for the share of errors (and a little
        of the loss), 'loss' for the loss, or a scorer of scikit-learn.
    max_time : float or None, default=None
        Seconds after which the training ends, with the best epochs so far.
    class_weight : dict, list of dict, 'balanced' or None, default=None
        Weights of the classes; of multi-label targets, a dict a label.
    random_state : int, RandomState instance or None, default=None
        Draws folds, weights, hyper-parameters and batches.
    verbose : bool, default=False
        Print a line per epoch.
    callbacks : sequence of TrainingCheckpoint, default=None
        Write the state of the training into files, from which an interrupted `fit` continues.
    device : str or torch.device, default='auto'
        Where to compute: 'auto' is a GPU if there is one.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    temperature_ : float
        What logits are divided by.
    encoder_ : TableEncoder
        How the table is read.
    ensemble_weights_ : ndarray of shape (n_networks,)
        How much each network counts; those that were not picked have 0.
    history_ : dict of ndarray of shape (n_epochs, n_networks)
        'train_loss' and 'valid_loss' (what chooses the best epoch) of each epoch and network, NaN
        after a network has left.
    best_epoch_ : ndarray of shape (n_networks,)
        Number of each network's best epoch, from 0.
    networks_ : dict of ndarray of shape (n_networks,)
        'fold' on which each is validated, 'setting' (number of the draw of hyper-parameters),
        and its 'learning_rate_init', 'alpha', 'dropout' and 'embedding_scale'.
    out_of_fold_prediction_ : ndarray of shape (n_samples, n_outputs)
        Probabilities for rows that a network did not see, from an epoch
        that other rows chose; NaN where no network was validated. Not there if `X_val` is given.
    n_iter_ : int
        Number of epochs.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if they are strings.

    See Also
    --------
    TabularRegressor : The same for numbers.
    sklearn.ensemble.HistGradientBoostingClassifier : Boosted trees.

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart. "Better by default: strong pre-tuned MLPs and boosted
    trees on tabular data." NeurIPS 2024.

    Gorishniy, Kotelnikov and Babenko. "TabM: advancing tabular deep learning with
    parameter-efficient ensembling." ICLR 2025.

    Caruana, Niculescu-Mizil, Crew and Ksikes. "Ensemble selection from libraries of models."
    ICML 2004.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn_basics import TabularClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = TabularClassifier(n_networks=4, max_iter=64, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: dict = {
        **TabularEstimator._parameter_constraints,
        "label_smoothing": [Interval(Real, 0, 1, closed="left"), StrOptions({"auto"})],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        n_networks: Int = 8,
        *,
        hidden_layer_sizes: Ints = (128, 128, 128),
        categorical_features: Columns = "from_dtype",
        learning_rate_init: Float = 0.04,
        alpha: Float = 0.02,
        dropout: Float = 0.15,
        embedding_scale: Float = 0.1,
        label_smoothing: Float | str = "auto",
        batch_size: Int = 256,
        max_iter: Int | str = "auto",
        n_iter_no_change: Int | None = None,
        scoring: Scoring = None,
        max_time: Float | None = None,
        class_weight: ClassWeight = None,
        random_state: RandomState = None,
        verbose: bool | Int = False,
        callbacks: Callbacks = None,
        device: Device = "auto",
    ):
        self.n_networks = n_networks
        self.hidden_layer_sizes = hidden_layer_sizes
        self.categorical_features = categorical_features
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.dropout = dropout
        self.embedding_scale = embedding_scale
        self.label_smoothing = label_smoothing
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.max_time = max_time
        self.class_weight = class_weight
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.device = device

    # It helps to tell classes apart; regressions it does not help.
    _few_values = MOST_INDICATORS

    def predict_proba(self, X) -> np.ndarray:
        """Estimate the probability of each class.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            The table.

        Returns
        -------
        probability : ndarray of shape (n_samples, n_classes)
            Columns are in the order of `classes_`; of multi-label targets, of each label.
        """
        return self._predict_outputs(X)

    def predict_log_proba(self, X) -> np.ndarray:
        """Estimate the logarithm of each class's probability.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            The table.

        Returns
        -------
        log_probability : ndarray of shape (n_samples, n_classes)
            Logarithms of `predict_proba`.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X) -> np.ndarray:
        """Predict the classes of X.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            The table.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Predicted classes.
        """
        return self._predictions_of(self._predict_outputs(X))["predict"]

    def _predictions_of(self, prediction: np.ndarray) -> dict:
        if self._is_multilabel_:
            labels = (prediction > 0.5).astype(int)
        else:
            labels = self.classes_[prediction.argmax(1)]
        return {"classes_": self.classes_, "predict_proba": prediction, "predict": labels}

    def _encode_y(self, y, reset: bool) -> np.ndarray:
        y = check_y(y, multi_output=True, estimator=self)
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        if y.dtype.kind == "O" and any(label is None or label != label for label in y.ravel()):
            raise ValueError("Input y contains missing values.")
        if reset:
            check_classification_targets(y)
            if type_of_target(y) == "multiclass-multioutput":
                raise ValueError(
                    "y has several columns with more than two classes, which is not supported: "
                    "use sklearn.multioutput.MultiOutputClassifier."
                )
            self._is_multilabel_ = y.ndim == 2
            self.classes_ = np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)
        if self._is_multilabel_:
            return y.astype(np.float32)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y_val has classes that y has not: {unknown}.")
        return np.searchsorted(self.classes_, y)

    def _decode(self, target: np.ndarray) -> np.ndarray:
        return target.astype(int) if self._is_multilabel_ else self.classes_[target]

    def _count_outputs(self) -> int:
        return len(self.classes_)

    def _weigh(self, sample_weight, X, y) -> np.ndarray:
        weight = super()._weigh(sample_weight, X, y)
        if self.class_weight is None:
            return weight
        weight = weight * compute_sample_weight(self.class_weight, np.asarray(y))
        check_class_weight(weight, self.class_weight)
        return weight / weight.mean()

    def _make_loss(self):
        smoothing = self.label_smoothing
        if smoothing == "auto":
            # It helps to find the right class, and harms probabilities.
            smoothing = 0.1 if self.scoring in (None, "accuracy") else 0.0
        loss = training.binary_cross_entropy if self._is_multilabel_ else training.cross_entropy
        return partial(loss, label_smoothing=smoothing)

    def _make_own_judge(self, loss):
        # Smoothed targets are for learning alone.
        return partial(training.judge_errors, loss=loss.func)

    def _activate(self, output: np.ndarray) -> np.ndarray:
        logits = output / self.__dict__.get("temperature_", 1.0)
        return expit(logits) if self._is_multilabel_ else softmax(logits, axis=-1)

    def _calibrate(self, output, target, weight) -> None:
        self.temperature_ = 1.0
        if not self._is_multilabel_ and len(self.classes_) > 1 and weight.any():
            self.temperature_ = find_temperature(output, target, weight)

    def _loss_of(self, output, target, weight) -> float:
        prediction = self._activate(output)
        if self._is_multilabel_:
            right = np.where(target > 0.5, prediction, 1 - prediction)
            return np.average(-np.log(np.maximum(right, 1e-12)).mean(1), weights=weight)
        right = prediction[np.arange(len(target)), target]
        return np.average(-np.log(np.maximum(right, 1e-12)), weights=weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class TabularRegressor(RegressorMixin, TabularEstimator):
    """Regressor of tables: an ensemble of networks, trained as one.

    The first model to try on a table. Columns are taken as they are, see
    `sknn_basics.preprocessing.TableEncoder`; numbers get learned periodic embeddings, categories of
    many levels learned ones. The networks differ in their initial weights and in the rows that they
    are validated on, so that together they see all rows. Targets are standardised inside; the
    prediction is the mean of all networks', kept within the range of the targets.

    Parameters
    ----------
    n_networks : int, default=8
        Number of networks. Eight share the same hyper-parameters, each is validated on another
        eighth of the rows; of more than eight, those after draw hyper-parameters of their own,
        and the best settings are picked.
    hidden_layer_sizes : int or array-like of int, default=(128, 128, 128)
        Numbers of units of each network.
    categorical_features : 'from_dtype', array-like of int, bool or str, or None, \
            default='from_dtype'
        Columns of categories, see `sknn_basics.preprocessing.TableEncoder`.
    loss : {'squared_error', 'absolute_error', 'quantile'}, default='squared_error'
        Predicts the mean, the median, or a quantile.
    quantile : float, default=0.5
        Which, for the last.
    learning_rate_init : float, default=0.2
        Largest rate of Adam's steps; the schedule falls to 0 and rises again three times.
    alpha : float, default=0.02
        Decay of the weights, decoupled from the gradient.
    dropout : float, default=0.15
        Share of hidden units that are left out in a step; it fades in the second half.
    embedding_scale : float, default=0.1
        Standard deviation of the initial frequencies in the embeddings of numbers, in periods per
        unit of a scaled number. Larger ones begin with rougher functions.
    batch_size : int, default=256
        Rows of each network in a step.
    max_iter : int or 'auto', default='auto'
        Number of epochs; 'auto' makes at least some 1,200 steps, in 32 to 512 epochs.
    n_iter_no_change : int or None, default=None
        Number of epochs without a better one after which a network leaves the training.
    scoring : str, callable or None, default=None
        What decides on the best epoch of a network: None or 'loss' for the loss, or a scorer of
        scikit-learn.
    max_time : float or None, default=None
        Seconds after which the training ends, with the best epochs so far.
    random_state : int, RandomState instance or None, default=None
        Draws folds, weights, hyper-parameters and batches.
    verbose : bool, default=False
        Print a line per epoch.
    callbacks : sequence of TrainingCheckpoint, default=None
        Write the state of the training into files, from which an interrupted `fit` continues.
    device : str or torch.device, default='auto'
        Where to compute: 'auto' is a GPU if there is one.

    Attributes
    ----------
    encoder_ : TableEncoder
        How the table is read.
    ensemble_weights_ : ndarray of shape (n_networks,)
        How much each network counts; those that were not picked have 0.
    history_ : dict of ndarray of shape (n_epochs, n_networks)
        'train_loss' and 'valid_loss' (what chooses the best epoch) of each epoch and network, NaN
        after a network has left.
    best_epoch_ : ndarray of shape (n_networks,)
        Number of each network's best epoch, from 0.
    networks_ : dict of ndarray of shape (n_networks,)
        'fold' on which each is validated, 'setting' (number of the draw of hyper-parameters),
        and its 'learning_rate_init', 'alpha', 'dropout' and 'embedding_scale'.
    out_of_fold_prediction_ : ndarray of shape (n_samples, n_outputs)
        Predictions for rows that a network did not see, from an epoch
        that other rows chose; NaN where no network was validated. Not there if `X_val` is given.
    n_iter_ : int
        Number of epochs.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if they are strings.

    See Also
    --------
    TabularClassifier : The same for classes.
    sklearn.ensemble.HistGradientBoostingRegressor : Boosted trees.

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart. "Better by default: strong pre-tuned MLPs and boosted
    trees on tabular data." NeurIPS 2024.

    Gorishniy, Kotelnikov and Babenko. "TabM: advancing tabular deep learning with
    parameter-efficient ensembling." ICLR 2025.

    Caruana, Niculescu-Mizil, Crew and Ksikes. "Ensemble selection from libraries of models."
    ICML 2004.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sknn_basics import TabularRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = TabularRegressor(n_networks=4, max_iter=64, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.4)
    True
    """

    _parameter_constraints: dict = {
        **TabularEstimator._parameter_constraints,
        "loss": [StrOptions({"squared_error", "absolute_error", "quantile"})],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        n_networks: Int = 8,
        *,
        hidden_layer_sizes: Ints = (128, 128, 128),
        categorical_features: Columns = "from_dtype",
        loss: str = "squared_error",
        quantile: Float = 0.5,
        learning_rate_init: Float = 0.2,
        alpha: Float = 0.02,
        dropout: Float = 0.15,
        embedding_scale: Float = 0.1,
        batch_size: Int = 256,
        max_iter: Int | str = "auto",
        n_iter_no_change: Int | None = None,
        scoring: Scoring = None,
        max_time: Float | None = None,
        random_state: RandomState = None,
        verbose: bool | Int = False,
        callbacks: Callbacks = None,
        device: Device = "auto",
    ):
        self.n_networks = n_networks
        self.hidden_layer_sizes = hidden_layer_sizes
        self.categorical_features = categorical_features
        self.loss = loss
        self.quantile = quantile
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.dropout = dropout
        self.embedding_scale = embedding_scale
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.max_time = max_time
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.device = device

    def predict(self, X) -> np.ndarray:
        """Predict the targets of X.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            The table.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """
        return self._predictions_of(self._predict_outputs(X))["predict"]

    def _predictions_of(self, prediction: np.ndarray) -> dict:
        clipped = np.clip(prediction, *self._range_)
        return {"predict": clipped[:, 0] if self._is_flat_ else clipped}

    def _encode_y(self, y, reset: bool) -> np.ndarray:
        y = check_y(y, multi_output=True, y_numeric=True, estimator=self)
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        rows = y.reshape(len(y), -1)
        if reset:
            self._is_flat_ = y.ndim == 1 or y.shape[1] == 1
            self._centre_, scale = rows.mean(0), rows.std(0)
            self._scale_ = np.where(scale > 0, scale, 1.0)
            self._range_ = rows.min(0), rows.max(0)
        return ((rows - self._centre_) / self._scale_).astype(np.float32)

    def _decode(self, target: np.ndarray) -> np.ndarray:
        rows = target.astype(np.float64) * self._scale_ + self._centre_
        return rows[:, 0] if self._is_flat_ else rows

    def _count_outputs(self) -> int:
        return len(self._centre_)

    def _make_loss(self):
        if self.loss == "squared_error":
            return training.squared_error
        return partial(training.pinball, quantile=self.quantile if self.loss == "quantile" else 0.5)

    def _make_own_judge(self, loss):
        return partial(training.judge_loss, loss=loss)

    def _activate(self, output: np.ndarray) -> np.ndarray:
        return output * self._scale_ + self._centre_

    def _loss_of(self, output, target, weight) -> float:
        rows = self._make_loss()(torch.from_numpy(output)[None], torch.from_numpy(target)[None])
        return float(np.average(rows[0].numpy(), weights=weight))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
