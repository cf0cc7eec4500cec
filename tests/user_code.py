"""Calls as users write them, for mypy: each line that must fail says with which of its errors."""

import numpy as np
from torch import nn

from sknn_basics import (
    GAN,
    Autoencoder,
    AutoencoderOutlierDetector,
    ConvAutoencoder,
    ConvGAN,
    ConvNetClassifier,
    ConvNetRegressor,
    Forecaster,
    MLPClassifier,
    MLPRegressor,
    RNNAutoencoder,
    RNNClassifier,
    RNNRegressor,
    TabularClassifier,
    TabularRegressor,
    TextGenerator,
    VariationalAutoencoder,
    VariationalConvAutoencoder,
)

X, y = np.zeros((4, 2)), np.arange(4)

MLPClassifier((10, 10), "tanh", alpha=0, max_iter=np.int64(3), dropout=[0.1, 0.2]).fit(X, y)
MLPRegressor("huber", np.array([10]), learning_rate=lambda epoch: 0.1 / (epoch + 1)).predict(X)
ConvNetClassifier((8, (16, 16)), strides=[[(2, 3)], 1], padding=["same", 0])
RNNClassifier((8,), "gru", class_weight={0: 1.0, 1: 2.0}).predict_proba(X)
Forecaster(MLPRegressor(), 12, horizon=3)
TabularClassifier(8, categorical_features=["a"], max_iter="auto").fit(X, y)
TextGenerator("word", embedding_size=None, vocabulary=["a", "b"])
Autoencoder((8,), 2, noise="mask").fit_transform(X)
AutoencoderOutlierDetector(Autoencoder(), contamination=0.1).fit(X).predict(X)
GAN((8,), loss=(lambda logits, is_real: -logits, lambda logits: -logits)).fit(X, y).sample(2, y=0)
ConvGAN((4, 8), grow=[4, 8], generator_normalization=("batch", None)).extract_generator().sample()

MLPClassifier(activation=["relu", "tanh"], layer_rates={"hidden*": 0.1}, average_decay=0.9)
MLPRegressor(module=nn.Linear(2, 5), init_from={"0.weight": X}, init_layers={"0": "module"})
RNNRegressor(module=lambda shape: nn.GRU(shape[1], 8), max_time=60)
ConvNetClassifier(kernel_size={3, 5}, depthwise=[True, False], pool_padding="same")
TextGenerator(embedding={"a": X[0]})

MLPClassifier(hiden_layer_sizes=(10,))  # error: call-arg
MLPClassifier(max_iter="10")  # error: arg-type
MLPRegressor(hiden_layer_sizes=(10,))  # error: call-arg
MLPRegressor(max_iter="10")  # error: arg-type
ConvNetClassifier(fliters=8)  # error: call-arg
ConvNetClassifier(max_iter="10")  # error: arg-type
MLPClassifier(module="gru")  # error: arg-type
RNNClassifier(max_time="1h")  # error: arg-type
ConvNetRegressor(fliters=8)  # error: call-arg
ConvNetRegressor(max_iter="10")  # error: arg-type
RNNClassifier(cel="gru")  # error: call-arg
RNNClassifier(max_iter="10")  # error: arg-type
RNNRegressor(cel="gru")  # error: call-arg
RNNRegressor(max_iter="10")  # error: arg-type
TabularClassifier(n_network=4)  # error: call-arg
TabularClassifier(max_iter=[10])  # error: arg-type
TabularRegressor(n_network=4)  # error: call-arg
TabularRegressor(alpha="10")  # error: arg-type
TextGenerator(windows=40)  # error: call-arg
TextGenerator(max_iter="10")  # error: arg-type
Forecaster(MLPRegressor(), windows=12)  # error: call-arg
Forecaster(MLPRegressor(), window="12")  # error: arg-type
Autoencoder(n_component=2)  # error: call-arg
Autoencoder(max_iter="10")  # error: arg-type
AutoencoderOutlierDetector(contamination=[0.1])  # error: arg-type
VariationalAutoencoder(n_component=2)  # error: call-arg
VariationalAutoencoder(max_iter="10")  # error: arg-type
ConvAutoencoder(n_component=2)  # error: call-arg
ConvAutoencoder(max_iter="10")  # error: arg-type
VariationalConvAutoencoder(n_component=2)  # error: call-arg
VariationalConvAutoencoder(max_iter="10")  # error: arg-type
GAN(n_component=2)  # error: call-arg
GAN(max_iter="10")  # error: arg-type
ConvGAN(n_component=2)  # error: call-arg
ConvGAN(max_iter="10")  # error: arg-type
RNNAutoencoder(n_component=2)  # error: call-arg
RNNAutoencoder(max_iter="10")  # error: arg-type
