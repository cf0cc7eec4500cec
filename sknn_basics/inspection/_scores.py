"""What a network says of classes, and how inputs are bounded."""

import numpy as np
import torch
from sklearn.base import is_classifier
from torch import Tensor, nn

from sknn_basics.inspection._networks import Subject


class Scores(nn.Module):
    """The scores of classes or outputs for samples, as a network of its own.

    A classifier of two classes, whose network has one output, has a score each: the output, and the
    negative one.

    Parameters
    ----------
    subject : Subject
        The model.
    """

    def __init__(self, subject: Subject):
        super().__init__()
        # In a tuple, the network is no part of this one: nothing here moves or switches it.
        self._subject = (subject,)
        self.is_classifier = subject.estimator is None or is_classifier(subject.estimator)
        self.classes = getattr(subject.estimator, "classes_", None)

    @property
    def subject(self) -> Subject:
        """The model."""
        return self._subject[0]

    def forward(self, samples: Tensor) -> Tensor:
        """Compute the scores, of shape (n_samples, n_classes)."""
        scores = self.subject.run(samples)
        if scores.dim() != 2:
            raise ValueError(
                f"The network has outputs of shape {tuple(scores.shape[1:])} for a sample, which "
                "are not one score for each class or target."
            )
        is_single = scores.shape[1] == 1 and self.is_classifier
        return torch.cat([-scores, scores], 1) if is_single else scores

    def need_classes(self) -> None:
        """Check that each sample has one class.

        Raises
        ------
        ValueError
            If it has not.
        """
        kind = getattr(self.subject.estimator, "_target_type_", "classes")
        if not self.is_classifier or kind == "labels":
            raise ValueError(
                f"{type(self.subject.estimator).__name__} does not choose one class for a sample."
            )
        if self.classes is not None and len(self.classes) < 2:
            raise ValueError(f"The model knows one class only, {self.classes[0]!r}.")

    def indices(self, labels, n_samples: int, n_classes: int, name: str) -> Tensor:
        """Find the numbers of classes or outputs, one for each sample.

        Raises
        ------
        ValueError
            If there is no such class, or they are neither one nor one for each sample.
        """
        labels = np.asarray(labels)
        if labels.ndim == 0:
            labels = np.repeat(labels, n_samples)
        if labels.shape != (n_samples,):
            raise ValueError(f"{name} must have shape ({n_samples},), got {labels.shape}.")
        known = np.arange(n_classes)
        if self.classes is not None and self.is_classifier:
            known = self.classes
        if not np.isin(labels, known).all():
            unknown = labels[~np.isin(labels, known)][0]
            raise ValueError(f"{name} has {unknown!r}, which is none of {known.tolist()}.")
        return torch.tensor(np.searchsorted(known, labels), device=self.subject.device)


def choose_outputs(scores: Scores, values: Tensor, y) -> Tensor:
    """Choose one output for each sample: that of `y`, or the largest of a classifier's.

    Raises
    ------
    ValueError
        If there are several and none is chosen.
    """
    n_samples, n_outputs = values.shape
    if y is not None:
        return scores.indices(y, n_samples, n_outputs, "y")
    if scores.is_classifier or n_outputs == 1:
        return values.argmax(1)
    raise ValueError(f"The network has {n_outputs} outputs: choose one by its number.")


def samples_of(subject: Subject, X) -> np.ndarray:
    """Check X, and return it as an array before all steps, in the network's data type.

    Raises
    ------
    ValueError
        If it cannot be used.
    """
    if hasattr(X, "to_numpy"):
        X = X.to_numpy()
    if hasattr(X, "toarray"):
        X = X.toarray()
    if isinstance(X, Tensor):
        X = X.numpy(force=True)
    X = np.asarray(X)
    if X.dtype.kind not in "fiub":
        raise ValueError(f"X must hold numbers, to have gradients, got {X.dtype}.")
    subject.check(X)
    return X


def value_bounds(subject: Subject, X: np.ndarray, bounds) -> tuple | None:
    """Choose smallest and largest values of X, as numbers or for each column.

    Raises
    ------
    ValueError
        If they are none.
    """
    if bounds is None:
        return None
    if not isinstance(bounds, str):
        low, high = (np.asarray(limit, dtype=np.float64) for limit in bounds)
        if not (low < high).all():
            raise ValueError(f"bounds must be a growing pair, 'auto' or None, got {bounds!r}.")
        return low, high
    if bounds != "auto":
        raise ValueError(f"bounds must be a growing pair, 'auto' or None, got {bounds!r}.")
    if X.dtype == np.uint8:
        return np.array(0.0), np.array(255.0)
    low, high = X.min(), X.max()
    if low >= 0 and high <= 1:
        return np.array(0.0), np.array(1.0)
    is_image = X.ndim > 2 or "image_shape" in getattr(subject.estimator, "_structure_", {})
    return (np.array(low), np.array(high)) if is_image else None
