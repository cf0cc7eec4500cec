"""Each forecast of a backtest is made from what came before it alone, and scored at its step."""

import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import make_scorer, mean_absolute_error, mean_pinball_loss, r2_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score

from sknn_basics import Forecaster, MLPRegressor
from sknn_basics.displays import BacktestDisplay
from sknn_basics.model_selection import backtest, make_forecast_scorer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def linear(window=9, **options):
    return Forecaster(LinearRegression(), window, **options)


@pytest.fixture(scope="module")
def values(sunspots):
    return sunspots.to_numpy()


# All steps from all rows of a series.


@pytest.mark.parametrize("horizon", [1, 3, 5])
@pytest.mark.parametrize("n_steps", [1, 5])
def test_predicted_steps_are_the_forecasts_from_each_row(values, horizon, n_steps):
    forecaster = linear(horizon=horizon).fit(values[:200])

    predicted = forecaster.predict_steps(values[200:260], n_steps)

    expected = [
        forecaster.forecast(n_steps, history=values[200:end]) for end in range(209, 261 - n_steps)
    ]
    np.testing.assert_allclose(predicted, expected)


def test_predicted_steps_default_to_the_horizon_and_keep_labels(sunspots):
    forecaster = linear(horizon=3).fit(sunspots[:200])

    predicted = forecaster.predict_steps(sunspots[200:])

    assert predicted.columns.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(predicted.index, sunspots.index[200:-2])
    np.testing.assert_allclose(predicted.iloc[0], forecaster.forecast(3))


def test_predicted_steps_of_several_targets_have_a_column_each(frame):
    forecaster = linear(3).fit(frame)

    predicted = forecaster.predict_steps(frame, 2)

    assert predicted.columns.names == ["step", "target"]
    np.testing.assert_allclose(
        predicted[2].iloc[-1], forecaster.forecast(2, history=frame[:-2]).iloc[1]
    )


@pytest.mark.parametrize("horizon", [1, 2, 4])
def test_predicted_steps_know_exogenous_columns_ahead(waves, horizon):
    forecaster = linear(3, horizon=horizon, exogenous=2).fit(waves)

    predicted = forecaster.predict_steps(waves, 3)

    n_rows = -(-3 // horizon) * horizon
    assert len(predicted) == len(waves) - 3 - n_rows + 1
    for i in (0, len(predicted) - 1):
        expected = forecaster.forecast(
            3, history=waves[: i + 3], exogenous=waves[i + 3 : i + 3 + n_rows, 2]
        )
        np.testing.assert_allclose(predicted[i], expected)


def test_predicted_steps_of_many_origins_do_not_depend_on_their_number(values, monkeypatch):
    forecaster = linear().fit(values)
    expected = forecaster.predict_steps(values, 4)

    monkeypatch.setattr("sknn_basics.estimators.forecasting.ORIGINS_AT_ONCE", 7)

    np.testing.assert_allclose(forecaster.predict_steps(values, 4), expected)


def test_steps_beyond_what_is_known_raise(frame):
    forecaster = linear(3, target="wind").fit(frame)

    with pytest.raises(ValueError, match="neither predicted nor known"):
        forecaster.predict_steps(frame, 2)
    with pytest.raises(ValueError, match="at least 12 rows"):
        linear(3, horizon=1).fit(frame[:9]).predict_steps(frame[:9], 9)


# Origins of a backtest.


def forecast_by_hand(forecaster, series, ends, n_steps, n_train=None):
    starts = [0 if n_train is None else end - n_train for end in ends]
    return np.array(
        [
            forecaster.fit(series[start:end]).forecast(n_steps)
            for start, end in zip(starts, ends, strict=True)
        ]
    )


@pytest.mark.parametrize("max_train_size", [None, 50])
def test_each_origin_has_a_model_of_the_rows_before_it(values, max_train_size):
    result = backtest(
        linear(),
        values,
        n_steps=4,
        min_train_size=100,
        stride=40,
        max_train_size=max_train_size,
    )

    ends = np.arange(100, 306, 40)
    expected = forecast_by_hand(linear(), values, ends, 4, max_train_size)
    np.testing.assert_array_equal(result.origins, ends - 1)
    np.testing.assert_allclose(result.predicted[:, :, 0], expected)
    np.testing.assert_array_equal(result.true[:, :, 0], [values[end : end + 4] for end in ends])
    np.testing.assert_array_equal(result.n_train, [max_train_size or end for end in ends])


def test_without_refits_the_first_model_goes_on_from_newer_rows(values):
    result = backtest(linear(), values, n_steps=4, min_train_size=100, stride=50, refit=False)

    model = linear().fit(values[:100])
    expected = [model.forecast(4, history=values[:end]) for end in (100, 150, 200, 250, 300)]
    np.testing.assert_allclose(result.predicted[:, :, 0], expected)
    assert set(result.n_train) == {100}


def test_a_model_is_fitted_anew_after_so_many_origins(values):
    result = backtest(linear(), values, n_steps=2, min_train_size=300, stride=2, refit=2)

    np.testing.assert_array_equal(result.n_train, [300, 300, 304, 304])
    model = linear().fit(values[:304])
    np.testing.assert_allclose(result.predicted[3, :, 0], model.forecast(2, history=values[:306]))


def test_rows_of_a_gap_are_forecast_and_not_scored(values):
    result = backtest(linear(), values, n_steps=3, gap=2, min_train_size=300)

    expected = forecast_by_hand(linear(), values, [300, 301, 302, 303, 304], 5)
    np.testing.assert_array_equal(result.steps, [3, 4, 5])
    np.testing.assert_allclose(result.predicted[:, :, 0], expected[:, 2:])
    np.testing.assert_array_equal(result.true[0, :, 0], values[302:305])


def test_half_of_the_series_and_one_horizon_are_the_defaults(values):
    result = backtest(linear(horizon=2), values)

    assert result.origins[0] == len(values) // 2 - 1
    assert result.true.shape == (len(values) - len(values) // 2 - 1, 2, 1)


def test_exogenous_columns_are_known_in_a_backtest(waves):
    result = backtest(linear(3, exogenous=2), waves, n_steps=4, min_train_size=100, stride=16)

    for i, end in enumerate((100, 116)):
        expected = (
            linear(3, exogenous=2).fit(waves[:end]).forecast(4, exogenous=waves[end : end + 4, 2])
        )
        np.testing.assert_allclose(result.predicted[i], expected)


def test_what_is_fitted_with_has_the_rows_of_each_fit(values):
    weight = np.linspace(0.1, 1, len(values))

    result = backtest(
        linear(), values, min_train_size=300, fit_params={"sample_weight": weight}, refit=False
    )

    expected = linear().fit(values[:300], sample_weight=weight[:300]).forecast()
    np.testing.assert_allclose(result.predicted[0, 0], expected)


def test_a_search_chooses_anew_in_each_fit(sunspots):
    search = GridSearchCV(linear(), {"window": [2, 9]}, cv=TimeSeriesSplit(3))

    result = backtest(search, sunspots, n_steps=3, min_train_size=250, stride=40)

    expected = search.fit(sunspots[:250]).best_estimator_.forecast(3)
    np.testing.assert_allclose(result.predicted[0, :, 0], expected)


def test_networks_of_a_stacked_backtest_are_those_alone(values):
    network = MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0)
    options = {"n_steps": 2, "min_train_size": 250, "stride": 20}

    alone = backtest(Forecaster(network, 9), values, **options)
    with joblib.parallel_config(backend="stacked"):
        stacked = backtest(Forecaster(network, 9), values, **options)

    np.testing.assert_allclose(stacked.predicted, alone.predicted, rtol=1e-6)


@pytest.mark.parametrize(
    "convert",
    [
        *(list, tuple, pd.Series, torch.tensor),
        lambda v: v[:, None],
        lambda v: pl.Series("s", v),
        lambda v: pl.DataFrame({"s": v}),
    ],
)
def test_other_containers_of_a_series_have_the_same_forecasts(values, convert):
    expected = backtest(linear(), values, refit=False).predicted

    np.testing.assert_array_equal(
        backtest(linear(), convert(values), refit=False).predicted, expected
    )


# Scores.


@pytest.fixture(scope="module")
def result(sunspots):
    return backtest(linear(), sunspots, n_steps=3, min_train_size=200, refit=30)


def test_steps_and_origins_have_scores_of_their_own(result):
    by_step = [
        mean_absolute_error(result.true[:, s, 0], result.predicted[:, s, 0]) for s in range(3)
    ]

    np.testing.assert_allclose(result.score(mean_absolute_error, by="step"), by_step)
    np.testing.assert_allclose(result.score(by="step"), np.negative(by_step))
    assert result.score() == pytest.approx(-np.mean(by_step))
    by_origin = result.score(mean_absolute_error, by="origin")
    assert by_origin.shape == result.origins.shape
    assert by_origin.mean() == pytest.approx(np.mean(by_step))


def test_any_scorer_or_metric_scores_all_steps(result):
    true, predicted = result.true.ravel(), result.predicted.ravel()

    assert result.score("r2") == pytest.approx(r2_score(true, predicted))
    pinball = make_scorer(mean_pinball_loss, greater_is_better=False, alpha=0.9)
    assert result.score(pinball) == pytest.approx(-mean_pinball_loss(true, predicted, alpha=0.9))


def test_several_targets_are_several_outputs_of_a_metric(frame):
    result = backtest(linear(2), frame, n_steps=2, refit=False)

    errors = result.score(lambda true, predicted: np.abs(true - predicted).mean(axis=0)[1])
    assert errors == pytest.approx(np.abs(result.true - result.predicted)[:, :, 1].mean())


def test_the_frame_tells_where_a_forecast_was_made_and_for_when(result, sunspots):
    table = result.to_frame()

    assert table.columns.tolist() == ["origin", "row", "step", "target", "true", "predicted"]
    assert (table["row"] - table["origin"] == table["step"]).all()
    assert table["target"].unique().tolist() == [sunspots.name]
    np.testing.assert_array_equal(table["true"], sunspots.loc[table["row"]])


def test_arrays_are_told_by_position(values):
    table = backtest(linear(), values, min_train_size=300).to_frame()

    assert table["origin"].tolist() == list(range(299, 308))
    assert table["target"].tolist() == [0] * 9


def test_a_result_is_pickled(result):
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(result)).predicted, result.predicted)


# Scorers for searches.


@pytest.mark.parametrize("horizon", [1, 2, 6])
def test_a_scorer_sees_all_steps_of_all_origins(sunspots, horizon):
    forecaster = linear(horizon=horizon).fit(sunspots[:200])
    test = sunspots[200:]

    score = make_forecast_scorer(n_steps=6)(forecaster, test)

    true = np.lib.stride_tricks.sliding_window_view(test, 6)
    expected = -mean_absolute_error(true, forecaster.predict_steps(test, 6))
    assert score == pytest.approx(expected)


def test_horizons_and_windows_are_compared_on_the_same_rows(sunspots):
    seen = []

    def count(true, predicted):
        seen.append(len(true))
        return 0.0

    grid = {"horizon": [1, 3, 8], "window": [2, 20]}
    scorer = make_forecast_scorer(make_scorer(count), n_steps=8)
    GridSearchCV(linear(), grid, cv=TimeSeriesSplit(3, test_size=30), scoring=scorer).fit(sunspots)

    assert seen == [23 * 8] * 18


def test_a_scorer_takes_the_series_as_y_and_survives_pickling(sunspots):
    scorer = pickle.loads(pickle.dumps(make_forecast_scorer("r2", n_steps=2)))

    scores = cross_val_score(linear(), sunspots, sunspots, scoring=scorer, cv=TimeSeriesSplit(3))

    np.testing.assert_array_equal(
        scores, cross_val_score(linear(), sunspots, scoring=scorer, cv=TimeSeriesSplit(3))
    )
    assert (scores > 0).all()


# What cannot be.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_train_size": 305, "n_steps": 5}, "at least 310 rows.*n_samples=309"),
        ({"gap": 200}, "gap=200"),
        ({"stride": 0}, "stride == 0"),
        ({"n_steps": 0}, "n_steps == 0"),
        ({"refit": -1}, "refit == -1"),
        ({"max_train_size": 5}, "window=9 and horizon=1"),
    ],
)
def test_impossible_backtests_are_named(values, options, message):
    with pytest.raises(ValueError, match=message):
        backtest(linear(), values, **options)


@pytest.mark.parametrize("model", [Ridge(), TransformedTargetRegressor(Ridge())])
def test_what_does_not_forecast_is_named(values, model):
    with pytest.raises(TypeError, match="Forecaster is needed"):
        backtest(model, values)
    with pytest.raises(TypeError, match="Forecaster is needed"):
        make_forecast_scorer()(model, values)


def test_scores_say_what_they_take(result):
    with pytest.raises(ValueError, match="by must be"):
        result.score(by="month")
    with pytest.raises(TypeError, match="scoring"):
        result.score(3)
    with pytest.raises(TypeError, match="make_scorer"):
        make_forecast_scorer(mean_absolute_error)


# Pictures.


def test_the_display_draws_the_series_forecasts_that_do_not_overlap_and_scores(result, sunspots):
    display = BacktestDisplay.from_backtest(result)

    series, *forecasts = display.lines_
    np.testing.assert_array_equal(series.get_ydata(), sunspots[200:])
    np.testing.assert_array_equal(series.get_xdata(), sunspots.index[200:])
    np.testing.assert_array_equal(
        np.concatenate([line.get_ydata() for line in forecasts]), result.predicted[::3].ravel()
    )
    np.testing.assert_allclose(display.scores_.get_ydata(), result.score(by="step"))
    assert display.scores_.get_xdata().tolist() == [1, 2, 3]


def test_the_display_draws_periods_and_one_of_several_targets(frame):
    frame = frame.set_axis(pd.period_range("2020-01", periods=len(frame), freq="M"))
    result = backtest(linear(2), frame, n_steps=2, refit=False)

    display = BacktestDisplay.from_backtest(result, target=1, scoring=mean_absolute_error)

    series = display.lines_[0]
    np.testing.assert_array_equal(series.get_ydata(), frame["wind"][60:])
    assert display.axes_[0].get_ylabel() == "wind"
    assert display.axes_[1].get_ylabel() == "Mean absolute error"
