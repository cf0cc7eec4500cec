"""Tables of mixed columns as numbers that networks learn well from."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import QuantileTransformer
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from sknn_basics._compat import Interval, StrOptions, fit_context

# Texts of so many words, of which most are different, are no categories.
WORDS_OF_A_TEXT, SHARE_OF_DIFFERENT, FEWEST_TEXTS = 4, 0.5, 20
OTHERS = "…"


@dataclass
class Encoded:
    """An encoded table: numbers of shape (n_samples, n_numbers), and codes of levels."""

    numbers: np.ndarray
    codes: np.ndarray

    def append(self, other: "Encoded") -> "Encoded":
        """Put another table's rows after."""
        return Encoded(
            np.concatenate([self.numbers, other.numbers]), np.concatenate([self.codes, other.codes])
        )


class TableEncoder(TransformerMixin, BaseEstimator):
    """Encode the columns of a table for a network.

    Numbers are centred at their median, divided by their interquartile range and clipped smoothly,
    so that outliers stay in order but within (-3, 3). Categories become indicators, one a level;
    two levels become one column of -1 and 1. Missing numbers become the median, and a further
    column marks them; missing categories are a level of their own. A level that was not seen in
    `fit` becomes zeros. Columns without two different values are left out.

    Parameters
    ----------
    categorical_features : 'from_dtype', array-like of int, bool or str, or None, \
            default='from_dtype'
        Columns of categories: 'from_dtype' for those whose type is not numeric or boolean, a mask,
        positions, or names. None takes every column as numeric.
    numbers : {'robust', 'quantile'}, default='robust'
        How numbers are scaled: as above, or by their ranks, to a normal distribution.
    clip : float or None, default=3.0
        Where numbers are clipped by 'robust'; None does not clip.
    few_values : int, default=0
        Numbers of at most so many different values get an indicator for each of these as well: a
        number may be a category in disguise. 0 makes none.
    max_categories : int, default=64
        Largest number of indicators of a column.
    many_categories : {'infrequent', 'codes'}, default='infrequent'
        What becomes of a column with more levels: the most frequent ones have indicators and all
        others share one; or its levels are numbered, from 1, in a column after all others, as a
        layer of embeddings takes them. 0 stands for levels that were seen less than twice.
    dtype : {'float32', 'float64'}, default='float32'
        Data type of the result.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if they are strings.
    n_numbers_ : int
        Number of columns of scaled numbers, which are the first of the result.
    n_levels_ : list of int
        Numbers of different codes in each of the last columns, with ``many_categories='codes'``.

    See Also
    --------
    sknn_basics.TabularClassifier : Has this inside.
    sklearn.preprocessing.OneHotEncoder : Indicators alone.

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart. "Better by default: strong pre-tuned MLPs and boosted
    trees on tabular data." NeurIPS 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn_basics.preprocessing import TableEncoder
    >>> X = np.array([[1.0, "a"], [2.0, "b"], [3.0, "c"], [np.nan, "a"]], dtype=object)
    >>> encoder = TableEncoder()
    >>> encoder.fit_transform(X).shape
    (4, 5)
    >>> encoder.get_feature_names_out()
    array(['x0', 'x0_missing', 'x1_a', 'x1_b', 'x1_c'], dtype=object)
    """

    _parameter_constraints: dict = {
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "numbers": [StrOptions({"robust", "quantile"})],
        "clip": [Interval(Real, 0, None, closed="neither"), None],
        "few_values": [Interval(Integral, 0, None, closed="left")],
        "max_categories": [Interval(Integral, 2, None, closed="left")],
        "many_categories": [StrOptions({"infrequent", "codes"})],
        "dtype": [StrOptions({"float32", "float64"})],
    }

    def __init__(
        self,
        categorical_features="from_dtype",
        *,
        numbers="robust",
        clip=3.0,
        few_values=0,
        max_categories=64,
        many_categories="infrequent",
        dtype="float32",
    ):
        self.categorical_features = categorical_features
        self.numbers = numbers
        self.clip = clip
        self.few_values = few_values
        self.max_categories = max_categories
        self.many_categories = many_categories
        self.dtype = dtype

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn scales and levels.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            The table.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The transformer.

        Raises
        ------
        ValueError
            If a column holds neither numbers nor categories.
        """
        X = check_table(X, self)
        validate_data(self, X, skip_check_array=True)
        columns = read_columns(X)
        self._is_categorical_ = choose_categorical(self.categorical_features, columns)
        self._names_ = [column.name for column in columns]
        self._scales_, self._marked_, self._values_ = {}, [], {}
        self._levels_, self._coded_ = {}, {}
        for i, column in enumerate(columns):
            if self._is_categorical_[i]:
                self._fit_categories(i, column)
            else:
                self._fit_numbers(i, column.as_numbers())
        self.n_numbers_ = len(self._scales_)
        self.n_levels_ = [len(levels) + 1 for levels in self._coded_.values()]
        return self

    def _fit_categories(self, i: int, column: "Column") -> None:
        codes, levels = column.as_levels()
        check_no_texts(column.name, levels, len(codes))
        counts = np.bincount(codes, minlength=len(levels))
        if len(levels) < 2:
            return
        if len(levels) <= self.max_categories:
            self._levels_[i] = sorted(levels)
            return
        if self.many_categories == "codes":
            self._coded_[i] = sorted(level for level, n in zip(levels, counts) if n > 1)
            return
        order = np.argsort(-counts, kind="stable")[: self.max_categories - 1]
        self._levels_[i] = [*sorted(levels[k] for k in order), OTHERS]

    def _fit_numbers(self, i: int, numbers: np.ndarray) -> None:
        is_known = ~np.isnan(numbers)
        known = numbers[is_known]
        if is_known.any() and not is_known.all():
            self._marked_.append(i)
        values = np.unique(known)
        if len(values) < 2:
            return
        if 2 < len(values) <= self.few_values:
            self._values_[i] = values
        if self.numbers == "robust":
            self._scales_[i] = robust_scale(known)
            return
        ranks = QuantileTransformer(
            n_quantiles=min(1000, len(known)), output_distribution="normal", subsample=None
        )
        self._scales_[i] = ranks.fit(known[:, None])

    def transform(self, X):
        """Encode a table.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            The table.

        Returns
        -------
        encoded : ndarray of shape (n_samples, n_encoded)
            Numbers first, then marks of missing ones, then categories.
        """
        check_is_fitted(self)
        X = check_table(X, self)
        validate_data(self, X, reset=False, skip_check_array=True)
        encoded = self.encode(X)
        return np.hstack([encoded.numbers, encoded.codes.astype(self.dtype)])

    def encode(self, X) -> Encoded:
        """Encode a table that was checked already, with its codes apart.

        Parameters
        ----------
        X : {ndarray, data frame} of shape (n_samples, n_features)
            The table.

        Returns
        -------
        encoded : Encoded
            Its `numbers` and `codes`.
        """
        columns, n_samples = read_columns(X), X.shape[0]
        widths = [1 if len(levels) == 2 else len(levels) for levels in self._levels_.values()]
        j = self.n_numbers_ + len(self._marked_)
        n_columns = j + sum(map(len, self._values_.values())) + sum(widths)
        numbers = np.zeros((n_samples, n_columns), self.dtype)
        for k, (i, scale) in enumerate(self._scales_.items()):
            numbers[:, k] = self._scale(columns[i].as_numbers(), scale)
        for k, i in enumerate(self._marked_, start=self.n_numbers_):
            numbers[:, k] = np.isnan(columns[i].as_numbers())
        for i, values in self._values_.items():
            numbers[:, j : j + len(values)] = columns[i].as_numbers()[:, None] == values
            j += len(values)
        for (i, levels), width in zip(self._levels_.items(), widths):
            numbers[:, j : j + width] = indicators(positions(columns[i], levels), len(levels))
            j += width
        codes = [positions(columns[i], levels) + 1 for i, levels in self._coded_.items()]
        codes = np.stack(codes, axis=1) if codes else np.zeros((n_samples, 0), np.int64)
        return Encoded(numbers, codes)

    def _scale(self, numbers: np.ndarray, scale) -> np.ndarray:
        if self.numbers == "quantile":
            return np.nan_to_num(scale.transform(numbers[:, None])[:, 0], nan=0.0)
        centre, factor = scale
        scaled = np.nan_to_num((numbers - centre) * factor, nan=0.0)
        return scaled if self.clip is None else scaled / np.hypot(1, scaled / self.clip)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Name the columns of the result.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns, in place of those of the fitted table.

        Returns
        -------
        names : ndarray of str of shape (n_encoded,)
            Names of columns, with levels after them.

        Raises
        ------
        ValueError
            If they are not the names, or not as many, as those of `fit`.
        """
        check_is_fitted(self)
        known = list(self._names_)
        if input_features is not None:
            given = [str(name) for name in input_features]
            if hasattr(self, "feature_names_in_") and given != known:
                raise ValueError("input_features is not equal to feature_names_in_")
            if len(given) != len(known):
                raise ValueError("input_features should have length equal to number of features")
            known = given
        names = [known[i] for i in self._scales_]
        names += [f"{known[i]}_missing" for i in self._marked_]
        for i, values in self._values_.items():
            names += [f"{known[i]}_{value:g}" for value in values]
        for i, levels in self._levels_.items():
            shown = levels[1:] if len(levels) == 2 else levels
            names += [f"{known[i]}_{level or 'missing'}" for level in shown]
        names += [f"{known[i]}_code" for i in self._coded_]
        return np.array(names, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def check_table(X, estimator):
    """Check that X has rows and columns; give data frames back, and else an array of two axes.

    Raises
    ------
    ValueError
        If it has none, or other axes.
    """
    if not hasattr(X, "columns"):
        X = check_array(X, dtype=None, ensure_all_finite=False, estimator=estimator)
        if X.dtype.kind == "c":
            raise ValueError("Complex data not supported.")
    if hasattr(X, "collect"):
        raise TypeError("X is a lazy data frame: call its collect() first.")
    if 0 in X.shape:
        what = "sample(s)" if X.shape[0] == 0 else "feature(s)"
        raise ValueError(
            f"Found array with 0 {what} (shape={X.shape}) while a minimum of 1 is required."
        )
    return X


def read_columns(X) -> list["Column"]:
    """List the columns of a checked table; those of an array are called x0, x1, ..."""
    if not hasattr(X, "columns"):
        return [Column(f"x{i}", values) for i, values in enumerate(X.T)]
    if hasattr(X, "iloc"):  # names may repeat in pandas
        return [Column(str(name), X.iloc[:, i]) for i, name in enumerate(X.columns)]
    return [Column(name, X[name]) for name in X.columns]


def choose_categorical(chosen, columns: list["Column"]) -> list[bool]:
    """Tell which columns are categories, from the parameter ``categorical_features``.

    Raises
    ------
    ValueError
        If it does not fit the columns.
    """
    if chosen is None:
        return [False] * len(columns)
    if isinstance(chosen, str):
        return [not column.is_numeric() for column in columns]
    chosen, names = np.asarray(chosen), [column.name for column in columns]
    if chosen.dtype.kind == "b":
        if chosen.shape != (len(columns),):
            raise ValueError(
                f"categorical_features is a mask of {len(chosen)} for {len(columns)} columns."
            )
        return chosen.tolist()
    if chosen.dtype.kind in "iu" or not len(chosen):
        if len(chosen) and not -len(columns) <= chosen.min() <= chosen.max() < len(columns):
            raise ValueError(
                f"categorical_features must be positions below {len(columns)}, got {chosen}."
            )
        return np.isin(np.arange(len(columns)), chosen.astype(int) % len(columns)).tolist()
    unknown = [name for name in chosen.tolist() if name not in names]
    if unknown:
        raise ValueError(f"categorical_features names columns that X does not have: {unknown}.")
    return [name in chosen.tolist() for name in names]


@dataclass
class Column:
    """A column of a table, of whatever library."""

    name: str
    values: object

    def is_numeric(self) -> bool:
        """Tell whether the column holds numbers or booleans, or nothing at all."""
        dtype = getattr(self.values, "dtype", None)
        if hasattr(dtype, "is_numeric"):  # polars
            return dtype.is_numeric() or str(dtype) in ("Boolean", "Null")
        if hasattr(dtype, "categories"):
            return False
        if dtype != np.dtype(object):
            return getattr(dtype, "kind", "O") in "biuf"
        return all(is_missing(value) or isinstance(value, Real | np.bool_) for value in self.values)

    def as_numbers(self) -> np.ndarray:
        """Read the column as numbers, NaN where they are missing.

        Raises
        ------
        ValueError
            If that is not possible, or a number is infinite.
        """
        self._check_kind()
        values = self.values
        try:
            if hasattr(values, "isna"):
                values = values.astype(object) if hasattr(values.dtype, "categories") else values
                numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
            elif hasattr(values, "to_numpy"):
                numbers = values.cast(float).to_numpy()
            elif values.dtype == object:
                numbers = np.array([np.nan if is_missing(v) else float(v) for v in values])
            else:
                numbers = values.astype(np.float64)
        except Exception as error:  # of three libraries
            raise ValueError(
                f"Column {self.name!r} is taken as numeric, but holds other values: {error}"
            ) from error
        if np.isinf(numbers).any():
            raise ValueError(f"Input X contains infinity in column {self.name!r}.")
        return numbers

    def as_levels(self) -> tuple[np.ndarray, list[str]]:
        """Number the column's different values in the order of their first row.

        Returns
        -------
        codes : ndarray of shape (n_samples,)
            Positions in the levels.
        levels : list of str
            Different values; '' where they are missing.

        Raises
        ------
        ValueError
            If the column holds something else than numbers and strings.
        """
        self._check_kind()
        values = self.values
        if hasattr(values, "to_list"):
            values = values.to_list()
        elif hasattr(values, "tolist"):
            values = values.tolist()
        # Most values repeat: each is read once. Missing ones may differ from themselves.
        numbers: dict = {}
        raw = [numbers.setdefault(self._key(value), len(numbers)) for value in values]
        levels: dict = {}
        new = [levels.setdefault(self._as_label(*key), len(levels)) for key in numbers]
        return np.array(new)[raw], list(levels)

    def _key(self, value) -> tuple:
        """Give what equal values share: 1 and True are equal in Python."""
        if isinstance(value, str) or (isinstance(value, Real | np.bool_) and value == value):
            return type(value), value
        return (type(None), None) if is_missing(value) else self._refuse(type(value).__name__)

    def _as_label(self, kind: type, value) -> str:
        if kind is str:
            return value
        if is_missing(value):
            return ""
        if issubclass(kind, bool | np.bool_):
            return str(bool(value))
        if isinstance(value, Real):
            return str(int(value)) if float(value).is_integer() else repr(float(value))
        return self._refuse(kind.__name__)

    def _check_kind(self) -> None:
        dtype = str(getattr(self.values, "dtype", "")).lower()
        if dtype.startswith(("date", "time", "duration", "period", "list", "struct", "interval")):
            self._refuse(dtype)

    def _refuse(self, kind: str):
        raise ValueError(
            f"Column {self.name!r} holds {kind}, which is neither numbers nor categories: "
            "skrub.TableVectorizer turns dates, lists and free text into numbers."
        )


def is_missing(value) -> bool:
    """Tell whether a value is None, NaN or a library's own mark of a missing value."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA compares to itself, arrays to arrays
        return type(value).__name__ == "NAType"


def check_no_texts(name: str, levels: list[str], n_samples: int) -> None:
    """Check that levels are not free texts: of many words, and hardly ever the same.

    Raises
    ------
    ValueError
        If they are.
    """
    if n_samples < FEWEST_TEXTS or len(levels) < SHARE_OF_DIFFERENT * n_samples:
        return
    if np.mean([len(level.split()) for level in levels]) >= WORDS_OF_A_TEXT:
        raise ValueError(
            f"Column {name!r} holds free text: {len(levels)} different texts in {n_samples} rows, "
            f"such as {levels[0][:40]!r}. skrub.TableVectorizer turns it into numbers; if these "
            "are categories, name the column in categorical_features of a shorter spelling."
        )


def robust_scale(numbers: np.ndarray) -> tuple[float, float]:
    """Find the centre and the factor of numbers that are not all the same."""
    lower, centre, upper = np.quantile(numbers, [0.25, 0.5, 0.75])
    width = upper - lower if upper > lower else (numbers.max() / 2 - numbers.min() / 2)
    return float(centre), float(1 / width) if width > np.finfo(np.float64).tiny else 1.0


def positions(column: Column, levels: list[str]) -> np.ndarray:
    """Find each row's position in the levels; of others, that of '…', or -1."""
    known = {level: i for i, level in enumerate(levels)}
    codes, seen = column.as_levels()
    return np.array([known.get(level, known.get(OTHERS, -1)) for level in seen])[codes]


def indicators(position: np.ndarray, n_levels: int) -> np.ndarray:
    """Mark each row's level; of two levels, by -1 and 1 in one column."""
    if n_levels == 2:
        return np.where(position < 0, 0, 2 * position - 1)[:, None]
    return position[:, None] == np.arange(n_levels)
