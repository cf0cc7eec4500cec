"""The labels of a pandas series, and how its index goes on."""

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
            If `known` begins elsewhere.
        """
        import pandas as pd

        if self.step is not None:
            index = extend(self.end, self.step, n_rows).rename(self.name)
            if known is not None and known.index[0] != index[0]:
                raise ValueError(
                    f"exogenous must begin at {index[0]}, right after the series, "
                    f"but its index begins at {known.index[0]}."
                )
            return index
        if known is not None:
            return known.index[:n_rows]
        return pd.RangeIndex(1, n_rows + 1, name="steps_ahead")

    def is_followed_by(self, index) -> bool:
        """Tell whether an index is known to begin right after the series."""
        return self.step is not None and bool(self.following(1)[0] == index[0])


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


def check_time_order(X) -> None:
    """Check that the index of a pandas series does not go back in time.

    Raises
    ------
    ValueError
        If dates, periods or durations are not in ascending order.
    """
    if not is_pandas(X) or not is_time(X.index) or X.index.is_monotonic_increasing:
        return
    raise ValueError(
        f"The rows of a series must be in the order of time, but its {type(X.index).__name__} from "
        f"{X.index[0]} to {X.index[-1]} goes back: sort it, and do not shuffle."
    )


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
