"""Neural networks as scikit-learn estimators, trained with PyTorch and skorch."""

__version__ = "0.1.0"

from sknn_basics import agents, architectures, inspection, parallel
from sknn_basics.estimators._base.saving import from_json
from sknn_basics.estimators.adversarial import GAN, ConvGAN
from sknn_basics.estimators.autoencoders.convolutional import (
    ConvAutoencoder,
    VariationalConvAutoencoder,
)
from sknn_basics.estimators.autoencoders.decoder import Decoder
from sknn_basics.estimators.autoencoders.dense import Autoencoder
from sknn_basics.estimators.autoencoders.outliers import AutoencoderOutlierDetector
from sknn_basics.estimators.autoencoders.recurrent import RNNAutoencoder
from sknn_basics.estimators.autoencoders.variational import VariationalAutoencoder
from sknn_basics.estimators.convolutional import ConvNetClassifier, ConvNetRegressor
from sknn_basics.estimators.dense import MLPClassifier, MLPRegressor
from sknn_basics.estimators.forecasting import Forecaster
from sknn_basics.estimators.recurrent import RNNClassifier, RNNRegressor
from sknn_basics.estimators.tabular import TabularClassifier, TabularRegressor
from sknn_basics.estimators.text import TextGenerator
from sknn_basics.training.collapse import ModeCollapseWarning

__all__ = [
    "GAN",
    "Autoencoder",
    "AutoencoderOutlierDetector",
    "ConvAutoencoder",
    "ConvGAN",
    "ConvNetClassifier",
    "ConvNetRegressor",
    "Decoder",
    "Forecaster",
    "MLPClassifier",
    "MLPRegressor",
    "ModeCollapseWarning",
    "RNNAutoencoder",
    "RNNClassifier",
    "RNNRegressor",
    "TabularClassifier",
    "TabularRegressor",
    "TextGenerator",
    "VariationalAutoencoder",
    "VariationalConvAutoencoder",
    "agents",
    "architectures",
    "from_json",
    "inspection",
    "parallel",
]
