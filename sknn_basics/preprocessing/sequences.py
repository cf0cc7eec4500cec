"""Scales of sequences."""

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from sknn_basics._compat import HasMethods, StrOptions, fit_context
from sknn_basics.estimators._base.checks import check_numeric, unchanged_by_failure
from sknn_basics.estimators._base.sequences import (
    in_layout,
    is_list_of_inputs,
    join_sequences,
    to_array,
)


class SequenceScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scale each feature of sequences alike at all steps, by a scaler of scikit-learn.

    Scalers of scikit-learn take a table. This one hands them the steps of all sequences as the rows
    of one, so that sequences of shape (n_steps, n_features), in an array or in a list, are scaled
    in a pipeline, by what they are in its training rows.

    Parameters
    ----------
    scaler : {'standard'} or transformer, default='standard'
        What scales the steps, and keeps their number of features. 'standard' is
        `sklearn.preprocessing.StandardScaler`.
    data_format : {'auto', 'channels_last', 'channels_first'}, default='auto'
        Whether sequences have shape (n_steps, n_features), channels last, or (n_features,
        n_steps), as aeon, sktime and tsai have it. 'auto' is last.

    Attributes
    ----------
    scaler_ : object
        The fitted scaler.
    n_features_in_ : int
        Number of features of a step; of rows, that of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of rows, where all of them are strings.

    See Also
    --------
    sknn_basics.RNNClassifier : Reads the same kinds of sequences.

    Notes
    -----
    X is an array of shape (n_samples, n_steps, n_features), in which shorter sequences may end with
    steps of NaN; rows of shape (n_samples, n_steps), whose columns are steps of one number; or a
    list of arrays of shape (n_steps, n_features) or (n_steps,). The result has the form of X.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn_basics.preprocessing import SequenceScaler
    >>> sequences = [np.array([[1.0, 10.0], [3.0, 30.0]]), np.array([[5.0, 50.0]])]
    >>> [s.round(2).tolist() for s in SequenceScaler().fit_transform(sequences)]
    [[[-1.22, -1.22], [0.0, 0.0]], [[1.22, 1.22]]]
    """

    _parameter_constraints: dict = {
        "scaler": [StrOptions({"standard"}), HasMethods(["fit", "transform"])],
        "data_format": [StrOptions({"auto", "channels_last", "channels_first"})],
    }

    def __init__(self, scaler="standard", *, data_format="auto"):
        self.scaler = scaler
        self.data_format = data_format

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Fit the scaler to the steps of all sequences.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of array-like
            Sequences.
        y : None
            Ignored.

        Returns
        -------
        self : SequenceScaler
            The fitted transformer.

        Raises
        ------
        ValueError
            If sequences are empty, or their steps have several shapes or no finite numbers.
        """
        with unchanged_by_failure(self):
            steps, _ = self._read(X, reset=True)
            scaler = StandardScaler() if self.scaler == "standard" else clone(self.scaler)
            self.scaler_ = scaler.fit(steps)
            shape = np.shape(self.scaler_.transform(steps[:1]))
            if shape != (1, steps.shape[1]):
                raise ValueError(
                    f"scaler={self.scaler!r} must keep the number of features, "
                    f"{steps.shape[1]}, got {shape[1]}."
                )
        return self

    def transform(self, X):
        """Scale sequences.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of array-like
            Sequences, of any lengths but for rows.

        Returns
        -------
        X_scaled : ndarray of the shape of X, or list of ndarray
            The scaled sequences.
        """
        check_is_fitted(self)
        steps, shape_back = self._read(X, reset=False)
        return shape_back(np.asarray(self.scaler_.transform(steps)))

    def inverse_transform(self, X):
        """Scale sequences back.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of array-like
            Scaled sequences.

        Returns
        -------
        X_original : ndarray of the shape of X, or list of ndarray
            The sequences on their own scale.
        """
        check_is_fitted(self)
        steps, shape_back = self._read(X, reset=False)
        return shape_back(np.asarray(self.scaler_.inverse_transform(steps)))

    def _read(self, X, reset: bool):
        """Read the steps of all sequences as a table, and tell how to shape such a table back."""
        if is_list_of_inputs(X):
            return self._read_list(X, reset)
        X = X if hasattr(X, "shape") else to_array(X, "X")
        if len(X.shape) < 3:
            X = validate_data(self, X, reset=reset)
            check_numeric(X, "X")
            return X.reshape(-1, 1), lambda steps: steps.reshape(X.shape)
        X = in_layout(X, self.data_format, is_list=False)
        X = check_array(X, allow_nd=True, ensure_all_finite="allow-nan", input_name="X")
        if X.ndim > 3:
            raise ValueError(f"X must hold steps of numbers, got shape {X.shape}: flatten them.")
        self._check_features(X.shape[2], reset)

        def shape_back(steps):
            return in_layout(steps.reshape(X.shape), self.data_format, is_list=False, back=True)

        return X.reshape(-1, X.shape[2]), shape_back

    def _read_list(self, X, reset: bool):
        X = in_layout(X, self.data_format, is_list=True)
        steps, lengths = join_sequences(X, "X")
        check_numeric(steps, "X")
        steps = check_array(steps, allow_nd=True, ensure_2d=False, input_name="X")
        step_shape = steps.shape[1:]
        if len(step_shape) > 1:
            raise ValueError(f"X must hold steps of numbers, got {step_shape}: flatten them.")
        self._check_features(step_shape[0] if step_shape else 1, reset)

        def shape_back(scaled):
            parts = np.split(scaled.reshape(-1, *step_shape), np.cumsum(lengths)[:-1])
            return in_layout(parts, self.data_format, is_list=True, back=True)

        return steps.reshape(len(steps), -1), shape_back

    def _check_features(self, n_features: int, reset: bool) -> None:
        """Learn the number of features of a step, or compare it with what was learned."""
        if reset:
            self.n_features_in_ = n_features
            self.__dict__.pop("feature_names_in_", None)
        elif n_features != self.scaler_.n_features_in_:
            raise ValueError(
                f"X has steps of {n_features} features, but SequenceScaler was fitted to steps of "
                f"{self.scaler_.n_features_in_}."
            )
