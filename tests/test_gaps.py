"""Missing values leave out windows, or go to a regressor that takes them."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn_basics import Forecaster, MLPRegressor, RNNRegressor
from sknn_basics.model_selection import backtest, make_forecast_scorer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

HOLES = [20, 21, 22, 80, 150]


@pytest.fixture
def holed(sunspots):
    """Sunspots of 200 years, some of which are missing."""
    series = sunspots[:200].copy()
    series.iloc[HOLES] = np.nan
    return series


def windows_of(series, window, horizon=1):
    """Cut complete windows with their targets by hand."""
    rows = np.lib.stride_tricks.sliding_window_view(series, window + horizon)
    rows = rows[~np.isnan(rows).any(axis=1)]
    return rows[:, :window], rows[:, window:]


def dropping(estimator=None, window=9, **options):
    return Forecaster(estimator or LinearRegression(), window, missing="drop", **options)


@pytest.mark.parametrize("horizon", [1, 3])
def test_complete_windows_are_trained_on(holed, horizon):
    X, y = windows_of(holed.to_numpy(), 9, horizon)
    model = LinearRegression().fit(X, y)

    forecaster = dropping(horizon=horizon).fit(holed)

    np.testing.assert_allclose(
        forecaster.predict_steps(holed).iloc[-1], model.predict([holed[-9 - horizon : -horizon]])[0]
    )


def test_the_weekly_series_of_carbon_dioxide_has_1761_complete_windows():
    co2 = pytest.importorskip("statsmodels.datasets.co2").load_pandas().data["co2"]

    mean = dropping(DummyRegressor(), 52, scaler=None).fit(co2)

    X, y = windows_of(co2.to_numpy(), 52)
    assert (len(X), len(co2) - 52) == (1761, 2232)
    assert mean.forecast().item() == pytest.approx(y.mean())


def test_what_cannot_be_predicted_is_missing_and_not_scored(holed):
    forecaster = dropping().fit(holed)

    predicted = forecaster.predict(holed)

    lags = np.lib.stride_tricks.sliding_window_view(holed, 9)[:-1]
    np.testing.assert_array_equal(predicted.isna()[9:], np.isnan(lags).any(axis=1))
    known = ~(predicted.isna() | holed.isna())
    assert forecaster.score(holed) == pytest.approx(r2_score(holed[known], predicted[known]))


def test_weights_are_those_of_the_rows_of_complete_windows(holed):
    weight = np.linspace(0, 1, 200)
    rows = np.lib.stride_tricks.sliding_window_view(holed, 10)
    known = ~np.isnan(rows).any(axis=1)
    model = LinearRegression().fit(rows[known, :9], rows[known, 9], weight[9:][known])

    forecaster = dropping().fit(holed, sample_weight=weight)

    np.testing.assert_allclose(forecaster.predict(holed).iloc[-1], model.predict([rows[-1, :9]])[0])


@pytest.mark.parametrize("lags", [1, (1, 3)])
def test_differences_leave_out_the_windows_that_reach_a_gap(holed, lags):
    n_before = int(np.sum(lags))
    values = holed.to_numpy()
    taken = pd.Series(values)
    for lag in np.ravel(lags):
        taken = taken.diff(lag)

    mean = dropping(DummyRegressor(), 5, differences=lags, scaler=None).fit(holed)

    _, y = windows_of(taken.to_numpy()[n_before:], 5)
    assert mean.estimator_.constant_.item() == pytest.approx(y.mean())


@pytest.mark.parametrize("kind", ["mean", "last", "standard"])
def test_scaled_windows_may_have_gaps(holed, kind):
    dropped = dropping(window_scaling=kind).fit(holed)
    passed = Forecaster(HistGradientBoostingRegressor(max_iter=3), 9, window_scaling=kind).fit(
        holed
    )

    assert np.isfinite(dropped.forecast(5)).all()
    assert passed.predict(holed)[9:].notna().all()


def test_networks_learn_from_complete_windows_and_stop_early(holed):
    for network in (
        MLPRegressor(hidden_layer_sizes=(3,), max_iter=3, early_stopping=True),
        RNNRegressor(hidden_layer_sizes=(3,), max_iter=3, early_stopping=True),
    ):
        assert np.isfinite(dropping(network).fit(holed).forecast(3)).all()


def test_held_out_windows_share_no_row_across_a_gap(holed):
    seen = {}

    class Spy(MLPRegressor):
        def fit(self, X, y, X_val=None, y_val=None):
            seen.update(train=X, held_out=X_val)
            return self

    numbered = pd.Series(np.arange(200.0)).where(holed.reset_index(drop=True).notna())
    network = Spy(early_stopping=True, validation_fraction=0.2)
    dropping(network, scaler=None).fit(numbered)

    # The last row that a training window has as its target is before all held-out rows.
    assert seen["train"].max() + 1 < seen["held_out"].min()


# Regressors that take missing values.


def test_regressors_that_take_missing_values_get_them(holed):
    lags = np.lib.stride_tricks.sliding_window_view(holed, 9)[:-1]
    known = holed[9:].notna().to_numpy()
    boosting = HistGradientBoostingRegressor(max_iter=5)
    model = clone(boosting).fit(lags[known], holed[9:][known])

    predicted = Forecaster(boosting, 9, scaler=None).fit(holed).predict(holed)

    np.testing.assert_allclose(predicted[9:], model.predict(lags))


@pytest.mark.parametrize(
    "imputed",
    [
        make_pipeline(SimpleImputer(), Ridge()),
        make_pipeline("passthrough", StandardScaler(), SimpleImputer(), Ridge()),
        TransformedTargetRegressor(make_pipeline(SimpleImputer(), Ridge())),
        GridSearchCV(make_pipeline(SimpleImputer(), Ridge()), {"ridge__alpha": [1.0]}, cv=2),
    ],
)
def test_an_imputer_fills_windows(holed, imputed):
    lags = np.lib.stride_tricks.sliding_window_view(holed, 9)[:-1]
    known = holed[9:].notna().to_numpy()
    model = clone(imputed).fit(lags[known], holed[9:][known])

    forecaster = Forecaster(imputed, 9, scaler=None).fit(holed)

    np.testing.assert_allclose(forecaster.predict(holed)[9:], model.predict(lags))


@pytest.mark.parametrize(
    "steps", [(StandardScaler(), Ridge()), (Ridge(),), (PCA(), SimpleImputer(), Ridge())]
)
def test_a_pipeline_without_an_imputer_first_does_not(holed, steps):
    with pytest.raises(ValueError, match="missing='drop'"):
        Forecaster(make_pipeline(*steps), 9).fit(holed)


def test_dropping_is_for_regressors_that_take_missing_values_too(holed):
    boosting = HistGradientBoostingRegressor(max_iter=5)

    predicted = dropping(boosting).fit(holed).predict(holed)

    assert predicted.isna().sum() > 9


def test_a_window_of_nothing_predicts_nothing(holed):
    holed = holed.copy()
    holed.iloc[40:60] = np.nan
    forecaster = Forecaster(HistGradientBoostingRegressor(max_iter=5), 9).fit(holed)

    predicted = forecaster.predict(holed).iloc[9:]

    assert predicted.isna().sum() == 12  # rows 49 to 60


# Forecasts and their scores.


def test_a_history_may_have_gaps_before_its_last_rows(holed):
    forecaster = dropping().fit(holed)

    np.testing.assert_allclose(
        forecaster.forecast(3, history=holed), forecaster.forecast(3, history=holed[-9:])
    )


def test_forecasts_from_a_gap_raise(holed):
    forecaster = dropping().fit(holed)
    with pytest.raises(ValueError, match="The last 9 rows.*have missing"):
        forecaster.forecast(3, history=holed[:152])
    with pytest.raises(ValueError, match="The last 9 rows.*have missing"):
        dropping().fit(holed[:152]).forecast()

    boosting = Forecaster(HistGradientBoostingRegressor(max_iter=5), 9).fit(holed)
    assert boosting.forecast(3, history=holed[:152]).notna().all()


def test_backtests_and_scorers_leave_out_what_is_missing(holed):
    result = backtest(dropping(), holed, n_steps=2, min_train_size=120, refit=False)

    known = ~np.isnan(result.true + result.predicted)
    expected = mean_absolute_error(result.true[known], result.predicted[known])
    assert 0 < (~known).sum() < known.sum()
    assert result.score(mean_absolute_error) == pytest.approx(expected)
    forecaster = dropping(follows_training=True).fit(holed[:120])
    assert make_forecast_scorer(n_steps=2)(forecaster, holed[120:]) == pytest.approx(-expected)


def test_an_origin_without_values_has_no_score(holed):
    holed = holed.copy()
    holed.iloc[160:165] = np.nan

    scores = backtest(dropping(), holed, n_steps=2, min_train_size=160, refit=False).score(
        by="origin"
    )

    assert np.isnan(scores[0])
    assert np.isfinite(scores[-1])


def test_validation_series_may_have_gaps(holed):
    network = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2)

    forecaster = dropping(network).fit(holed[:120], X_val=holed[120:])

    assert np.isfinite(forecaster.estimator_.validation_scores_).all()


# What is told.


def test_regressors_without_missing_values_name_the_remedies(holed):
    with pytest.raises(
        ValueError, match="NaN in 5 of 200 rows, the first is row 20.*missing='drop'"
    ):
        Forecaster(Ridge(), 9).fit(holed)


def test_infinite_values_are_never_left_out(holed):
    with pytest.raises(ValueError, match="infinity"):
        dropping().fit(holed.replace(holed.iloc[5], np.inf))


@pytest.mark.parametrize("options", [{}, {"differences": 1}, {"window_scaling": "last"}])
def test_a_series_without_a_complete_window_raises(options):
    series = np.where(np.arange(60) % 5, 1.0, np.nan)
    with pytest.raises(ValueError, match="windows with their targets is complete"):
        dropping(**options).fit(series)


def test_a_refused_series_leaves_the_model(holed):
    forecaster = dropping().fit(holed)
    before = forecaster.forecast(3)

    with pytest.raises(ValueError, match="complete"):
        forecaster.fit(np.full(50, np.nan))

    np.testing.assert_array_equal(forecaster.forecast(3), before)


def test_the_series_with_its_gaps_may_be_y(holed):
    np.testing.assert_array_equal(
        dropping().fit(holed, holed).forecast(3), dropping().fit(holed).forecast(3)
    )


def test_a_saved_forecaster_goes_on_the_same(holed):
    forecaster = dropping(differences=(1, 11), window_scaling="mean").fit(holed)

    loaded = pickle.loads(pickle.dumps(forecaster))

    np.testing.assert_array_equal(loaded.forecast(12), forecaster.forecast(12))
