"""One step ahead, next to linear autoregression: ``python -m benchmarks.forecasting [NAME ...]``.

``settings`` chooses how the upsloping sines are learnt, on the last part of the training series.
``upsloping`` tests that choice on later samples; ``sunspots`` forecasts six times thirty years,
each from the years before, which alone choose the network. Each prints one line a fit, then a
Markdown table.
"""

import sys
import time
import warnings

import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sknn_basics import Forecaster, RNNRegressor
from sknn_basics.datasets import load_sunspots, make_sum_of_sines

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


NAMES = {"settings": try_settings, "upsloping": test_upsloping, "sunspots": forecast_sunspots}


def main(names: list[str]) -> None:
    warnings.simplefilter("ignore")  # that the number of epochs is a setting is meant
    for name in names or NAMES:
        NAMES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
