"""The labels of a pandas series, and how its index continues."""

import numpy as np


class Timeline:
    """Remember the labels of a pandas series, to label what follows it.

    Parameters
    ----------
    series : Series or DataFrame
        A series with at least one row.

    Attributes
    ----------
    columns : list
        Names of the columns.
    name : object
        Name of the index.
    end : dict
        Where the index ends, in plain values that any format can save.
    step : str, offset, number or None
        What is added from one row to the next; None if nothing is known to be.
    """

    def __init__(self, series):
        self.columns, self.name = column_names(series), series.index.name
        self.step = find_step(series.index)
        self.end = {} if self.step is None else describe_end(series.index)

    def following(self, n_rows: int, known=None):
        """Make the index of the rows that follow.

        Without a known step it is that of `known`, a pandas object that begins there, or
        counts from 1.

        Raises
        ------
        ValueError
            If the index of `known` is another.
        """
        import pandas as pd

        if self.step is not None:
            index = extend(self.end, self.step, n_rows).rename(self.name)
            if known is not None:
                check_same_labels(known.index[:n_rows], index, self.step)
            return index
        if known is not None:
            return known.index[:n_rows]
        return pd.RangeIndex(1, n_rows + 1, name="steps_ahead")

    def is_followed_by(self, index) -> bool:
        """Tell whether an index is known to begin right after the series."""
        return self.step is not None and bool(are_same(index[:1], self.following(1), self.step)[0])

    def check_followed_by(self, index) -> None:
        """Check that an index does not show that it begins elsewhere than right after the series.

        Raises
        ------
        ValueError
            If it does.
        """
        if self.step is None or is_default(index) or self.is_followed_by(index):
            return
        raise ValueError(
            "follows_training=True, but the index of the series begins at "
            f"{index[0]}, not at {self.following(1)[0]}, right after the training series: give the "
            "rows between them too, or set follows_training='auto'."
        )


def are_same(index, other, step) -> np.ndarray:
    """Compare labels one by one, those of fractions but for rounding."""
    if index.dtype.kind == other.dtype.kind == "f":
        return np.isclose(index, other, rtol=0, atol=1e-6 * abs(step))
    return np.asarray(index == other)


def check_same_labels(index, expected, step) -> None:
    """Check the index of rows that are known ahead.

    Raises
    ------
    ValueError
        If it is another than the expected one; the message names the first label that is.
    """
    differing = np.flatnonzero(~are_same(index, expected, step))
    if not len(differing):
        return
    row = differing[0]
    if row == 0:
        raise ValueError(
            f"exogenous must begin at {expected[0]}, right after the series, "
            f"but its index begins at {index[0]}."
        )
    raise ValueError(
        f"exogenous must continue row by row, but its index has {index[row]} in place of "
        f"{expected[row]}: sort it, and fill the rows that are missing."
    )


def describe_end(index) -> dict:
    """Describe the last element of a pandas index in plain values."""
    import pandas as pd

    if isinstance(index, pd.PeriodIndex):
        return {"kind": "period", "value": int(index.asi8[-1])}
    if isinstance(index, pd.DatetimeIndex):
        zone = None if index.tz is None else str(index.tz)
        return {"kind": "date", "value": int(index.asi8[-1]), "unit": index.unit, "tz": zone}
    if isinstance(index, pd.TimedeltaIndex):
        return {"kind": "duration", "value": int(index.asi8[-1]), "unit": index.unit}
    return {"kind": "number", "value": index.to_numpy()[-1].item()}


def extend(end: dict, step, n_rows: int):
    """Make the index of the rows that follow what `describe_end` returned."""
    import pandas as pd

    value = end["value"]
    if end["kind"] == "period":
        start = pd.Period(ordinal=value, freq=step) + 1
        return pd.period_range(start, periods=n_rows)
    if end["kind"] == "date":
        start = pd.Timestamp(value, unit=end["unit"], tz=end["tz"])
        return pd.date_range(start, periods=n_rows + 1, freq=step)[1:].as_unit(end["unit"])
    if end["kind"] == "duration":
        start = pd.Timedelta(value, unit=end["unit"])
        return pd.timedelta_range(start, periods=n_rows + 1, freq=step)[1:].as_unit(end["unit"])
    if isinstance(step, int):
        return pd.RangeIndex(value + step, value + step * (n_rows + 1), step)
    return pd.Index(value + step * np.arange(1, n_rows + 1))


def is_pandas(X) -> bool:
    """Tell whether X is a Series or a DataFrame of pandas."""
    return hasattr(X, "iloc")


def column_names(X) -> list:
    """List the names of the columns of a pandas object."""
    return [X.name] if X.ndim == 1 else list(X.columns)


def label(values: np.ndarray, index, names: list):
    """Make a Series of one column, or a DataFrame of several."""
    import pandas as pd

    if values.ndim == 1 or values.shape[1] == 1:
        return pd.Series(values.ravel(), index=index, name=names[0])
    return pd.DataFrame(values, index=index, columns=names, copy=False)


def label_steps(values: np.ndarray, index, names: list):
    """Make a DataFrame of forecasts of shape (n_origins, n_steps, n_targets)."""
    import pandas as pd

    steps = pd.RangeIndex(1, values.shape[1] + 1, name="step")
    columns = steps
    if values.shape[2] > 1:
        columns = pd.MultiIndex.from_product([steps, names], names=["step", "target"])
    return pd.DataFrame(values.reshape(len(values), -1), index=index, columns=columns)


def check_index(X, name: str = "X") -> None:
    """Check that a pandas index shows a single series in the order of time, without gaps.

    Labels that are neither dates, periods, durations nor numbers say nothing about it.

    Raises
    ------
    ValueError
        If the index has several levels, goes back, repeats itself, or leaves rows out.
    """
    import pandas as pd

    index = X.index
    if isinstance(index, pd.MultiIndex):
        raise ValueError(
            f"{name} must be a single series, but its MultiIndex has the levels "
            f"{list(index.names)}. {FOR_PANELS} If the levels are the parts of one date, make a "
            "date of them."
        )
    if index.inferred_type == "date":  # objects of Python
        index = pd.DatetimeIndex(index)
    if not is_time(index) and (index.dtype.kind not in "iuf" or find_step(index) is not None):
        return
    kind, remedy = type(index).__name__, IN_FOLDS if name == "X" else ""
    if index.hasnans:
        raise ValueError(f"The {kind} of {name} has missing labels: fill or drop these rows.")
    if not (index.is_monotonic_increasing or index.is_unique):
        raise ValueError(
            f"The {kind} of {name} goes back and repeats itself, as if several series stood one "
            f"below the other. {FOR_PANELS}{remedy}"
        )
    if not index.is_monotonic_increasing:
        raise ValueError(
            f"The rows of {name} must be in the order of time, but its {kind} from "
            f"{index[0]} to {index[-1]} goes back: sort it, and do not shuffle.{remedy}"
        )
    if not index.is_unique:
        raise ValueError(
            f"The {kind} of {name} has {index[index.duplicated()][0]} more than once: aggregate "
            f"these rows, unless they are of several series. {FOR_PANELS}"
        )
    gaps = find_gaps(index)
    if len(gaps):
        raise ValueError(
            f"{name} must have no gaps, as windows would reach across them, but its {kind} goes "
            f"from {index[gaps[0]]} to {index[gaps[0] + 1]} (gap 1 of {len(gaps)}): fill the rows "
            "that are missing (with asfreq and interpolate, or with asfreq alone and "
            "missing='drop'), or, if each row counts as one "
            "step whatever the time between (trading days), drop the index with "
            f"reset_index(drop=True).{remedy}"
        )


FOR_PANELS = (
    "Fit a forecaster to each series (with groupby, or a column each of a frame), or one model to "
    "all: skforecast's ForecasterRecursiveMultiSeries and darts' SKLearnModel take the regressors "
    "of this package."
)

IN_FOLDS = (
    " Folds of a series are those of sklearn.model_selection.TimeSeriesSplit, which leave no gap "
    "in the training rows."
)

# Months differ by a tenth in length, and readings jitter; a row that is missing doubles per step.
LONGEST_STEP = 1.5


def find_gaps(index) -> np.ndarray:
    """Find the positions of rows after which an ascending index leaves rows out."""
    import pandas as pd

    if isinstance(index, pd.PeriodIndex):
        return np.flatnonzero(np.diff(index.asi8) != index.freq.n)
    labels = index.asi8 if is_time(index) else index.to_numpy(np.float64)
    steps = np.diff(labels)
    gaps = np.flatnonzero(steps > LONGEST_STEP * steps.min()) if len(steps) else steps
    # Some frequencies have steps of several lengths: for example, business days and hours.
    return gaps if len(gaps) and find_step(index) is None else gaps[:0]


def is_default(index) -> bool:
    """Tell whether an index is what pandas gives to rows without one."""
    import pandas as pd

    return isinstance(index, pd.RangeIndex) and (index.start, index.step) == (0, 1)


def is_time(index) -> bool:
    """Tell whether an index of pandas holds dates, periods or durations."""
    import pandas as pd

    return isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex, pd.TimedeltaIndex))


def find_step(index):
    """Find what is added from one element of an index to the next, None if there is no such."""
    import pandas as pd

    if isinstance(index, pd.RangeIndex):
        return index.step
    if is_time(index):
        return find_frequency(index)
    if index.dtype.kind not in "iuf" or len(index) < 2 or index.hasnans:
        return None
    steps = np.diff(index.to_numpy(np.int64 if index.dtype.kind in "iu" else np.float64))
    is_even = steps[0] != 0 and np.allclose(steps, steps[0], atol=0)
    return steps[0].item() if is_even else None


def find_frequency(index):
    """Find the frequency of dates, periods or durations, as text if that says all of it."""
    import pandas as pd

    freq = index.freq or (pd.infer_freq(index) if len(index) > 2 else None)
    if freq is None or isinstance(freq, str):
        return freq
    # The text of one with holidays of its own leaves them out.
    is_plain = (
        isinstance(index, pd.PeriodIndex) or pd.tseries.frequencies.to_offset(freq.freqstr) == freq
    )
    return index.freqstr if is_plain else freq
