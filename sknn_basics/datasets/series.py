"""Series to forecast: sums of sines, and the sunspots of three centuries."""

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike

from sknn_basics._compat import Interval, StrOptions, validate_params
from sknn_basics._optional import import_optional

CALM = ((1.0, 2.0), (1.0, 2.0))
BUSY = ((1.1, 1.7, 3.1, 7.0), (1.0, 2.0, 2.0, 3.0))
# Frequencies and amplitudes of each kind.
WAVES = {"calm": CALM, "busy": BUSY, "upsloping": BUSY}

FIRST_YEAR, LAST_YEAR = 1700, 2008


@validate_params(
    {
        "n_samples": [Interval(Integral, 0, None, closed="left")],
        "kind": [StrOptions(set(WAVES))],
        "frequencies": ["array-like", None],
        "amplitudes": ["array-like", None],
        "phase": ["array-like", Real],
        "d_theta": [Interval(Real, None, None, closed="neither")],
        "skip": [Integral],
    },
    prefer_skip_nested_validation=True,
)
def make_sum_of_sines(
    n_samples: int = 200,
    *,
    kind: str = "calm",
    frequencies: ArrayLike | None = None,
    amplitudes: ArrayLike | None = None,
    phase: float | ArrayLike = 0.0,
    d_theta: float = 0.057,
    skip: int = 0,
) -> np.ndarray:
    """Make a series that is a sum of sine waves (forecasting).

    The value of step t is ``sum(amplitudes * sin(frequencies * (phase + angle)))`` with
    ``angle = d_theta * (t + skip)``. It has no noise.

    Parameters
    ----------
    n_samples : int, default=200
        Number of steps.

    kind : {'calm', 'busy', 'upsloping'}, default='calm'
        'calm' is two waves of frequencies 1 and 2 and amplitudes 1 and 2. 'busy' is four
        waves of frequencies 1.1, 1.7, 3.1 and 7 and amplitudes 1, 2, 2 and 3. 'upsloping' is
        busy, with every value negated that is smaller than the one before it, as that was before
        it was negated itself; so the series jumps wherever the waves turn.

    frequencies : array-like of shape (n_waves,), default=None
        Frequencies of the waves, in place of those of `kind`. 'upsloping' still negates.

    amplitudes : array-like of shape (n_waves,), default=None
        Amplitudes of the waves. None takes those of `kind`, or ones if `frequencies` are given.

    phase : float or array-like of shape (n_waves,), default=0.0
        What is added to the angle, in radians; one value, or one a wave.

    d_theta : float, default=0.057
        Angle from one step to the next, in radians.

    skip : int, default=0
        Number of steps before the first one, such that ``make_sum_of_sines(n, skip=k)`` continues
        where ``make_sum_of_sines(k)`` ends.

    Returns
    -------
    series : ndarray of shape (n_samples,), dtype float64
        The values, in the order of time.

    Raises
    ------
    ValueError
        If `frequencies`, `amplitudes` and `phase` do not have one value a wave.

    References
    ----------
    A. Glassner. "Deep Learning: A Visual Approach." No Starch Press, 2021.

    Examples
    --------
    >>> from sknn_basics.datasets import make_sum_of_sines
    >>> make_sum_of_sines(5).round(3)
    array([0.   , 0.284, 0.566, 0.841, 1.107])
    >>> train, test = make_sum_of_sines(kind="busy"), make_sum_of_sines(kind="busy", skip=400)
    """
    waves = _read_waves(kind, frequencies, amplitudes, phase)
    # The step before the first tells whether the first is negated.
    angles = d_theta * (np.arange(-1, n_samples) + skip)
    values = _sum_waves(angles, *waves)
    if kind == "upsloping":
        return np.where(values[1:] < values[:-1], -values[1:], values[1:])
    return values[1:]


def _read_waves(kind, frequencies, amplitudes, phase):
    """Complete frequencies, amplitudes and phases, one a wave."""
    usual_frequencies, usual_amplitudes = WAVES[kind]
    if amplitudes is None:
        amplitudes = usual_amplitudes if frequencies is None else np.ones(np.shape(frequencies))
    frequencies = usual_frequencies if frequencies is None else frequencies
    frequencies, amplitudes, phase = (
        np.asarray(v, np.float64) for v in (frequencies, amplitudes, phase)
    )
    same = frequencies.ndim == 1 and amplitudes.shape == frequencies.shape
    if not same or phase.shape not in ((), frequencies.shape):
        raise ValueError(
            "frequencies, amplitudes and phase must have one value a wave, got shapes "
            f"{frequencies.shape}, {amplitudes.shape} and {phase.shape}."
        )
    return frequencies, amplitudes, phase


def _sum_waves(angles, frequencies, amplitudes, phase):
    """Add up the waves one by one, with no array of all waves at all angles."""
    values = np.zeros(len(angles))
    phases = np.broadcast_to(phase, frequencies.shape)
    for frequency, amplitude, shift in zip(frequencies, amplitudes, phases, strict=True):
        values += amplitude * np.sin(frequency * (shift + angles))
    return values


@validate_params({"as_frame": ["boolean"]}, prefer_skip_nested_validation=True)
def load_sunspots(*, as_frame: bool = False):
    """Load the yearly number of sunspots (forecasting).

    The series comes with statsmodels; nothing is downloaded.

    ==============  ==================
    Years           1700-2008
    Samples total   309
    Dimensionality  1
    Values          real, 0.0 to 190.2
    ==============  ==================

    Parameters
    ----------
    as_frame : bool, default=False
        Whether to return a pandas Series with the years as its index.

    Returns
    -------
    series : ndarray or Series of shape (309,), dtype float64
        Mean number of sunspots of each year.

    Raises
    ------
    ImportError
        If statsmodels is not installed; the extra ``forecasting`` brings it.

    References
    ----------
    Royal Observatory of Belgium, World Data Center SILSO. "The International Sunspot Number."
    https://www.sidc.be/SILSO/

    Examples
    --------
    >>> from sknn_basics.datasets import load_sunspots
    >>> load_sunspots(as_frame=True).tail(3)
    year
    2006    15.2
    2007     7.5
    2008     2.9
    Name: sunspots, dtype: float64
    """
    sunspots = import_optional("statsmodels.datasets.sunspots", "forecasting", "load_sunspots")
    values = sunspots.load_pandas().data["SUNACTIVITY"].to_numpy(copy=True)
    if not as_frame:
        return values
    import pandas as pd

    years = pd.RangeIndex(FIRST_YEAR, LAST_YEAR + 1, name="year")
    return pd.Series(values, index=years, name="sunspots")
