"""Convolutional networks."""

from math import isqrt
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions

from sknn_basics.base import NeuralEstimator
from sknn_basics.checks import (
    as_size,
    check_choice,
    check_samples,
    hidden_sizes,
    one_a_block,
    one_a_layer,
)
from sknn_basics.documentation import CONVNET_PARAMETERS, documented
from sknn_basics.heads import NeuralClassifier, NeuralRegressor
from sknn_basics.modules.augmentation import as_augmentation, seeded_global_state
from sknn_basics.modules.conv import CONVOLUTIONS, ConvNetwork
from sknn_basics.modules.images import PIXEL_SCALES
from sknn_basics.modules.layers import ACTIVATIONS

DOWNSAMPLINGS = ("max", "average", "stride", None)
NORMALIZATIONS = ("batch", "layer", None)
CHANNEL_AXES = {"channels_first": 0, "channels_last": -1, "no_channels": None}


class ImageEstimator(NeuralEstimator):
    """What networks of images share: images as X, and the arguments of blocks."""

    def _check_X(self, X, reset: bool):
        return check_samples(self, X, reset)

    def _n_blocks(self) -> int:
        return 1 if isinstance(self.filters, Integral) else len(self.filters)

    def _describe_images(self) -> tuple[list[int], int | None]:
        """Find the shape of an image as it comes, and its channel axis."""
        shape = list(map(int, self._sample_shape_))
        if self.image_shape != "auto":
            wanted = as_size(self.image_shape, len(self.image_shape), "image_shape")
            if np.prod(wanted) != np.prod(shape) or (len(shape) > 1 and wanted != tuple(shape)):
                raise ValueError(f"image_shape={wanted} does not fit samples of shape {shape}.")
            shape = list(wanted)
        elif len(shape) == 1:
            side = isqrt(shape[0])
            return ([side, side] if side**2 == shape[0] else shape), None
        data_format = self.data_format
        if data_format == "auto":
            data_format = "no_channels" if len(shape) < 3 else "channels_last"
        axis = CHANNEL_AXES[data_format]
        if len(shape) - (axis is not None) not in CONVOLUTIONS:
            raise ValueError(
                f"Samples of shape {tuple(shape)} with data_format={self.data_format!r} are no "
                "images of one, two or three dimensions."
            )
        return shape, axis

    def _describe_blocks(self, n_dims: int) -> list[dict]:
        """Collect the arguments of each block."""
        filters = [self.filters] if isinstance(self.filters, Integral) else list(self.filters)
        if not filters or any(np.size(widths) == 0 for widths in filters):
            raise ValueError(f"filters must give a convolution for each block, got {filters}.")
        names = ("kernel_size", "strides", "padding", "downsample", "pool_size", "normalization")
        names = (*names, "activation", "dropout", "max_norm")
        values = {name: one_a_block(getattr(self, name), len(filters), name) for name in names}
        check_blocks(values)
        dropout = one_a_layer(values["dropout"], len(filters), "dropout")
        blocks = []
        for i, widths in enumerate(filters):
            block = {name: values[name][i] for name in names}
            block["filters"] = hidden_sizes(widths, "filters")
            n_convolutions = len(block["filters"])
            for name in ("kernel_size", "strides"):
                sizes = one_a_convolution(block[name], n_convolutions, name)
                block[name] = [as_size(size, n_dims, name) for size in sizes]
            block["pool_size"] = as_size(block["pool_size"], n_dims, "pool_size")
            block["dropout"] = dropout[i]
            blocks.append(block)
        return blocks


class ConvNetEstimator(ImageEstimator):
    """What the convolutional networks share: images as X, and blocks of convolutions."""

    _parameter_constraints: dict = {
        **NeuralEstimator._parameter_constraints,
        "filters": ["array-like", Interval(Integral, 1, None, closed="left")],
        "kernel_size": ["array-like", Interval(Integral, 1, None, closed="left")],
        "strides": ["array-like", Interval(Integral, 1, None, closed="left")],
        "padding": [
            "array-like",
            StrOptions({"same", "valid"}),
            Interval(Integral, 0, None, closed="left"),
        ],
        "downsample": ["array-like", StrOptions({"max", "average", "stride"}), None],
        "pool_size": ["array-like", Interval(Integral, 1, None, closed="left")],
        "normalization": ["array-like", StrOptions({"batch", "layer"}), None],
        "activation": ["array-like", StrOptions(set(ACTIVATIONS)), callable],
        "max_norm": ["array-like", Interval(Real, 0, None, closed="neither"), None],
        "hidden_dropout": ["array-like", Interval(Real, 0, 1, closed="left")],
        "hidden_max_norm": [Interval(Real, 0, None, closed="neither"), None],
        "features": [callable, None],
        "image_shape": [StrOptions({"auto"}), "array-like"],
        "data_format": [StrOptions({"auto", *CHANNEL_AXES})],
        "preprocessing": [StrOptions(set(PIXEL_SCALES)), callable, None],
        "augmentation": [callable, None],
    }

    _stochastic_only = (
        *NeuralEstimator._stochastic_only,
        "hidden_dropout",
        "hidden_max_norm",
        "augmentation",
    )

    def _describe_module(self, n_outputs: int) -> dict:
        shape, channel_axis = self._describe_images()
        sizes = hidden_sizes(self.hidden_layer_sizes)
        activations = one_a_block(self.activation, self._n_blocks(), "activation")
        return {
            "image_shape": shape,
            "channel_axis": channel_axis,
            "blocks": self._describe_blocks(len(shape) - (channel_axis is not None)),
            "features": self.features,
            "hidden_layer_sizes": sizes,
            "n_outputs": n_outputs,
            "hidden_activation": activations[-1],
            "hidden_dropout": one_a_layer(self.hidden_dropout, len(sizes), "hidden_dropout"),
            "hidden_max_norm": self.hidden_max_norm,
            "preprocessing": self.preprocessing,
            "input_noise": self.input_noise,
        }

    def _prepare_module(self, X, target, rng, continued: bool) -> None:
        if not continued and self.features is not None:
            self._features_seed_ = rng.randint(np.iinfo(np.int32).max)
        super()._prepare_module(X, target, rng, continued)

    def _make_module(self, structure: dict) -> ConvNetwork:
        if structure["features"] is None:
            return ConvNetwork(**structure)
        # A function may draw its module's weights from the global random state.
        with seeded_global_state(self._features_seed_, torch.device("cpu")):
            return ConvNetwork(**structure)

    def _drawn_part(self) -> torch.nn.Module:
        parts = self.module_.named_children()
        return torch.nn.ModuleList([part for name, part in parts if name != "features"])

    def _renew_layers(self) -> None:
        if self.augmentation is not None:
            self.module_.input.augmentation = as_augmentation(self.augmentation)
            self.module_.input.augmentation.requires_grad_(False)

    def _fit(self, *args, **kwargs) -> None:
        try:
            super()._fit(*args, **kwargs)
        finally:
            # What only trains is no part of the fitted network.
            if "module_" in vars(self):
                self.module_.input.augmentation = None


def check_blocks(values: dict[str, list]) -> None:
    """Check each block's value of the parameters that are a choice or a number.

    Raises
    ------
    ValueError
        If one is none of those it can be.
    """
    for padding in values["padding"]:
        if not isinstance(padding, Integral) or padding < 0:
            check_choice(padding, ("same", "valid"), "padding")
    for downsample in values["downsample"]:
        check_choice(downsample, DOWNSAMPLINGS, "downsample")
    for normalization in values["normalization"]:
        check_choice(normalization, NORMALIZATIONS, "normalization")
    for activation in values["activation"]:
        if not callable(activation):
            check_choice(activation, list(ACTIVATIONS), "activation")
    for max_norm in values["max_norm"]:
        if max_norm is not None and not (isinstance(max_norm, Real) and max_norm > 0):
            raise ValueError(f"max_norm must be None or > 0, got {max_norm!r}.")


def one_a_convolution(value, n_convolutions: int, name: str) -> list:
    """Read a block's value that is given once or once a convolution as one a convolution.

    Raises
    ------
    ValueError
        If the number of values differs from the number of convolutions.
    """
    if isinstance(value, Integral):
        return [value] * n_convolutions
    if not isinstance(value, list | tuple | np.ndarray) or len(value) != n_convolutions:
        raise ValueError(
            f"{name} of a block must be an integer or one value for each of its {n_convolutions} "
            f"convolutions, got {value!r}."
        )
    return list(value)


@documented(CONVNET_PARAMETERS)
class ConvNetClassifier(ConvNetEstimator, NeuralClassifier):
    """Convolutional network classifier.

    Blocks of convolutions, each ending in a smaller image, then dense layers. Images come as
    they are, in any layout, or as flattened rows; one- and three-dimensional ones too.

    Parameters
    ----------
    %(parameters)s
    loss : {'log_loss', 'cross_entropy'}, default='log_loss'
        'log_loss' chooses by the kind of y: one logistic output for two classes, a softmax for
        more, one logistic output a label for a multi-label y of zeros and ones.
        'cross_entropy' always takes a softmax, and reads a two-dimensional y as one-hot rows or
        class probabilities.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; column numbers for a two-dimensional y.

    %(attributes)s
    See Also
    --------
    ConvNetRegressor : Convolutional network regressor.
    MLPClassifier : Multi-layer perceptron classifier.
    sknn_basics.architectures : Parameters of well-known networks.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner. "Gradient-based learning applied to document recognition."
    Proceedings of the IEEE 86 (1998): 2278-2324.

    Springenberg, Dosovitskiy, Brox and Riedmiller. "Striving for simplicity: the all convolutional
    net." ICLR workshop 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from sknn_basics import ConvNetClassifier
    >>> X, y = load_digits(return_X_y=True)  # rows of 64 pixels are images of 8 x 8
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> model = ConvNetClassifier(filters=(16, 32), batch_size=50, max_iter=15, random_state=0)
    >>> model.fit(X_train, y_train).score(X_test, y_test) > 0.9
    True
    """

    _parameter_constraints: dict = {
        **NeuralClassifier._parameter_constraints,
        **ConvNetEstimator._parameter_constraints,
    }

    def __init__(
        self,
        filters=(16, 32),
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        kernel_size=3,
        strides=1,
        padding="same",
        downsample="stride",
        pool_size=2,
        normalization=None,
        dropout=0.0,
        max_norm=None,
        hidden_dropout=0.0,
        hidden_max_norm=None,
        features=None,
        image_shape="auto",
        data_format="auto",
        preprocessing=None,
        augmentation=None,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        loss="log_loss",
        input_noise=0.0,
        weight_init="auto",
        class_weight=None,
        label_smoothing=0.0,
        clip_grad_norm=None,
        init_from=None,
        init_layers=None,
        frozen_layers=None,
        scoring=None,
        callbacks=None,
        device="auto",
        dtype="auto",
        compile=False,
    ):
        self._store(locals())


@documented(CONVNET_PARAMETERS)
class ConvNetRegressor(ConvNetEstimator, NeuralRegressor):
    """Convolutional network regressor.

    Blocks of convolutions, each ending in a smaller image, then dense layers. Images come as
    they are, in any layout, or as flattened rows; one- and three-dimensional ones too.

    Parameters
    ----------
    %(parameters)s
    loss : {'squared_error', 'poisson', 'absolute_error', 'huber'}, default='squared_error'
        What is minimised: half of the squared error, half of the Poisson deviance (the output is
        an exponential, and y must not be negative), the absolute error, or Huber's loss with
        its corner at 1.

    Attributes
    ----------
    %(attributes)s
    See Also
    --------
    ConvNetClassifier : Convolutional network classifier.
    MLPRegressor : Multi-layer perceptron regressor.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner. "Gradient-based learning applied to document recognition."
    Proceedings of the IEEE 86 (1998): 2278-2324.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetRegressor
    >>> images = load_digits().images / 16  # of shape (1797, 8, 8)
    >>> centre = images.sum(axis=1) @ np.arange(8) / images.sum(axis=(1, 2))
    >>> model = ConvNetRegressor(filters=(8, 16), batch_size=20, max_iter=20, random_state=0)
    >>> model.fit(images[:1500], centre[:1500]).score(images[1500:], centre[1500:]) > 0.8
    True
    """

    _parameter_constraints: dict = {
        **NeuralRegressor._parameter_constraints,
        **ConvNetEstimator._parameter_constraints,
    }

    def __init__(
        self,
        loss="squared_error",
        filters=(16, 32),
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        kernel_size=3,
        strides=1,
        padding="same",
        downsample="stride",
        pool_size=2,
        normalization=None,
        dropout=0.0,
        max_norm=None,
        hidden_dropout=0.0,
        hidden_max_norm=None,
        features=None,
        image_shape="auto",
        data_format="auto",
        preprocessing=None,
        augmentation=None,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        input_noise=0.0,
        weight_init="auto",
        clip_grad_norm=None,
        init_from=None,
        init_layers=None,
        frozen_layers=None,
        scoring=None,
        callbacks=None,
        device="auto",
        dtype="auto",
        compile=False,
    ):
        self._store(locals())
