"""Small changes of inputs that mislead a network."""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from math import cos, pi, prod
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import Bunch, check_random_state, check_scalar
from torch import Tensor

from sknn_basics._optional import import_optional
from sknn_basics.inspection._networks import Subject
from sknn_basics.inspection._scores import Scores, samples_of, value_bounds

CRITERIA = ("error", "target", "top_k")
NORMS = ("l2", "linf")

# Classes besides the wrong ones to which DeepFool compares the way.
MOST_CANDIDATES = 10

# Linearised boundaries that are gone to, and how far beyond each.
MOST_BOUNDARIES, OVERSHOOT = 50, 0.02

# Length of a step of projected gradients, as a share of the ball's radius.
STEP_OF_BALL = 1 / 30

# Halvings of the way to an adversary, and of the radius of a projected gradient.
N_HALVINGS, N_RADII = 14, 9

# Values of a batch, of which as many gradients are held.
MOST_VALUES = 2**22


def adversarial(
    model,
    X,
    y=None,
    *,
    target=None,
    norm: str = "l2",
    criterion: str = "auto",
    k: int = 1,
    method="auto",
    bounds="auto",
    max_norm: float | None = None,
    n_steps: int = 200,
    random_state=None,
) -> Bunch:
    """Find the smallest changes of samples that change their class.

    Parameters
    ----------
    model : estimator, Pipeline or nn.Module
        A fitted neural classifier, a pipeline of linear steps that ends in one, or a network with
        an output for each class.
    X : array-like of shape (n_samples, ...)
        Samples: images, sequences or rows of a table.
    y : array-like of shape (n_samples,), default=None
        True classes; samples that are not of these for the model need no change. None takes what
        the model predicts.
    target : label or array-like of shape (n_samples,), default=None
        Class that each sample is to become.
    norm : {'l2', 'linf'}, default='l2'
        What is small: the root of the sum of squares, or the largest change.
    criterion : {'auto', 'error', 'target', 'top_k'}, default='auto'
        What counts: another class than `y`, that of `target`, or one that is none of the `k` most
        probable ones of the unchanged sample. 'auto' is 'target' where that is given, and 'top_k'
        for `k` above 1, else 'error'.
    k : int, default=1
        See `criterion`.
    method : str or attack, default='auto'
        'gradient_sign' makes one step [1]_; 'gradient' several, projected into a ball [2]_ whose
        radius is halved as long as that succeeds; 'deepfool' goes to the nearest of the
        linearised boundaries [3]_; 'optimise' shrinks and grows a ball while it turns [4]_. 'auto'
        keeps the smallest change that any of these finds. An attack of `foolbox` or `torchattacks`
        is taken as well.
    bounds : pair of float or of array-like of shape (...), 'auto' or None, default='auto'
        Smallest and largest values. 'auto' is 0 to 255 for bytes, 0 to 1 for values that lie there,
        the range of X for other images, and none for other tables.
    max_norm : float or None, default=None
        Largest change that is tried.
    n_steps : int, default=200
        Number of steps of each method.
    random_state : int, RandomState instance or None, default=None
        Where projected gradients begin within their ball.

    Returns
    -------
    result : Bunch
        ``X_adversarial`` and ``perturbation`` of the shape of X, ``norm``, ``success`` and
        ``method`` (which has found it) of shape (n_samples,). A sample of which none was found is
        unchanged, and its norm infinite.

    Raises
    ------
    ValueError
        If the model is no classifier, a class is unknown, or a step of a pipeline is not linear.

    See Also
    --------
    universal_perturbation : One change for all samples.

    References
    ----------
    .. [1] Goodfellow, Shlens and Szegedy. "Explaining and harnessing adversarial examples." ICLR
       2015.
    .. [2] Madry, Makelov, Schmidt, Tsipras and Vladu. "Towards deep learning models resistant to
       adversarial attacks." ICLR 2018.
    .. [3] Moosavi-Dezfooli, Fawzi and Frossard. "DeepFool: a simple and accurate method to fool
       deep neural networks." CVPR 2016.
    .. [4] Pintor, Roli, Brendel and Biggio. "Fast minimum-norm adversarial attacks through adaptive
       norm constraints." NeurIPS 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.inspection import adversarial
    >>> digits = load_digits()
    >>> X = digits.images / 16
    >>> model = ConvNetClassifier(filters=(4, 8), max_iter=20, random_state=0).fit(X, digits.target)
    >>> found = adversarial(model, X[:10], n_steps=50, random_state=0)
    >>> bool(found.success.all())
    True
    >>> (model.predict(found.X_adversarial) == model.predict(X[:10])).any()
    np.False_
    """
    check_choice("norm", norm, NORMS)
    check_scalar(n_steps, "n_steps", Integral, min_val=1)
    if max_norm is not None:
        check_scalar(max_norm, "max_norm", Real, min_val=0, include_boundaries="neither")
    criterion = choose_criterion(criterion, target, k)
    subject = Subject(model)
    scores = Scores(subject)
    scores.need_classes()
    X = samples_of(subject, X)
    limits = value_bounds(subject, X, bounds)
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    parts = []
    with subject.differentiated(X.shape[1:], X):
        for rows in slices(X, scores):
            problem = Problem(
                scores,
                torch.tensor(X[rows], **subject.place),
                limits,
                Norm(norm),
                max_norm,
                n_steps,
                seed,
            )
            own_y, own_target = (None if v is None else of_rows(v, rows) for v in (y, target))
            problem.set_goal(criterion, own_y, own_target, k)
            parts.append(solve(problem, method))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    # The samples that did not change keep all of their bits.
    unchanged = (joined["perturbation"] == 0).reshape(X.shape)
    joined["X_adversarial"] = np.where(unchanged, X, joined["X_adversarial"])
    return Bunch(**joined)


def universal_perturbation(
    model,
    X,
    y=None,
    *,
    norm: str = "l2",
    share: float = 0.8,
    max_norm: float | None = None,
    bounds="auto",
    n_steps: int = 200,
) -> Bunch:
    """Find one small change that, added to any sample, changes the classes of most.

    Parameters
    ----------
    model : estimator, Pipeline or nn.Module
        See `adversarial`.
    X : array-like of shape (n_samples, ...)
        Samples to learn it from.
    y : array-like of shape (n_samples,), default=None
        True classes; None takes what the model predicts.
    norm : {'l2', 'linf'}, default='l2'
        What is small.
    share : float in (0, 1], default=0.8
        Share of the samples that are to get another class.
    max_norm : float or None, default=None
        Largest change that is tried.
    bounds : pair of float or of array-like of shape (...), 'auto' or None, default='auto'
        Smallest and largest values of changed samples, as in `adversarial`.
    n_steps : int, default=200
        Number of steps.

    Returns
    -------
    result : Bunch
        ``perturbation`` of the shape of a sample, its ``norm``, the ``share`` of the samples that
        it misleads, and ``success``: whether that is enough. Where it is not, it is the one that
        misleads most.

    Raises
    ------
    ValueError
        As `adversarial`.

    References
    ----------
    Moosavi-Dezfooli, Fawzi, Fawzi and Frossard. "Universal adversarial perturbations." CVPR 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.inspection import universal_perturbation
    >>> digits = load_digits()
    >>> X = digits.images / 16
    >>> model = ConvNetClassifier(filters=(4, 8), max_iter=20, random_state=0).fit(X, digits.target)
    >>> found = universal_perturbation(model, X[:200], share=0.6, n_steps=50)
    >>> bool(found.share >= 0.6)
    True
    """
    check_choice("norm", norm, NORMS)
    check_scalar(share, "share", Real, min_val=0, max_val=1, include_boundaries="right")
    subject = Subject(model)
    scores = Scores(subject)
    scores.need_classes()
    X = samples_of(subject, X)
    limits = value_bounds(subject, X, bounds)
    with subject.differentiated(X.shape[1:], X):
        samples = torch.tensor(X, **subject.place)
        problem = Problem(scores, samples, limits, Norm(norm), max_norm, n_steps, 0)
        problem.set_goal("error", y, None, 1)
        change, reached = shrink_for_all(problem, share)
    size = float(Norm(norm).size(change[None])[0])
    values = change.numpy(force=True)
    return Bunch(perturbation=values, norm=size, share=reached, success=reached >= share)


@dataclass
class Norm:
    """A norm of changes, and what belongs to it.

    Attributes
    ----------
    name : {'l2', 'linf'}
        Which.
    """

    name: str

    def size(self, change: Tensor) -> Tensor:
        """Compute the norm of each sample's change."""
        flat = change.flatten(1)
        return flat.norm(dim=1) if self.name == "l2" else flat.abs().amax(1)

    def dual(self, gradient: Tensor) -> Tensor:
        """Compute by how much a change of norm 1 moves what has this gradient."""
        flat = gradient.flatten(1)
        return flat.norm(dim=1) if self.name == "l2" else flat.abs().sum(1)

    def steepest(self, gradient: Tensor) -> Tensor:
        """Find the change of norm 1 that moves it most."""
        if self.name == "linf":
            return gradient.sign()
        return gradient / as_samples(self.dual(gradient), gradient).clamp(min=1e-30)

    def project(self, change: Tensor, radius: Tensor) -> Tensor:
        """Bring changes into a ball."""
        radius = as_samples(radius, change)
        if self.name == "linf":
            return torch.minimum(torch.maximum(change, -radius), radius)
        return change * (radius / as_samples(self.size(change), change).clamp(min=1e-30)).clamp(
            max=1
        )

    def largest(self, shape: tuple[int, ...], bounds) -> float:
        """Tell how long a change within bounds may be."""
        low, high = bounds
        side = (high - low).expand(shape)
        return float(side.norm() if self.name == "l2" else side.max())


class Problem:
    """Samples, and what their changes are to do.

    Parameters
    ----------
    scores : Scores
        The network.
    samples : Tensor of shape (n_samples, ...)
        The samples.
    bounds : pair of ndarray or None
        Smallest and largest values.
    norm : Norm
        What is small.
    max_norm : float or None
        Largest change.
    n_steps : int
        Number of steps.
    seed : int
        Of random starts.
    """

    def __init__(self, scores, samples: Tensor, bounds, norm: Norm, max_norm, n_steps, seed):
        self.scores, self.samples, self.norm = scores, samples, norm
        self.max_norm, self.n_steps, self.seed = max_norm, n_steps, seed
        self.bounds = None
        if bounds is not None:
            self.bounds = tuple(torch.tensor(limit).to(samples) for limit in bounds)

    def set_goal(self, criterion: str, y, target, k: int) -> None:
        """Choose the classes that must not be the most probable ones any more."""
        with torch.no_grad():
            now = self.scores(self.samples)
        n_samples, n_classes = now.shape
        self.avoided = torch.zeros_like(now, dtype=torch.bool)
        if criterion == "target":
            wanted = self.scores.indices(target, n_samples, n_classes, "target")
            self.avoided.fill_(True).scatter_(1, wanted[:, None], False)
        elif criterion == "top_k":
            if not 1 <= k < n_classes:
                raise ValueError(f"k must be from 1 to {n_classes - 1}, got {k}.")
            self.avoided.scatter_(1, now.topk(k).indices, True)
        else:
            own = now.argmax(1) if y is None else self.scores.indices(y, n_samples, n_classes, "y")
            self.avoided.scatter_(1, own[:, None], True)

    def clip(self, samples: Tensor) -> Tensor:
        """Bring samples into the bounds."""
        if self.bounds is None:
            return samples
        return torch.minimum(torch.maximum(samples, self.bounds[0]), self.bounds[1])

    def margin(self, scores: Tensor) -> Tensor:
        """Tell by how much the classes to avoid lead; below 0, they do not."""
        led = scores.masked_fill(~self.avoided, -torch.inf).amax(1)
        return led - scores.masked_fill(self.avoided, -torch.inf).amax(1)

    def log_odds(self, scores: Tensor) -> Tensor:
        """Compute the log-odds of the classes to avoid, whose gradients do not vanish."""
        led = scores.masked_fill(~self.avoided, -torch.inf).logsumexp(1)
        return led - scores.masked_fill(self.avoided, -torch.inf).logsumexp(1)

    def succeeds(self, samples: Tensor) -> Tensor:
        """Tell which samples have another class, and not by a rounding alone."""
        with torch.no_grad():
            return self.are_other(self.scores(samples))

    def are_other(self, scores: Tensor) -> Tensor:
        """Tell of which samples these are the scores of another class."""
        rounding = 8 * torch.finfo(scores.dtype).eps * scores.abs().amax(1).clamp(min=1)
        return self.margin(scores) < -rounding

    def gradient(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the gradient of the log-odds; tell also which samples have succeeded."""
        samples = samples.detach().requires_grad_()
        scores = self.scores(samples)
        (gradient,) = torch.autograd.grad(self.log_odds(scores).sum(), samples)
        return gradient, self.are_other(scores.detach())

    def subset(self, rows: Tensor) -> "Problem":
        """Make the problem of some samples."""
        part = copy(self)
        part.samples, part.avoided = self.samples[rows], self.avoided[rows]
        return part

    def shorten(self, changed: Tensor) -> tuple[Tensor, Tensor]:
        """Go back towards the samples as far as that succeeds; tell where it did at all."""
        success = self.succeeds(changed)
        if not bool(success.all()):
            if bool(success.any()):
                shortened, _ = self.subset(success).shorten(changed[success])
                changed = changed.index_put((success,), shortened)
            return changed, success
        low, high = torch.zeros(len(changed)).to(changed), torch.ones(len(changed)).to(changed)
        change = changed - self.samples
        best = changed
        for _ in range(N_HALVINGS):
            middle = (low + high) / 2
            tried = self.samples + as_samples(middle, change) * change
            still = self.succeeds(tried)
            best = torch.where(as_samples(still, best), tried, best)
            low, high = torch.where(still, low, middle), torch.where(still, middle, high)
        return best, success

    def search_radius(self) -> Tensor:
        """Choose the largest radius for each sample."""
        if self.max_norm is not None:
            return self.samples.new_full((len(self.samples),), self.max_norm)
        radius = 8 * self.norm.size(way_to_boundary(self, self.samples))
        if self.bounds is None:
            return radius
        return radius.clamp(max=self.norm.largest(self.samples.shape[1:], self.bounds))


# The methods: each returns changed samples.


def gradient_sign(problem: Problem) -> Tensor:
    """Make one step."""
    gradient, _ = problem.gradient(problem.samples)
    direction = -problem.norm.steepest(gradient)

    def step(radius: Tensor) -> Tensor:
        return problem.clip(problem.samples + as_samples(radius, direction) * direction)

    return smallest_radius(problem, step)


def projected_gradient(problem: Problem) -> Tensor:
    """Go down within a ball."""
    generator = torch.Generator().manual_seed(problem.seed)
    noise = torch.rand(problem.samples.shape, generator=generator, dtype=torch.float64)
    noise = (2 * noise - 1).to(problem.samples)
    if problem.norm.name == "l2":
        noise = noise / as_samples(problem.norm.size(noise), noise)
    return smallest_radius(problem, lambda radius: descend_in_ball(problem, radius, noise))


def descend_in_ball(problem: Problem, radius: Tensor, noise: Tensor) -> Tensor:
    """Make steps of projected gradient descent, until a sample has succeeded."""
    n_steps = problem.n_steps if problem.max_norm is not None else max(10, problem.n_steps // 5)
    changed = problem.clip(problem.samples + as_samples(radius, noise) * noise)
    results, rows = changed.clone(), torch.arange(len(changed), device=changed.device)
    for _ in range(n_steps):
        gradient, done = problem.gradient(changed)
        results[rows] = changed
        if bool(done.any()):
            problem, kept = problem.subset(~done), ~done
            changed, gradient = changed[kept], gradient[kept]
            rows, radius = rows[kept], radius[kept]
            if not len(rows):
                break
        step = as_samples(radius, changed) * STEP_OF_BALL * problem.norm.steepest(gradient)
        change = problem.norm.project(changed - step - problem.samples, radius)
        changed = problem.clip(problem.samples + change)
        results[rows] = changed
    return results


def smallest_radius(problem: Problem, attempt: Callable[[Tensor], Tensor]) -> Tensor:
    """Halve the radius of an attempt as long as it succeeds, unless the largest is given."""
    high = problem.search_radius()
    best = attempt(high)
    if problem.max_norm is not None:
        return best
    low = torch.zeros_like(high)
    for _ in range(N_RADII):
        middle = (low + high) / 2
        tried = attempt(middle)
        success = problem.succeeds(tried)
        best = torch.where(as_samples(success, best), tried, best)
        low, high = torch.where(success, low, middle), torch.where(success, middle, high)
    return best


def deepfool(problem: Problem) -> Tensor:
    """Go to the nearest of the linearised boundaries, again and again."""
    change = torch.zeros_like(problem.samples)
    results, rows = problem.samples.clone(), torch.arange(len(change), device=change.device)
    for _ in range(min(problem.n_steps, MOST_BOUNDARIES)):
        change = change + way_to_boundary(problem, problem.clip(problem.samples + change))
        results[rows] = problem.clip(problem.samples + (1 + OVERSHOOT) * change)
        going_on = ~problem.succeeds(results[rows])
        if not bool(going_on.any()):
            break
        problem, rows, change = problem.subset(going_on), rows[going_on], change[going_on]
    return results


def way_to_boundary(problem: Problem, samples: Tensor) -> Tensor:
    """Find the smallest change to where, linearly, another class is as probable."""
    with torch.no_grad():
        scores = problem.scores(samples)
    leader = scores.masked_fill(~problem.avoided, -torch.inf).argmax(1, keepdim=True)
    n_others = int((~problem.avoided[0]).sum())
    n = min(n_others, MOST_CANDIDATES)
    others = scores.masked_fill(problem.avoided, -torch.inf).topk(n).indices
    repeated = samples.repeat_interleave(n, 0).detach().requires_grad_()
    scores = problem.scores(repeated)
    leads = scores.gather(1, leader.repeat_interleave(n, 0)) - scores.gather(
        1, others.reshape(-1, 1)
    )
    (gradients,) = torch.autograd.grad(leads.sum(), repeated)
    slopes = problem.norm.dual(gradients).clamp(min=1e-30)
    distances = (leads.detach()[:, 0].clamp(min=0) / slopes).view(-1, n)
    nearest = distances.argmin(1) + n * torch.arange(len(samples), device=samples.device)
    length = as_samples(distances.flatten()[nearest], samples)
    return -length * problem.norm.steepest(gradients[nearest])


def optimise(problem: Problem) -> Tensor:
    """Turn in a ball, which shrinks where there is success and grows where there is none."""
    norm, samples = problem.norm, problem.samples
    change, best = torch.zeros_like(samples), samples.clone()
    radius = 2 * norm.size(way_to_boundary(problem, samples))
    smallest = torch.full_like(radius, torch.inf)
    first = radius.clone()
    for number in range(problem.n_steps):
        share = (1 + cos(pi * number / problem.n_steps)) / 2
        gradient, success = problem.gradient(samples + change)
        size = norm.size(change)
        better = success & (size < smallest)
        best = torch.where(as_samples(better, best), samples + change, best)
        smallest = torch.where(better, size, smallest)
        factor = 0.001 + 0.05 * share
        shrunk = torch.minimum(radius, smallest) * (1 - factor)
        radius = torch.where(success, shrunk, radius * (1 + factor))
        step = as_samples(first * (0.01 + 0.5 * share), change) * norm.steepest(gradient)
        change = problem.clip(samples + norm.project(change - step, radius)) - samples
    return best


METHODS = {
    "gradient_sign": gradient_sign,
    "gradient": projected_gradient,
    "deepfool": deepfool,
    "optimise": optimise,
}


def solve(problem: Problem, method) -> dict[str, np.ndarray]:
    """Keep the smallest change that the methods find for each sample."""
    methods = choose_methods(method)
    best = problem.samples.clone()
    done = problem.succeeds(best)
    sizes = torch.where(done, 0.0, torch.inf).to(best)
    found_by = np.where(done.numpy(force=True), "none", "").astype(object)
    limit = torch.inf if problem.max_norm is None else problem.max_norm * (1 + 1e-5)
    for name, find in methods.items():
        changed, success = problem.shorten(find(problem))
        size = problem.norm.size(changed - problem.samples)
        better = success & (size < sizes) & (size <= limit)
        best = torch.where(as_samples(better, best), changed, best)
        sizes = torch.where(better, size, sizes)
        found_by[better.numpy(force=True)] = name
    return {
        "X_adversarial": best.numpy(force=True),
        "perturbation": (best - problem.samples).numpy(force=True),
        "norm": sizes.numpy(force=True),
        "success": np.isfinite(sizes.numpy(force=True)),
        "method": found_by,
    }


def choose_methods(method) -> dict[str, Callable[[Problem], Tensor]]:
    """List the methods to try, by name.

    Raises
    ------
    ValueError
        If there is no such method.
    """
    if isinstance(method, str):
        if method != "auto" and method not in METHODS:
            raise ValueError(
                f"method must be 'auto', one of {[*METHODS]} or an attack, got {method!r}."
            )
        return METHODS if method == "auto" else {method: METHODS[method]}
    library = type(method).__module__.split(".")[0]
    if library not in FOREIGN:
        raise ValueError(
            f"method must be 'auto', one of {[*METHODS]} or an attack, got {method!r}."
        )
    return {type(method).__name__: lambda problem: FOREIGN[library](method, problem)}


def run_foolbox(attack, problem: Problem) -> Tensor:
    """Run an attack of foolbox."""
    foolbox = import_optional("foolbox", "explain", "This attack")
    bounds = (-1e30, 1e30) if problem.bounds is None else tuple(map(float, problem.bounds))
    network = foolbox.PyTorchModel(problem.scores.eval(), bounds, device=problem.samples.device)
    _, clipped, _ = attack(network, problem.samples, own_class(problem), epsilons=problem.max_norm)
    return clipped.detach()


def run_torchattacks(attack, problem: Problem) -> Tensor:
    """Run an attack of torchattacks, on its own model."""
    return attack(problem.samples, own_class(problem)).detach()


FOREIGN = {"foolbox": run_foolbox, "torchattacks": run_torchattacks}


def own_class(problem: Problem) -> Tensor:
    """Give the class that each sample is to leave.

    Raises
    ------
    ValueError
        If it is to leave several.
    """
    if not bool((problem.avoided.sum(1) == 1).all()):
        raise ValueError("Attacks of other libraries are run with criterion='error' only.")
    return problem.avoided.int().argmax(1)


def shrink_for_all(problem: Problem, share: float) -> tuple[Tensor, float]:
    """Find one change for all samples, as `optimise` does for each."""
    norm = problem.norm
    change = torch.zeros_like(problem.samples[:1])
    best, best_size, reached = change, torch.inf, -1.0
    radius = norm.size(way_to_boundary(problem, problem.samples)).median()[None]
    radius = radius if problem.max_norm is None else radius.clamp(max=problem.max_norm)
    for number in range(problem.n_steps):
        decay = (1 + cos(pi * number / problem.n_steps)) / 2
        gradient, now = mean_gradient(problem, change)
        size = float(norm.size(change)[0])
        if (now >= share and size < best_size) or (reached < share and now > reached):
            best, reached = change, now
            best_size = size if now >= share else best_size
        factor = 0.002 + 0.06 * decay
        radius = (
            radius.clamp(max=best_size) * (1 - factor) if now >= share else radius * (1 + factor)
        )
        if problem.max_norm is not None:
            radius = radius.clamp(max=problem.max_norm)
        step = as_samples(radius, change) * (0.01 + 0.3 * decay) * norm.steepest(gradient)
        change = norm.project(change - step, radius)
    return best[0], reached


def mean_gradient(problem: Problem, change: Tensor) -> tuple[Tensor, float]:
    """Compute the gradient by one change for all, of those that have not succeeded; their share."""
    total, n_done = torch.zeros_like(change), 0
    for rows in slices(problem.samples, problem.scores):
        part = problem.subset(torch.arange(len(problem.samples), device=change.device)[rows])
        inputs = change.detach().requires_grad_()
        scores = part.scores(part.clip(part.samples + inputs))
        odds = torch.nn.functional.softplus(part.log_odds(scores)).sum()
        total += torch.autograd.grad(odds, inputs)[0]
        n_done += int(part.are_other(scores.detach()).sum())
    return total, n_done / len(problem.samples)


# What is given.


def choose_criterion(criterion: str, target, k: int) -> str:
    """Choose what counts as success.

    Raises
    ------
    ValueError
        If arguments do not fit together.
    """
    if criterion == "auto":
        criterion = "target" if target is not None else "top_k" if k > 1 else "error"
    check_choice("criterion", criterion, CRITERIA)
    check_scalar(k, "k", Integral, min_val=1)
    if (criterion == "target") != (target is not None):
        raise ValueError("target and criterion='target' belong together.")
    return criterion


def check_choice(name: str, value, choices) -> None:
    """Check that a value is one of some.

    Raises
    ------
    ValueError
        If it is not.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {list(choices)}, got {value!r}.")


def as_samples(values: Tensor, samples: Tensor) -> Tensor:
    """Give values of samples the dimensions of samples."""
    return values.view(-1, *[1] * (samples.dim() - 1))


def of_rows(values, rows: slice):
    """Take the values of some rows; one value is that of all."""
    return values if np.ndim(values) == 0 else np.asarray(values)[rows]


def slices(X, scores: Scores) -> Iterator[slice]:
    """Cut samples into parts that are changed together."""
    largest = max(getattr(scores.subject.module, "largest_output", 0), prod(X.shape[1:]))
    size = max(1, MOST_VALUES // max(1, largest))
    return (slice(i, min(i + size, len(X))) for i in range(0, len(X), size))
