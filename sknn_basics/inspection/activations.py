"""What the layers of a network output."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from sknn_basics.inspection._networks import Subject, recorded
from sknn_basics.inspection._scores import Scores, choose_outputs


def activations(model, X, layers: str | Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Compute the outputs of the layers of a network for X.

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
        after the end of a shorter sequence. Those of an `nn.Module` are as it makes them.

    Raises
    ------
    ValueError
        If there is no such layer, or it is not run.

    See Also
    --------
    layer_gradient : Gradients of an output by these.

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
    return gather(subject, chosen, parts, X, layers)


def layer_gradient(
    model, X, layers: str | Sequence[str] | None = None, target=None
) -> dict[str, np.ndarray]:
    """Compute the gradient of an output of a network by the outputs of its layers.

    Parameters
    ----------
    model : estimator, Pipeline or nn.Module
        See `activations`.
    X : array-like of shape (n_samples, ...)
        Samples, as the model takes them.
    layers : str, sequence of str or None, default=None
        Names of layers, as in `activations`.
    target : label, int or array-like of shape (n_samples,), default=None
        Whose score is differentiated, before the softmax or logistic function: a class of a
        classifier, the number of an output of any other; one for all samples, or one each. None
        takes the predicted class, or the only output.

    Returns
    -------
    gradients : dict of str to ndarray of shape (n_samples, ...)
        In the layout of `activations`.

    Raises
    ------
    ValueError
        If there is no such layer, it is not run, or the network has several outputs and none is
        chosen.

    See Also
    --------
    activations : The outputs themselves.
    saliency : Gradients by X.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.inspection import layer_gradient
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(5, random_state=0).fit(X, y)
    >>> layer_gradient(model, X[:2], "hidden1_activation", target=0)["hidden1_activation"].shape
    (2, 5)
    """
    subject = Subject(model)
    chosen = choose_layers(subject, layers)
    X = subject.check(X)
    scores = Scores(subject)
    parts: dict[str, list[np.ndarray]] = defaultdict(list)
    done = 0
    with subject.differentiated(np.shape(X)[1:], plain=True), recorded(chosen, False) as outputs:
        for inputs in subject.batches(X):
            outputs.clear()
            values = scores(inputs.requires_grad_())
            wanted = target if np.ndim(target) == 0 else target[done : done + len(inputs)]
            own = values.gather(1, choose_outputs(scores, values, wanted)[:, None])
            found = torch.autograd.grad(own.sum(), list(outputs.values()), materialize_grads=True)
            done += len(inputs)
            for name, gradient in zip(outputs, found):
                parts[name].append(gradient.numpy(force=True))
    return gather(subject, chosen, parts, X, layers)


def gather(subject: Subject, chosen, parts, X, layers) -> dict[str, np.ndarray]:
    """Join the parts of each layer, in the layout of X; check that those asked for were run."""
    if layers is not None:
        check_run(chosen, parts)
    names = [name for name in chosen if name in parts]
    return {name: subject.arrange(name, np.concatenate(parts[name]), X) for name in names}


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
