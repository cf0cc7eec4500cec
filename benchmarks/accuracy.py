"""Accuracy on Fashion-MNIST beside Keras: ``python -m benchmarks.accuracy [NAME ...]``.

The same networks, five epochs on all 60,000 images, scored on the 10,000 test images; the mean of
three seeds. Prints one line a fit, then a table.
"""

import os
import sys
import time
import warnings

import numpy as np

NAMES = ("STRIDED", "POOLED", "DEEP_POOLED")
SEEDS = range(3)
N_EPOCHS = 5


def load(split: str) -> tuple[np.ndarray, np.ndarray]:
    from sknn_basics.datasets import load_fashion_mnist

    X, y = load_fashion_mnist(split=split, return_X_y=True)
    return (X / np.float32(127.5) - 1).astype(np.float32).reshape(-1, 28, 28), y


def score_ours(name: str, seed: int, train, test) -> float:
    from sknn_basics import ConvNetClassifier, architectures

    parameters = {**getattr(architectures, name), "max_iter": N_EPOCHS, "random_state": seed}
    return ConvNetClassifier(**parameters).fit(*train).score(*test)


def score_keras(name: str, seed: int, train, test) -> float:
    import keras

    keras.utils.set_random_seed(seed)
    network = keras_network(name)
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    network.fit(*train, batch_size=256, epochs=N_EPOCHS, verbose=0)
    return network.evaluate(*test, batch_size=1000, verbose=0)[1]


def keras_network(name: str):
    """The architecture of that name, in Keras's layers."""
    os.environ["KERAS_BACKEND"] = "torch"
    from keras import Input, Sequential, constraints, layers

    from sknn_basics import architectures

    parameters = getattr(architectures, name)
    pooled, network = parameters["downsample"] == "max", Sequential([Input((28, 28, 1))])
    limit = parameters.get("max_norm")
    constraint = None if limit is None else constraints.MaxNorm(limit, axis=(0, 1, 2))
    for filters, kernels in zip(parameters["filters"], parameters["kernel_size"]):
        widths = np.atleast_1d(filters)
        for i, (width, kernel) in enumerate(zip(widths, np.atleast_1d(kernels)), 1):
            strides = 2 if i == len(widths) and not pooled else 1
            network.add(
                layers.Conv2D(
                    int(width), int(kernel), strides, padding="same", activation="relu",
                    kernel_constraint=constraint,
                )
            )  # fmt: skip
        if pooled:
            network.add(layers.MaxPooling2D())
        if parameters.get("dropout"):
            network.add(layers.Dropout(parameters["dropout"]))
    network.add(layers.Flatten())
    for width in parameters["hidden_layer_sizes"]:
        network.add(layers.Dense(width, activation="relu"))
    network.add(layers.Dense(10, activation="softmax"))
    return network


def main(names: list[str]) -> None:
    warnings.simplefilter("ignore")  # that five epochs do not converge is meant
    os.environ["KERAS_BACKEND"] = "torch"
    train, test = load("train"), load("test")
    rows = []
    for name in names or NAMES:
        scores = {"sknn_basics": [], "Keras": []}
        for seed in SEEDS:
            for peer, score in (("sknn_basics", score_ours), ("Keras", score_keras)):
                start = time.perf_counter()
                scores[peer].append(score(name, seed, train, test))
                seconds = time.perf_counter() - start
                print(f"{name} {peer} seed {seed}: {scores[peer][-1]:.4f} ({seconds:.0f} s)")
                sys.stdout.flush()
        rows.append((name, *(np.mean(scores[peer]) for peer in scores)))
    print("| architecture | sknn_basics | Keras | difference |\n| --- | --- | --- | --- |")
    for name, ours, theirs in rows:
        print(f"| `{name}` | {ours:.4f} | {theirs:.4f} | {ours - theirs:+.4f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
