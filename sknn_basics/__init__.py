"""Neural estimators for scikit-learn, on PyTorch and skorch."""

__version__ = "0.1.0"

from sknn_basics import architectures, parallel
from sknn_basics.convnet import ConvNetClassifier, ConvNetRegressor
from sknn_basics.forecasting import Forecaster
from sknn_basics.mlp import MLPClassifier, MLPRegressor
from sknn_basics.persistence import from_json
from sknn_basics.rnn import RNNClassifier, RNNRegressor

__all__ = [
    "ConvNetClassifier",
    "ConvNetRegressor",
    "Forecaster",
    "MLPClassifier",
    "MLPRegressor",
    "RNNClassifier",
    "RNNRegressor",
    "architectures",
    "from_json",
    "parallel",
]
