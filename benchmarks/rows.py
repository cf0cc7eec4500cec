"""The table: what is measured, against whom, and what it must reach."""

from contextlib import nullcontext

from benchmarks import (
    adversarial,
    agents,
    attacks,
    gpu,
    halving,
    images,
    measure,
    peers,
    sequences,
    text,
)
from benchmarks.harness import OURS, Row, excess_of_at_most, ratio_of_at_least, total_of_at_most
from benchmarks.peers import our_class, sklearn_class


def predict_row(name: str, n_rows: int, dtype: str, least: float, measurement) -> Row:
    return Row(
        name=name,
        title=f"`predict_proba`, 784-784-10, {n_rows:,} row{'s' * (n_rows > 1)} of {dtype}",
        detail=f"Both networks were fitted to {dtype} rows and read the same {dtype} array; "
        "scikit-learn's computes in that type, that of sknn_basics in float32.",
        measure=measurement,
        peers={
            OURS: peers.predict_fashion(our_class, n_rows, dtype),
            "scikit-learn": peers.predict_fashion(sklearn_class, n_rows, dtype),
        },
        requirements={"scikit-learn": ratio_of_at_least(least)},
    )


def memory_row(**fields) -> Row:
    return Row(
        peers={
            OURS: peers.fit_memory_map(our_class, 60_000),
            f"{OURS}, 600 rows": peers.fit_memory_map(our_class, 600),
            "scikit-learn": peers.fit_memory_map(sklearn_class, 60_000),
        },
        unit="MB",
        single_sample=True,
        **fields,
    )


def image_row(label: str, name: str) -> Row:
    return Row(
        name=f"images-{name.lower()}",
        title=f"fit {label}, 10,000 images of 28 x 28, batch 256, 2 epochs, Adam",
        detail=f"`architectures.{name}`. The plain loop has the same layers, in channels-last "
        "memory, slices tensors by a random permutation, uses torch's fused Adam and restores the "
        "largest norms; Keras runs on torch.",
        measure=measure.warm_runs,
        peers={
            OURS: images.fit_images(name),
            "plain PyTorch loop": images.fit_images_bare(name),
            "Keras": images.fit_images_keras(name),
        },
        requirements={
            "plain PyTorch loop": ratio_of_at_least(0.95),
            "Keras": ratio_of_at_least(1.3),
        },
    )


def sequence_row(batch_size: int, n_epochs: int) -> Row:
    return Row(
        name=f"sequences-batch-{batch_size}",
        title=f"fit LSTM 9-6-3, 1,987 windows of 13 steps, batch {batch_size}, "
        f"{n_epochs} epoch{'s' * (n_epochs > 1)}, Adam",
        detail="All get float32. The plain loop stacks torch's LSTM layers, slices tensors by a "
        "random permutation and uses torch's fused Adam; Keras runs on torch.",
        measure=measure.warm_runs,
        peers={
            OURS: sequences.fit_windows(batch_size, n_epochs),
            "plain PyTorch loop": sequences.fit_windows_bare(batch_size, n_epochs),
            "Keras": sequences.fit_windows_keras(batch_size, n_epochs),
        },
        requirements={
            "plain PyTorch loop": ratio_of_at_least(0.9),
            "Keras": ratio_of_at_least(4),
        },
    )


def gan_row(name: str, title: str, network: str, ours, bare) -> Row:
    return Row(
        name=name,
        title=title,
        detail=f"{network} The plain loop makes the same steps with torch's layers, its fused Adam "
        "and slices of a random permutation, but records neither losses nor confidences.",
        measure=measure.warm_runs,
        peers={OURS: ours, "plain PyTorch loop": bare},
        requirements={"plain PyTorch loop": ratio_of_at_least(0.91)},
    )


OUR_SEARCH = peers.search_digits(peers.mlp_digits(our_class), peers.as_two_networks)

_ROWS = [
    Row(
        name="digits",
        title="fit digits, 64-100-10, batch 200, 10 epochs, Adam",
        detail="All get the pixels divided by 16 as float64, skorch as float32. skorch feeds its "
        "own `DataLoader` and holds out nothing; Keras runs on torch through scikeras.",
        measure=measure.warm_runs,
        peers={
            OURS: peers.fit_digits(our_class),
            "scikit-learn": peers.fit_digits(sklearn_class),
            "skorch": peers.fit_digits_skorch,
            "Keras": peers.fit_digits_keras,
        },
        requirements={
            "scikit-learn": ratio_of_at_least(1),
            "skorch": ratio_of_at_least(3),
            "Keras": ratio_of_at_least(6),
        },
    ),
    Row(
        name="fashion",
        title="fit 20,000 x 784, 784-784-10, batch 256, 2 epochs, Adam",
        detail="All get float32 in [0, 1]. The plain loop slices tensors by a random permutation, "
        "uses torch's fused Adam, and keeps no loss, penalty or history.",
        measure=measure.warm_runs,
        peers={
            OURS: peers.fit_fashion(our_class),
            "scikit-learn": peers.fit_fashion(sklearn_class),
            "plain PyTorch loop": peers.fit_fashion_bare,
        },
        requirements={
            "scikit-learn": ratio_of_at_least(2),
            "plain PyTorch loop": ratio_of_at_least(0.97),
        },
    ),
    Row(
        name="search",
        title="grid search: 12 candidates x 5 folds, digits, 64-100-10, 10 epochs",
        detail="Without refit. sknn_basics runs under "
        '`joblib.parallel_config(backend="stacked", n_processes=2)`, the others with `n_jobs=2`. '
        "skorch's penalty is Adam's `weight_decay`.",
        measure=measure.warm_runs,
        peers={
            OURS: OUR_SEARCH,
            "scikit-learn": peers.search_digits(
                peers.mlp_digits(sklearn_class), peers.in_two_processes
            ),
            "skorch": peers.search_digits(
                peers.skorch_network,
                peers.in_two_processes,
                "lr",
                "optimizer__weight_decay",
                dtype="float32",
            ),
            "Keras": peers.search_digits(
                peers.keras_network,
                peers.in_two_processes,
                "optimizer__learning_rate",
                "model__alpha",
            ),
        },
        requirements={
            "scikit-learn": ratio_of_at_least(2),
            "skorch": ratio_of_at_least(8),
            "Keras": ratio_of_at_least(12),
        },
    ),
    Row(
        name="halving",
        title="successive halving: 27 candidates x 5 folds, digits, 64-100-10, at most 81 epochs",
        detail="Without refit. Ours is `EpochHalvingSearchCV` as it is, in which a fold trains 243 "
        'epochs. scikit-learn\'s `HalvingGridSearchCV(resource="max_iter")` trains 324, and its '
        "`GridSearchCV` of its own network and of ours, stacked in two processes, all 2,187. "
        "`python -m benchmarks.halving` compares the best scores.",
        measure=measure.warm_runs,
        peers={
            OURS: halving.OUR_HALVING,
            "scikit-learn, all epochs": halving.SEARCH,
            "scikit-learn, halving": halving.HALVING,
            "ours, all epochs": halving.OUR_SEARCH,
        },
        requirements={
            "scikit-learn, all epochs": ratio_of_at_least(15),
            "scikit-learn, halving": ratio_of_at_least(3),
            "ours, all epochs": ratio_of_at_least(5),
        },
    ),
    Row(
        name="search-pipeline",
        title="the same search with a `MinMaxScaler` in a `Pipeline`",
        detail="Compared also with the search of sknn_basics without the scaler.",
        measure=measure.warm_runs,
        peers={
            OURS: peers.search_digits(
                peers.mlp_digits(our_class), peers.as_two_networks, scaled=True
            ),
            "scikit-learn": peers.search_digits(
                peers.mlp_digits(sklearn_class), peers.in_two_processes, scaled=True
            ),
            "sknn_basics, without": OUR_SEARCH,
        },
        requirements={
            "scikit-learn": ratio_of_at_least(2),
            "sknn_basics, without": ratio_of_at_least(0.9),
        },
    ),
    Row(
        name="search-readme",
        title="grid search: README's two shapes x two solvers, 5 folds, digits, 10 epochs",
        detail="Both have the candidates that scikit-learn has too, those without dropout. Ours "
        "are one stack in each of two processes.",
        measure=measure.warm_runs,
        peers={
            OURS: peers.search_shapes(our_class, peers.as_two_networks, peers.README_GRID),
            "scikit-learn": peers.search_shapes(
                sklearn_class, peers.in_two_processes, peers.README_GRID
            ),
        },
        requirements={"scikit-learn": ratio_of_at_least(2.5)},
    ),
    Row(
        name="search-shapes",
        title="grid search: 9 widths x 3 depths, 5 folds, digits, 10 epochs",
        detail="All networks in one stack, beside our own fits one by one.",
        measure=measure.warm_runs,
        peers={
            OURS: peers.search_shapes(our_class, peers.as_one_network, peers.SHAPES_GRID),
            "one by one": peers.search_shapes(our_class, nullcontext, peers.SHAPES_GRID),
        },
        requirements={"one by one": ratio_of_at_least(2)},
    ),
    Row(
        name="cross-validation",
        title="10-fold `cross_val_score`, 20,000 x 784, 784-784-10, batch 256, 2 epochs",
        detail='sknn_basics under `backend="stacked"` in one process, and with `n_jobs=2`.',
        measure=measure.warm_runs,
        peers={
            OURS: peers.cross_validate_fashion(peers.as_one_network),
            "`n_jobs=2`": peers.cross_validate_fashion(peers.in_two_processes),
        },
        requirements={"`n_jobs=2`": ratio_of_at_least(1)},
    ),
    Row(
        name="bagging",
        title="`BaggingClassifier` of 100 networks, digits, 64-32-10, batch 200, 10 epochs",
        detail='sknn_basics under `backend="stacked", n_processes=2`, scikit-learn with '
        "`n_jobs=2`.",
        measure=measure.warm_runs,
        peers={
            OURS: peers.bag_digits(our_class, peers.as_two_networks),
            "scikit-learn": peers.bag_digits(sklearn_class, peers.in_two_processes),
        },
        requirements={"scikit-learn": ratio_of_at_least(5)},
    ),
    image_row("the strided convolutional network", "STRIDED"),
    image_row("the pooled convolutional network", "POOLED"),
    Row(
        name="images-augmented",
        title="the strided network, with random shifts, rotations and flips",
        detail="Compared with the same fit without them.",
        measure=measure.warm_runs,
        peers={
            OURS: images.fit_images("STRIDED", augmented=True),
            "sknn_basics, without": images.fit_images("STRIDED"),
        },
        requirements={"sknn_basics, without": ratio_of_at_least(1 / 1.5)},
    ),
    Row(
        name="images-predict",
        title="`predict_proba` of the strided network, 10,000 images",
        detail="The plain loop predicts in batches of 256.",
        measure=measure.warm_runs,
        peers={
            OURS: images.predict_images("STRIDED"),
            "plain PyTorch loop": images.predict_images_bare("STRIDED"),
        },
        requirements={"plain PyTorch loop": ratio_of_at_least(1)},
    ),
    Row(
        name="images-memory",
        title="fit a uint8 memory map of 60,000 images, strided network, 1 epoch: anonymous memory",
        detail="Beyond that of the same fit to 600 images, which needs the same network; "
        "three batches have 2.4 MB. Freed memory is returned to the system at once, so that the "
        "peak is of what is in use.",
        measure=measure.growth_in_use,
        peers={
            OURS: images.fit_mapped_images(60_000),
            f"{OURS}, 600 rows": images.fit_mapped_images(600),
        },
        requirements={f"{OURS}, 600 rows": excess_of_at_most(3 * 0.8, "MB")},
        unit="MB",
        single_sample=True,
    ),
    sequence_row(32, 5),
    sequence_row(1, 1),
    predict_row("predict-1-float32", 1, "float32", 1 / 1.5, measure.warm_calls),
    predict_row("predict-1-float64", 1, "float64", 1 / 1.5, measure.warm_calls),
    predict_row("predict-60000-float32", 60_000, "float32", 1, measure.warm_runs),
    predict_row("predict-60000-float64", 60_000, "float64", 1, measure.warm_runs),
    Row(
        name="attack",
        title="projected gradients of 40 steps against 1,000 digits, ConvNet, radius 0.1",
        detail="`inspection.adversarial` on the fitted network; foolbox and torchattacks run their "
        "own on its `module_`, with steps of a thirtieth of the radius.",
        measure=measure.warm_runs,
        peers={
            OURS: attacks.attack(),
            "foolbox": attacks.attack_foolbox(),
            "torchattacks": attacks.attack_torchattacks(),
        },
        requirements={
            "foolbox": ratio_of_at_least(1.0),
            "torchattacks": ratio_of_at_least(1.0),
        },
    ),
    Row(
        name="text",
        title="fit a text generator of two LSTM 128 to 100,000 windows of 40 characters, 1 epoch",
        detail="Every step is a target, batches of 100. The plain loop slices windows of numbers "
        "by a random permutation, has `nn.LSTM` read one-hot vectors, and uses torch's fused "
        "Adam.",
        measure=measure.warm_runs,
        peers={OURS: text.fit_text(), "plain PyTorch loop": text.fit_text_bare()},
        requirements={"plain PyTorch loop": ratio_of_at_least(0.9)},
    ),
    Row(
        name="text-memory",
        title="the same fit: anonymous memory",
        detail="Beyond that of fits to 1,000 windows, which need the same network: by "
        "sknn_basics, and by the plain loop. Freed memory is returned to the system at once.",
        measure=measure.growth_in_use,
        peers={
            OURS: text.fit_text(),
            f"{OURS}, 1,000 windows": text.fit_text(1000),
            "plain PyTorch loop, 1,000 windows": text.fit_text_bare(1000),
        },
        requirements={
            f"{OURS}, 1,000 windows": excess_of_at_most(100, "MB"),
            "plain PyTorch loop, 1,000 windows": excess_of_at_most(100, "MB"),
        },
        unit="MB",
        single_sample=True,
    ),
    Row(
        name="text-generate",
        title="write 1,000 characters by a network of two LSTM 128, window of 400",
        detail="Compared with a window of 40: the state is carried on, so that the time per "
        "character does not grow with the window.",
        measure=measure.warm_runs,
        peers={OURS: text.generate_text(400), f"{OURS}, window 40": text.generate_text(40)},
        requirements={f"{OURS}, window 40": ratio_of_at_least(0.9)},
    ),
    Row(
        name="agents-table",
        title="Q-learning with a table, 3,000 games of Flippers (some 27,000 moves)",
        detail="`python -m benchmarks.agents` prints moves per second. The plain loop has an array "
        "as table and draws from a NumPy generator.",
        measure=measure.warm_runs,
        peers={OURS: agents.play_table(3000), "bare NumPy loop": agents.play_table_bare(3000)},
        requirements={"bare NumPy loop": ratio_of_at_least(1)},
    ),
    Row(
        name="agents-deep",
        title="deep Q-learning, 3,000 moves of CartPole, 4-64-64-2, batch 64, Adam",
        detail="The plain loop is double deep Q-learning in one function, with arrays as memory "
        "and torch's fused Adam; stable-baselines3's `DQN` is not double.",
        measure=measure.warm_runs,
        peers={
            OURS: agents.fit_cart_pole,
            "plain PyTorch loop": agents.fit_cart_pole_bare,
            "stable-baselines3": agents.fit_cart_pole_sb3,
        },
        requirements={
            "plain PyTorch loop": ratio_of_at_least(1 / 1.2),
            "stable-baselines3": ratio_of_at_least(1),
        },
    ),
    gan_row(
        "gan-points",
        "fit a GAN of 10,000 points, 4-16-2 against 2-16-16-1, batch 32, 2 epochs, Adam",
        "`GAN`, in float32.",
        adversarial.fit_points,
        adversarial.fit_points_bare,
    ),
    gan_row(
        "gan-images",
        "fit a GAN of 10,000 images of 28 x 28, batch 128, 1 epoch, Adam",
        "`architectures.STRIDED_GAN`, a quarter as wide.",
        adversarial.fit_images,
        adversarial.fit_images_bare,
    ),
    memory_row(
        name="memory",
        title="fit a uint8 memory map of 60,000 x 784, 784-100-10, 1 epoch: anonymous memory",
        detail="Peak of what the process allocates, beyond that after the import, sampled every "
        "millisecond. The fit on 600 rows shows what torch and the network need whatever the data.",
        measure=measure.anonymous_growth,
        requirements={OURS: total_of_at_most(150, "MB")},
    ),
    memory_row(
        name="memory-resident",
        title="the same fit: resident memory",
        detail="Peak of all pages, beyond that of the import. It includes those of the mapped file "
        "(47 MB) and of libraries first used by the fit, which the system may drop at any time.",
        measure=measure.resident_growth,
        requirements={OURS: total_of_at_most(150, "MB")},
    ),
    Row(
        name="import",
        title="`import sknn_basics`",
        detail="The dependencies are `sklearn.base`, `sklearn.utils.validation`, torch and skorch.",
        measure=measure.cold_run,
        peers={
            OURS: lambda folder: peers.import_ours,
            "its dependencies": lambda folder: peers.import_dependencies,
        },
        requirements={"its dependencies": excess_of_at_most(300, "ms")},
        single_sample=True,
    ),
    Row(
        name="first-fit",
        title="fit digits: the first fit of a fresh process less the second",
        detail="What a worker process pays once, after the imports.",
        measure=measure.first_extra,
        peers={
            OURS: peers.fit_digits(our_class),
            "scikit-learn": peers.fit_digits(sklearn_class),
            "skorch": peers.fit_digits_skorch,
        },
        requirements={OURS: total_of_at_most(500, "ms")},
        single_sample=True,
    ),
]

ROWS = {row.name: row for row in [*_ROWS, *gpu.ROWS]}
