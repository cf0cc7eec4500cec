"""What a fit validates on after every epoch: data of the user, or a part of the training data."""

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_consistent_length

from sknn_basics.checks import check_range
from sknn_basics.training.devices import as_array


class ValidationMixin:
    """Validation of neural estimators."""

    # Words of `fit` for what validates.
    _validation_names = "X_val, y_val, sample_weight_val"

    def _split(self, X, inputs, target, weight, validation, rng):
        """Make the datasets to train and to validate on, and the score of the latter."""
        whole = self._make_dataset(inputs, target, weight)
        if validation is not None:
            try:
                return whole, *self._check_validation(*map(as_array, validation))
            except (TypeError, ValueError) as error:
                kind = ValueError if isinstance(error, ValueError) else TypeError
                raise kind(f"In {self._validation_names}: {error}") from error
        if not self.early_stopping or self.solver == "lbfgs":
            return whole, None, None
        rows, rows_val = self._split_rows(target, self._source_of_split(rng))
        weight_val = None if weight is None else weight[rows_val]
        # A data frame keeps its column names, which a scorer's call of predict checks.
        X_val = _safe_indexing(X if hasattr(X, "columns") else inputs, rows_val)
        score = self._make_score(X_val, target[rows_val], weight_val)
        return whole.subset(rows), whole.subset(rows_val), score

    def _check_validation(self, X_val, y_val, weight_val):
        """Make the dataset of the given validation data, and its score."""
        inputs = self._check_X(X_val, reset=False)
        target = self._encode_target(inputs, y_val, reset=False)
        check_consistent_length(inputs, target)
        check_range(inputs, self._dtype_, "X")
        weight = self._weigh(weight_val, inputs, target)
        named = X_val if hasattr(X_val, "columns") else inputs
        return self._make_dataset(inputs, target, weight), self._make_score(named, target, weight)

    def _source_of_split(self, rng) -> np.random.RandomState:
        """Choose a random state; in a warm start that of before, so that held-out rows stay so."""
        if self._split_state_ is None:
            self._split_state_ = rng.get_state(legacy=False)
            return rng
        source = np.random.RandomState()
        source.set_state(self._split_state_)
        return source

    def _split_rows(self, target, rng) -> tuple[np.ndarray, np.ndarray]:
        """Split row numbers for training and validation, by class where that is possible."""
        n_samples = target.shape[0]
        n_valid = max(2, int(np.ceil(self.validation_fraction * n_samples)))
        if self.validation_fraction == 0 or n_valid >= n_samples:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset: early_stopping=True needs samples to train and to validate on, got "
                f"validation_fraction={self.validation_fraction} of n_samples={n_samples}."
            )
        strata = self._strata(target)
        if strata is not None:
            counts = np.unique(strata, return_counts=True)[1]
            if counts.min() < 2 or len(counts) > min(n_valid, n_samples - n_valid):
                strata = None
        return train_test_split(
            np.arange(n_samples),
            test_size=n_valid,
            random_state=rng,
            stratify=strata,
        )

    def _strata(self, target) -> np.ndarray | None:
        """Tell by what the validation rows are stratified."""
        return None

    def _make_score(self, X, target, weight):
        """Make the function that scores a net on the validation data; higher is better."""
        if self.scoring is None:
            return lambda net: self._score_output(net.activate(net.valid_output_), target, weight)
        if self.scoring == "loss":
            return lambda net: -net.history[-1, "valid_loss"]
        scorer = check_scoring(self, self.scoring)
        weights = {} if weight is None else {"sample_weight": weight}
        y = self._decode_target(target)

        def score(net) -> float:
            try:
                return scorer(self, X, y, **weights)
            except Exception as error:
                # A function of the user raises what it likes, a scorer of scikit-learn anything.
                if not hasattr(scorer, "_score_func"):
                    raise
                raise ValueError(
                    f"scoring={self.scoring!r} cannot score the validation data: set it to None or "
                    f"'loss', or to a function of (estimator, X, y) that can. {error}"
                ) from error

        return score
