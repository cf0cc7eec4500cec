"""Quantiles and normal predictions beside scikit-learn's: ``python -m benchmarks.quantiles``.

Pinball loss and coverage of the quantiles 0.05, 0.5 and 0.95 on two real sets, against
`HistGradientBoostingRegressor(loss="quantile")`, and the negative log-likelihood of
``loss="gaussian"`` against `GaussianProcessRegressor`; means over five folds. Prints a table.
"""

import warnings

import numpy as np
from scipy.stats import norm
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

LEVELS = [0.05, 0.5, 0.95]
CALM = {
    "hidden_layer_sizes": (10,),
    "alpha": 3.0,
    "learning_rate_init": 0.01,
    "learning_rate": "cosine",
    "max_iter": 100,
    "random_state": 0,
}


def rows_of_sunspots(n_lags: int = 11) -> tuple[np.ndarray, np.ndarray]:
    """Make rows of the numbers of the last years, and that of the year that follows."""
    from sknn_basics.datasets import load_sunspots

    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(load_sunspots()), n_lags + 1)
    return windows[:, :-1], windows[:, -1]


def our_quantiles(X, y, X_test) -> np.ndarray:
    from sknn_basics import MLPRegressor

    return MLPRegressor(loss="quantile", quantile=LEVELS, **CALM).fit(X, y).predict(X_test)


def boosted_quantiles(X, y, X_test) -> np.ndarray:
    models = [HistGradientBoostingRegressor(loss="quantile", quantile=q) for q in LEVELS]
    return np.column_stack([model.fit(X, y).predict(X_test) for model in models])


def our_normal(X, y, X_test) -> tuple[np.ndarray, np.ndarray]:
    from sknn_basics import MLPRegressor

    return MLPRegressor(loss="gaussian", **CALM).fit(X, y).predict(X_test, return_std=True)


def gaussian_process(X, y, X_test) -> tuple[np.ndarray, np.ndarray]:
    kernel = 1.0 * RBF(np.sqrt(X.shape[1])) + WhiteKernel()
    model = GaussianProcessRegressor(kernel, random_state=0)
    return model.fit(X, y).predict(X_test, return_std=True)


def folds(X, y):
    """Split, and scale by the training rows."""
    for train, test in KFold(5, shuffle=True, random_state=0).split(X):
        scale_X, scale_y = StandardScaler().fit(X[train]), StandardScaler().fit(y[train, None])
        parts = [scale_X.transform(X[rows]) for rows in (train, test)]
        parts += [scale_y.transform(y[rows, None])[:, 0] for rows in (train, test)]
        yield parts


def pinball(predict, X, y) -> tuple[float, list[float]]:
    """Average the pinball loss over quantiles and folds; tell the coverage of each quantile."""
    losses, below = [], []
    for X_train, X_test, y_train, y_test in folds(X, y):
        columns = predict(X_train, y_train, X_test).T
        losses += [mean_pinball_loss(y_test, q, alpha=a) for q, a in zip(columns, LEVELS)]
        below.append([np.mean(y_test <= q) for q in columns])
    return float(np.mean(losses)), np.mean(below, axis=0).round(3).tolist()


def negative_log_likelihood(predict, X, y) -> float:
    """Average the negative log-likelihood over folds."""
    losses = []
    for X_train, X_test, y_train, y_test in folds(X, y):
        mean, std = predict(X_train, y_train, X_test)
        losses.append(-norm(mean, std).logpdf(y_test).mean())
    return float(np.mean(losses))


def main() -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    datasets = {"diabetes": load_diabetes(return_X_y=True), "sunspots": rows_of_sunspots()}
    print("| data | pinball: ours | boosted | ratio | coverage: ours | boosted | NLL: ours | GP |")
    print("|---|---|---|---|---|---|---|---|")
    for name, (X, y) in datasets.items():
        ours, coverage = pinball(our_quantiles, X, y)
        theirs, their_coverage = pinball(boosted_quantiles, X, y)
        few = np.random.RandomState(0).permutation(len(y))[:500]
        normal, process = (
            negative_log_likelihood(predict, X[few], y[few])
            for predict in (our_normal, gaussian_process)
        )
        row = [name, f"{ours:.4f}", f"{theirs:.4f}", f"{ours / theirs:.3f}"]
        row += [coverage, their_coverage, f"{normal:.3f}", f"{process:.3f}"]
        print("|", " | ".join(map(str, row)), "|")


if __name__ == "__main__":
    main()
