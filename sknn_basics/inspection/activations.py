"""What the layers of a network put out."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from sknn_basics.inspection._networks import Subject, recorded


def activations(model, X, layers: str | Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Compute what the layers of a network put out for X.

    Parameters
    ----------
    model : estimator, Pipeline or nn.Module
        A fitted neural estimator, a pipeline that ends in one, whose steps before are applied, or
        any network.
    X : array-like of shape (n_samples, ...)
        Samples, as the model takes them.
    layers : str, sequence of str or None, default=None
        Names of layers, as in ``model.summary()``; 'hidden1_activation' is what becomes of the
        outputs of 'hidden1'. Any part of the network has a name, with dots between: see
        `torch.nn.Module.named_modules`. None takes all layers that `summary` lists.

    Returns
    -------
    outputs : dict of str to ndarray of shape (n_samples, ...)
        The outputs of each layer itself, before the activation that follows it, in the data type
        of the network. Of images, they have their channels where X has them, and last where X has
        none: (n_samples, height, width, n_filters). Of sequences, they are of shape
        (n_samples, n_steps, n_units), or as X has it with ``data_format="channels_first"``, and NaN
        behind the end of a shorter sequence. Those of an `nn.Module` are as it makes them.

    Raises
    ------
    ValueError
        If there is no such layer, or it is not run.

    Notes
    -----
    Nothing is changed by looking: modes, weights, gradients and random states are what they were,
    and the network is evaluated: dropout, noise and augmentation do nothing.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.inspection import activations
    >>> digits = load_digits()
    >>> model = ConvNetClassifier(filters=(4, 8), max_iter=5, random_state=0)
    >>> _ = model.fit(digits.images / 16, digits.target)
    >>> outputs = activations(model, digits.images[:2] / 16)
    >>> list(outputs)
    ['input', 'block1_conv1', 'block2_conv1', 'flatten', 'hidden1', 'output']
    >>> outputs["block1_conv1"].shape
    (2, 4, 4, 4)
    """
    subject = Subject(model)
    chosen = choose_layers(subject, layers)
    X = subject.check(X)
    parts: dict[str, list[np.ndarray]] = defaultdict(list)
    with subject.at_rest(), torch.no_grad(), recorded(chosen) as outputs:
        for inputs in subject.batches(X):
            outputs.clear()
            subject.module(inputs)
            for name, values in outputs.items():
                parts[name].append(values.numpy(force=True))
    if layers is not None:
        check_run(chosen, parts)
    return {
        name: subject.arrange(name, np.concatenate(parts[name]), X)
        for name in chosen
        if name in parts
    }


def choose_layers(subject: Subject, layers) -> dict[str, torch.nn.Module]:
    """Find layers by their names; None is all that `summary` lists."""
    if layers is None:
        layers = subject.layer_names()
    elif isinstance(layers, str):
        layers = [layers]
    return {name: subject.find(name) for name in layers}


def check_run(chosen, outputs) -> None:
    """Check that layers were run.

    Raises
    ------
    ValueError
        If one was not.
    """
    if missing := [name for name in chosen if name not in outputs]:
        raise ValueError(f"The network does not run its layer {missing[0]!r}.")
