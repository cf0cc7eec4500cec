"""Made series follow their formula, and loaded ones are those that were published."""

import math
import sys

import numpy as np
import pytest

from sknn_basics.datasets import load_sunspots, make_sum_of_sines

CALM = [(1, 1), (2, 2)]
BUSY = [(1.1, 1), (1.7, 2), (3.1, 2), (7, 3)]


def sum_by_hand(step, waves, phase=0.0, d_theta=0.057):
    return sum(amp * math.sin(freq * (phase + d_theta * step)) for freq, amp in waves)


@pytest.mark.parametrize(("kind", "waves"), [("calm", CALM), ("busy", BUSY)])
@pytest.mark.parametrize("skip", [0, 400])
def test_sines_are_summed_as_by_hand(kind, waves, skip):
    expected = [sum_by_hand(step + skip, waves) for step in range(200)]

    np.testing.assert_allclose(make_sum_of_sines(kind=kind, skip=skip), expected, atol=1e-12)


def test_upsloping_negates_what_is_smaller_than_its_unflipped_predecessor():
    busy = [sum_by_hand(step, BUSY) for step in range(-1, 200)]
    expected = [-busy[i] if busy[i] < busy[i - 1] else busy[i] for i in range(1, 201)]

    np.testing.assert_allclose(make_sum_of_sines(kind="upsloping"), expected, atol=1e-12)


@pytest.mark.parametrize("kind", ["calm", "busy", "upsloping"])
def test_skip_goes_on_with_the_series(kind):
    whole = make_sum_of_sines(300, kind=kind)

    np.testing.assert_array_equal(make_sum_of_sines(100, kind=kind, skip=200), whole[200:])


def test_own_waves_replace_those_of_the_kind():
    waves = [(0.5, 1), (3, 4), (9, 0.25)]
    expected = [sum_by_hand(step, waves, phase=0.3, d_theta=0.1) for step in range(20)]

    series = make_sum_of_sines(
        20, frequencies=[0.5, 3, 9], amplitudes=[1, 4, 0.25], phase=0.3, d_theta=0.1
    )

    np.testing.assert_allclose(series, expected, atol=1e-12)


def test_own_frequencies_have_unit_amplitudes():
    expected = [sum_by_hand(step, [(3, 1)]) for step in range(20)]

    np.testing.assert_allclose(make_sum_of_sines(20, frequencies=[3]), expected, atol=1e-12)


def test_each_wave_may_have_its_own_phase():
    expected = [
        sum_by_hand(step, CALM[:1], phase=0.1) + sum_by_hand(step, CALM[1:], phase=0.2)
        for step in range(200)
    ]

    np.testing.assert_allclose(make_sum_of_sines(phase=[0.1, 0.2]), expected, atol=1e-12)


@pytest.mark.parametrize(
    "waves", [{"amplitudes": [1]}, {"frequencies": 3}, {"phase": [1, 2, 3]}, {"frequencies": [[1]]}]
)
def test_waves_of_different_numbers_raise(waves):
    with pytest.raises(ValueError, match=r"one value a wave|'frequencies' parameter"):
        make_sum_of_sines(**waves)


def test_unknown_kind_of_sines_raises():
    with pytest.raises(ValueError, match="'kind' parameter .* Got 'wild'"):
        make_sum_of_sines(kind="wild")


def test_sunspots_are_those_of_statsmodels():
    pytest.importorskip("statsmodels")
    from statsmodels.datasets import sunspots

    published = sunspots.load_pandas().data

    series = load_sunspots(as_frame=True)

    np.testing.assert_array_equal(series.index, published["YEAR"])
    np.testing.assert_array_equal(series, published["SUNACTIVITY"])
    np.testing.assert_array_equal(load_sunspots(), series)


def test_missing_statsmodels_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "statsmodels.datasets.sunspots", None)

    with pytest.raises(ImportError, match=r"sknn_basics\[forecasting\]"):
        load_sunspots()
