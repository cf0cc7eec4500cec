"""Which values of a sample an output depends on."""

import numpy as np
import torch
from sklearn.utils import check_random_state, check_scalar
from torch import Tensor

from sknn_basics._optional import import_optional
from sknn_basics.inspection._images import need_layout, resize
from sknn_basics.inspection._networks import Subject
from sknn_basics.inspection._scores import Scores, choose_outputs, samples_of
from sknn_basics.inspection.adversaries import check_choice, slices

METHODS = ("gradient", "input_x_gradient", "integrated", "smooth", "grad_cam")

# Standard deviation of the noise of 'smooth', as a share of the range of X.
NOISE = 0.15


def saliency(
    model,
    X,
    y=None,
    *,
    method: str = "gradient",
    baseline=0.0,
    n_steps: int = 50,
    layer: str | None = None,
    random_state=None,
) -> np.ndarray:
    """Tell how much each value of a sample counts for an output.

    Parameters
    ----------
    model : estimator, Pipeline or nn.Module
        A fitted neural estimator, a pipeline of linear steps that ends in one, or any network.
    X : array-like of shape (n_samples, ...)
        Samples: images, sequences or rows of a table.
    y : label, int or array-like of shape (n_samples,), default=None
        Whose score is explained, before the softmax or logistic function: a class of a classifier,
        the number of an output of any other; one for all samples, or one each. None takes the
        predicted class, or the only output.
    method : {'gradient', 'input_x_gradient', 'integrated', 'smooth', 'grad_cam'}, \
default='gradient'
        The gradient of the score by X [1]_; that times the difference of X from `baseline`; its
        mean on the way from there, times the difference, which adds up to the difference of the
        scores [2]_; its mean over noisy copies [3]_; or where the maps of a layer speak for it
        [4]_, for images. 'integrated' and 'grad_cam' are those of `captum`, of the extra 'explain'.
    baseline : float or array-like of shape (...), default=0.0
        What nothing looks like: a value, or one sample.
    n_steps : int, default=50
        Number of steps of 'integrated', or copies of 'smooth'.
    layer : str, default=None
        Whose maps 'grad_cam' looks at; None is the last convolution.
    random_state : int, RandomState instance or None, default=None
        Source of the noise of 'smooth'.

    Returns
    -------
    importance : ndarray of the shape of X
        What speaks for the score is positive, but for 'gradient' and 'smooth', whose sign tells in
        which direction it grows.

    Raises
    ------
    ValueError
        If a class is unknown, there are several outputs and none is chosen, or a step of a pipeline
        is not linear.
    ImportError
        If captum is needed and not installed.

    See Also
    --------
    sklearn.inspection.permutation_importance : Of columns, for all samples together.
    sknn_basics.displays.SaliencyDisplay : Draws it.

    References
    ----------
    .. [1] Simonyan, Vedaldi and Zisserman. "Deep inside convolutional networks: visualising image
       classification models and saliency maps." ICLR workshop 2014.
    .. [2] Sundararajan, Taly and Yan. "Axiomatic attribution for deep networks." ICML 2017.
    .. [3] Smilkov, Thorat, Kim, Viégas and Wattenberg. "SmoothGrad: removing noise by adding
       noise." arXiv:1706.03825.
    .. [4] Selvaraju et al. "Grad-CAM: visual explanations from deep networks via gradient-based
       localization." ICCV 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.inspection import saliency
    >>> digits = load_digits()
    >>> X = digits.images / 16
    >>> model = ConvNetClassifier(filters=(4, 8), max_iter=20, random_state=0).fit(X, digits.target)
    >>> saliency(model, X[:3]).shape
    (3, 8, 8)
    """
    check_choice("method", method, METHODS)
    check_scalar(n_steps, "n_steps", int, min_val=1)
    subject = Subject(model)
    scores = Scores(subject)
    X = samples_of(subject, X)
    rng = check_random_state(random_state)
    parts = []
    with subject.differentiated(X.shape[1:], X):
        samples = torch.tensor(X, **subject.place)
        start = torch.tensor(np.asarray(baseline)).to(samples).expand(samples.shape[1:])
        with torch.no_grad():
            values = torch.cat([scores(samples[rows]) for rows in slices(X, scores)])
        chosen = choose_outputs(scores, values, y)
        for rows in slices(X, scores):
            explain = Explanation(scores, samples[rows], chosen[rows], start, n_steps)
            if method == "smooth":
                explain.spread = NOISE * float(samples.max() - samples.min())
                explain.rng = rng
            if method == "grad_cam":
                explain.layer = layer
            parts.append(getattr(explain, method)().detach())
    return torch.cat(parts).numpy(force=True)


class Explanation:
    """Some samples, and one output for each.

    Parameters
    ----------
    scores : Scores
        The network.
    samples : Tensor of shape (n_samples, ...)
        The samples.
    chosen : Tensor of shape (n_samples,)
        Numbers of the outputs.
    baseline : Tensor of shape (...)
        What nothing looks like.
    n_steps : int
        Number of steps or copies.
    """

    def __init__(self, scores: Scores, samples: Tensor, chosen: Tensor, baseline: Tensor, n_steps):
        self.scores, self.samples, self.chosen = scores, samples, chosen
        self.baseline, self.n_steps = baseline, n_steps
        self.layer = self.rng = None
        self.spread = 0.0

    def gradient(self, samples: Tensor | None = None) -> Tensor:
        """Compute the gradients of the chosen outputs."""
        inputs = (self.samples if samples is None else samples).detach().requires_grad_()
        own = self.scores(inputs).gather(1, self.chosen[:, None])
        return torch.autograd.grad(own.sum(), inputs)[0]

    def input_x_gradient(self) -> Tensor:
        """Multiply the gradients by the differences from the baseline."""
        return self.gradient() * (self.samples - self.baseline)

    def smooth(self) -> Tensor:
        """Average the gradients of noisy copies."""
        total = torch.zeros_like(self.samples)
        for _ in range(self.n_steps):
            noise = self.rng.normal(0, self.spread, size=tuple(self.samples.shape))
            total += self.gradient(self.samples + torch.tensor(noise).to(total))
        return total / self.n_steps

    def integrated(self) -> Tensor:
        """Average the gradients on the way from the baseline, by captum."""
        captum = import_optional("captum.attr", "explain", "method='integrated'")
        return captum.IntegratedGradients(self.scores).attribute(
            self.samples,
            baselines=self.baseline.expand_as(self.samples),
            target=self.chosen,
            n_steps=self.n_steps,
            internal_batch_size=max(len(self.samples), 256),
        )

    def grad_cam(self) -> Tensor:
        """Weigh the maps of a layer by their mean gradients, by captum."""
        captum = import_optional("captum.attr", "explain", "method='grad_cam'")
        subject = self.scores.subject
        layout = need_layout(subject, tuple(self.samples.shape[1:]), "method='grad_cam'")
        convolutions = subject.convolutions()
        if self.layer is None and not convolutions:
            raise ValueError("method='grad_cam' needs a convolution, or a layer that has maps.")
        name = subject.response_name(self.layer or convolutions[-1])
        cam = captum.LayerGradCam(self.scores, subject.find(name))
        heat = cam.attribute(self.samples, target=self.chosen, relu_attributions=True)
        if heat.dim() != len(layout.size) + 2:
            raise ValueError(f"layer {self.layer!r} has no maps.")
        images = layout.to_images(self.samples)
        return layout.to_samples(resize(heat, layout.size).expand_as(images).contiguous())
