"""Neural estimators for scikit-learn, on PyTorch and skorch."""

__version__ = "0.1.0"

from sknn_basics import agents, architectures, inspection, parallel
from sknn_basics.autoencoder import Autoencoder
from sknn_basics.conv_autoencoder import ConvAutoencoder, VariationalConvAutoencoder
from sknn_basics.convnet import ConvNetClassifier, ConvNetRegressor
from sknn_basics.decoder import Decoder
from sknn_basics.forecasting import Forecaster
from sknn_basics.mlp import MLPClassifier, MLPRegressor
from sknn_basics.persistence import from_json
from sknn_basics.rnn import RNNClassifier, RNNRegressor
from sknn_basics.rnn_autoencoder import RNNAutoencoder
from sknn_basics.text import TextGenerator
from sknn_basics.variational import VariationalAutoencoder

__all__ = [
    "Autoencoder",
    "ConvAutoencoder",
    "ConvNetClassifier",
    "ConvNetRegressor",
    "Decoder",
    "Forecaster",
    "MLPClassifier",
    "MLPRegressor",
    "RNNAutoencoder",
    "RNNClassifier",
    "RNNRegressor",
    "TextGenerator",
    "VariationalAutoencoder",
    "VariationalConvAutoencoder",
    "agents",
    "architectures",
    "from_json",
    "inspection",
    "parallel",
]
