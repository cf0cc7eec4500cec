"""What of a row would have to be otherwise for another decision."""

from collections.abc import Mapping, Sequence
from numbers import Integral

import numpy as np
import torch
from sklearn.utils import Bunch, check_array
from torch import Tensor

from sknn_basics.inspection._networks import Subject
from sknn_basics.inspection._scores import Scores, samples_of
from sknn_basics.inspection.adversaries import N_HALVINGS, Norm, Problem

# Steps of the columns that may change so far, and their length in standard deviations.
N_STEPS, STEP = 40, 0.2


def counterfactual(
    model,
    X,
    target=None,
    *,
    immutable: Sequence = (),
    bounds: Mapping | None = None,
    integer: Sequence = (),
    sparse: bool = True,
    reference=None,
) -> Bunch:
    """Find small changes of rows of a table with which a classifier decides otherwise.

    Parameters
    ----------
    model : estimator, Pipeline or nn.Module
        A fitted neural classifier, a pipeline of linear steps that ends in one, or a network with
        an output for each class.
    X : array-like or data frame of shape (n_samples, n_features)
        The rows.
    target : label or array-like of shape (n_samples,), default=None
        The wanted decision; None is any other than the predicted one.
    immutable : sequence of str or int, default=()
        Columns that cannot change, by name or number.
    bounds : mapping of str or int to pair of float, default=None
        Smallest and largest value of columns. Those of the others are from `reference`.
    integer : sequence of str or int, default=()
        Columns whose changed values are whole numbers.
    sparse : bool, default=True
        Whether as few columns as possible change, one after the other; otherwise all change a
        little.
    reference : array-like of shape (n_rows, n_features), default=None
        Rows that tell the range of each column, and its standard deviation, by which changes are
        compared, for example those of the fit. None is X.

    Returns
    -------
    result : Bunch
        ``X_counterfactual`` and ``change``, arrays or data frames as X is; ``success`` and
        ``n_changed``, the number of changed columns, of shape (n_samples,). A row for which none
        was found is unchanged.

    Raises
    ------
    ValueError
        If there is no such column or class, rows lie outside the bounds, or a step of the pipeline
        is not linear.

    References
    ----------
    Wachter, Mittelstadt and Russell. "Counterfactual explanations without opening the black box."
    Harvard Journal of Law & Technology 31.2 (2018).

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.inspection import counterfactual
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=30, random_state=0))
    >>> found = counterfactual(model.fit(X, y), X[:5], reference=X, immutable=[0, 1])
    >>> bool((model.predict(found.X_counterfactual) != model.predict(X[:5])).all())
    True
    """
    subject = Subject(model)
    scores = Scores(subject)
    scores.need_classes()
    rows = samples_of(subject, X)
    if rows.ndim != 2:
        raise ValueError(f"X must be rows of a table, of two dimensions, got {rows.ndim}.")
    rows = check_array(rows, dtype=np.float64, input_name="X")
    seen = rows if reference is None else check_array(reference, dtype=np.float64)
    table = Table(column_names(X), rows, seen, immutable, bounds or {}, integer)
    with subject.differentiated(rows.shape[1:], rows):
        samples = torch.tensor(rows, **subject.place)
        problem = Problem(scores, samples, None, Norm("l2"), None, N_STEPS, 0)
        problem.set_goal("error" if target is None else "target", None, target, 1)
        search = Search(problem, table)
        changed = search.run(sparse)
        success = problem.succeeds(changed).numpy(force=True)
    found = changed.numpy(force=True).astype(np.float64)
    # What did not change keeps all of its bits.
    moved = (changed != samples).numpy(force=True) & success[:, None]
    found = np.where(moved, found, rows)
    change = found - rows
    if hasattr(X, "columns"):
        found, change = (type(X)(v, columns=X.columns, index=X.index) for v in (found, change))
    return Bunch(
        X_counterfactual=found, change=change, success=success, n_changed=moved.sum(axis=1)
    )


class Table:
    """What the columns of a table may become.

    Parameters
    ----------
    names : list or None
        Names of the columns.
    rows, seen : ndarray of shape (n_rows, n_features)
        The rows, and those that tell ranges.
    immutable, bounds, integer
        See `counterfactual`.
    """

    def __init__(self, names, rows: np.ndarray, seen: np.ndarray, immutable, bounds, integer):
        self.names, self.n_columns = names, rows.shape[1]
        if seen.shape[1] != self.n_columns:
            raise ValueError(f"reference must have {self.n_columns} columns, got {seen.shape[1]}.")
        self.low = np.minimum(seen.min(axis=0), rows.min(axis=0))
        self.high = np.maximum(seen.max(axis=0), rows.max(axis=0))
        if len(seen) == 1:
            # A single row tells no range.
            self.low, self.high = np.full((2, self.n_columns), [[-np.inf], [np.inf]])
        for name, (low, high) in bounds.items():
            column = self.find(name)
            if not low <= rows[:, column].min() <= rows[:, column].max() <= high:
                raise ValueError(f"bounds of {name!r}, ({low}, {high}), leave out values of X.")
            self.low[column], self.high[column] = low, high
        spread = seen.std(axis=0)
        self.scale = np.where(spread > 0, spread, np.maximum(1, np.abs(seen[0])))
        self.is_mutable, self.is_integer = (
            np.ones(self.n_columns, bool),
            np.zeros(self.n_columns, bool),
        )
        self.is_mutable[[self.find(name) for name in immutable]] = False
        self.is_integer[[self.find(name) for name in integer]] = True

    def find(self, name) -> int:
        """Find a column by its name or number.

        Raises
        ------
        ValueError
            If there is none.
        """
        if self.names is not None and name in self.names:
            return self.names.index(name)
        if isinstance(name, Integral) and 0 <= name < self.n_columns:
            return int(name)
        known = f"of {self.n_columns}" if self.names is None else f"among {self.names}"
        raise ValueError(f"There is no column {name!r} {known}.")


class Search:
    """The search for changes of some rows.

    Parameters
    ----------
    problem : Problem
        The rows, and what is to be decided.
    table : Table
        What they may become.
    """

    def __init__(self, problem: Problem, table: Table):
        self.problem, self.rows = problem, problem.samples
        as_tensor = lambda values: torch.tensor(values).to(self.rows)  # noqa: E731
        self.low, self.high = as_tensor(table.low), as_tensor(table.high)
        self.scale = as_tensor(table.scale)
        self.is_mutable = torch.tensor(table.is_mutable, device=self.rows.device)
        self.is_integer = torch.tensor(table.is_integer, device=self.rows.device)

    def run(self, sparse: bool) -> Tensor:
        """Change rows until they are decided otherwise, and take back what is not needed."""
        changed = self.rows.clone()
        active = torch.zeros_like(changed, dtype=torch.bool)
        n_rounds = int(self.is_mutable.sum()) if sparse else 1
        for _ in range(n_rounds):
            open_ = ~self.problem.succeeds(self.whole(changed))
            if not bool(open_.any()):
                break
            if sparse:
                active |= self.next_column(changed, active) & open_[:, None]
            else:
                active |= self.is_mutable
            changed = self.move(changed, active)
        changed = self.shorten(changed)
        return self.shorten(self.take_back(changed)) if sparse else changed

    def whole(self, changed: Tensor) -> Tensor:
        """Round changes of whole numbers up, within the bounds."""
        change = changed - self.rows
        change = torch.where(change.abs() < 1e-6 * self.scale, 0.0, change)
        rounded = torch.where(change > 0, (self.rows + change).ceil(), (self.rows + change).floor())
        low, high = self.low.ceil(), self.high.floor()
        rounded = torch.minimum(torch.maximum(rounded, low), high)
        rounded = torch.where(change == 0, self.rows, rounded)
        return torch.where(self.is_integer, rounded, torch.where(change == 0, self.rows, changed))

    def next_column(self, changed: Tensor, active: Tensor) -> Tensor:
        """Choose the column for each row that can do most, linearly."""
        gradient, _ = self.problem.gradient(changed)
        room = torch.where(gradient > 0, changed - self.low, self.high - changed)
        # Further than some deviations, nothing is linear.
        room = torch.minimum(room.clamp(min=0), N_STEPS * STEP / 2 * self.scale)
        gain = (gradient.abs() * room).masked_fill(active | ~self.is_mutable, -1)
        chosen = torch.zeros_like(active)
        return chosen.scatter_(1, gain.argmax(1, keepdim=True), True) & (gain > 0)

    def move(self, changed: Tensor, active: Tensor) -> Tensor:
        """Go down with the active columns, until the decision is another."""
        for _ in range(N_STEPS):
            open_ = ~self.problem.succeeds(self.whole(changed))
            if not bool(open_.any()):
                break
            gradient, _ = self.problem.gradient(changed)
            slope = gradient * self.scale * active
            slope = slope / slope.abs().amax(1, keepdim=True).clamp(min=1e-30)
            moved = torch.minimum(
                torch.maximum(changed - STEP * self.scale * slope, self.low), self.high
            )
            changed = torch.where(open_[:, None] & active, moved, changed)
        return changed

    def shorten(self, changed: Tensor) -> Tensor:
        """Go back as far as the decision stays."""
        best = self.whole(changed)
        low = torch.zeros(len(changed), 1).to(changed)
        high, change = torch.ones_like(low), changed - self.rows
        for _ in range(N_HALVINGS):
            middle = (low + high) / 2
            tried = self.whole(self.rows + middle * change)
            still = self.problem.succeeds(tried)[:, None]
            best = torch.where(still, tried, best)
            low, high = torch.where(still, low, middle), torch.where(still, middle, high)
        return best

    def take_back(self, changed: Tensor) -> Tensor:
        """Undo the change of each column without which the decision stays, small ones first."""
        sizes = ((changed - self.rows) / self.scale).abs()
        for column in sizes.argsort(dim=1).unbind(1):
            tried = changed.scatter(1, column[:, None], self.rows.gather(1, column[:, None]))
            changed = torch.where(self.problem.succeeds(tried)[:, None], tried, changed)
        return changed


def column_names(X) -> list | None:
    """List the names of columns, if they have names."""
    return list(X.columns) if hasattr(X, "columns") else None
