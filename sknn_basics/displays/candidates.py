"""The candidates of a search, as scikit-learn's ``cv_results_`` lists them."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np


@dataclass
class Candidates:
    """Parameters of candidates, and what was measured of them.

    Parameters
    ----------
    params : list of dict
        The parameters of each candidate.
    means : ndarray of shape (n_candidates,)
        Means over folds.
    stds : ndarray of shape (n_candidates,)
        Standard deviations over folds.
    """

    params: list[dict]
    means: np.ndarray
    stds: np.ndarray

    @property
    def names(self) -> list[str]:
        """The parameters in which candidates differ, or all if there is one candidate."""
        names = list(dict.fromkeys(name for params in self.params for name in params))
        varied = [name for name in names if len(self.values(name)[0]) > 1]
        return varied or names

    def values(self, name: str) -> tuple[list, np.ndarray]:
        """List the values of a parameter, and tell which one each candidate has.

        Numbers are sorted; other values stay in the order in which they came.
        """
        # By their text, as values may be lists or estimators; True is not 1.
        texts = [str(params.get(name, "")) for params in self.params]
        values = {text: params.get(name, "") for text, params in zip(texts, self.params)}
        if all(isinstance(value, Real) for value in values.values()):
            values = dict(sorted(values.items(), key=lambda item: item[1]))
        places = {text: place for place, text in enumerate(values)}
        return list(values.values()), np.array([places[text] for text in texts])

    def choose(self, *wanted: str | None) -> list[str]:
        """Find the parameters to draw along: those that are wanted, and others with most values.

        Raises
        ------
        ValueError
            If one is unknown, or wanted twice.
        """
        given = [None if name is None else self.find(name) for name in wanted]
        rest = [name for name in self.names if name not in given]
        rest.sort(key=lambda name: -len(self.values(name)[0]))
        chosen = [name if name is not None else rest.pop(0) for name in given if name or rest]
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"Two different parameters are needed, got {chosen}.")
        if not chosen:
            raise ValueError("The search has no parameter to draw along.")
        return chosen

    def find(self, name: str) -> str:
        """Find a parameter by its name, with or without the names of steps before it.

        Raises
        ------
        ValueError
            If there is none, or there are several.
        """
        names = list(dict.fromkeys(name for params in self.params for name in params))
        found = [known for known in names if name == known]
        found = found or [known for known in names if known.endswith(f"__{name}")]
        if len(found) != 1:
            raise ValueError(f"The search has no parameter {name!r}, but {names}.")
        return found[0]

    def short(self, name: str) -> str:
        """Shorten the name of a parameter to what comes after the names of steps, if it can be."""
        short = name.rsplit("__", 1)[-1]
        namesakes = [known for known in self.names if known.rsplit("__", 1)[-1] == short]
        return short if len(namesakes) <= 1 else name

    def label(self, candidate: int, without: str | None = None) -> str:
        """Write the parameters in which candidates differ."""
        params = self.params[candidate]
        shown = [name for name in self.names if name in params and name != without]
        texts = (f"{self.short(name)}={label_values([params[name]])[0]}" for name in shown)
        return ", ".join(texts)

    def group_by_others(self, name: str) -> list[tuple[str, list[int]]]:
        """Group candidates by all their parameters but one; each group comes with its label."""
        groups: dict[str, list[int]] = {}
        for candidate, params in enumerate(self.params):
            others = str({key: value for key, value in params.items() if key != name})
            groups.setdefault(others, []).append(candidate)
        return [(self.label(group[0], without=name), group) for group in groups.values()]


def read_candidates(search, measured: str) -> Candidates:
    """Read what a search measured of its candidates.

    Parameters
    ----------
    search : search
        Fitted search. What a halving search measured last of a candidate counts.
    measured : str
        What follows 'mean_' and 'std_' in the names of ``cv_results_``.

    Returns
    -------
    candidates : Candidates
        Parameters, means and standard deviations.

    Raises
    ------
    ValueError
        If the search is not fitted, or has not measured this.
    """
    results = getattr(search, "cv_results_", None)
    if results is None:
        raise ValueError(f"{type(search).__name__} is no fitted search: it has no cv_results_.")
    if f"mean_{measured}" not in results:
        known = [name.removeprefix("mean_") for name in results if name.startswith("mean_")]
        raise ValueError(f"The search has not measured {measured!r}, but {known}.")
    last = {str(params): row for row, params in enumerate(results["params"])}
    rows = sorted(last.values())
    return Candidates(
        params=[results["params"][row] for row in rows],
        means=np.asarray(results[f"mean_{measured}"], dtype=float)[rows],
        stds=np.asarray(results[f"std_{measured}"], dtype=float)[rows],
    )


def is_wide(values: Sequence[float]) -> bool:
    """Tell whether positive numbers span so much that a logarithmic axis shows them better."""
    return min(values) > 0 and max(values) / min(values) > 5


def label_values(values: Sequence) -> list[str]:
    """Write values of a parameter, numbers in at most four digits and long texts cut."""
    texts = [
        f"{v:.4g}" if type(v) is float or isinstance(v, np.floating) else str(v) for v in values
    ]
    return [text if len(text) <= 40 else f"{text[:39]}…" for text in texts]
