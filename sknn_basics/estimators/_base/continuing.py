"""What a fit that continues another one keeps of it, and what begins anew."""

from sknn_basics.training.batches import ArrayDataset
from sknn_basics.training.losses import describe_loss
from sknn_basics.training.net import Net

# What a fit that continues may change of a network: how it is trained, but neither its weights nor
# what it computes of them when it predicts.
TRAINING_ONLY = frozenset(
    {
        "dropout",
        "hidden_dropout",
        "recurrent_dropout",
        "input_noise",
        "noise",
        "appends_latents",
        "max_norm",
        "hidden_max_norm",
        "stateful",
        "window",
        "target",
    }
)


def check_same_structure(fitted: dict, wanted: dict) -> None:
    """Check that the fitted weights are those of the network that the parameters describe.

    Raises
    ------
    ValueError
        If they are not; the message names the first difference.
    """
    weights_of_fitted = without_training(fitted)
    for name, value in without_training(wanted).items():
        # Models of earlier versions have none of what was added since.
        if weights_of_fitted.get(name) != value:
            raise ValueError(
                "warm_start and partial_fit continue with the fitted network, whose "
                f"{name} is {fitted.get(name)!r}, not {wanted[name]!r}."
            )


def only_training(structure) -> list:
    """List what is `TRAINING_ONLY` of a structure."""
    if isinstance(structure, dict):
        return [
            (name, value) if name in TRAINING_ONLY else only_training(value)
            for name, value in structure.items()
        ]
    return [only_training(value) for value in structure] if isinstance(structure, list) else []


def without_training(structure):
    """Leave what is `TRAINING_ONLY` out of a structure, of lists and dicts of any depth."""
    if isinstance(structure, dict):
        kept = structure.keys() - TRAINING_ONLY
        return {name: without_training(structure[name]) for name in structure if name in kept}
    if isinstance(structure, list | tuple):
        return [without_training(value) for value in structure]
    return structure


def describe_measures(
    estimator, net: Net, train: ArrayDataset, valid: ArrayDataset | None, incremental: bool
) -> dict[str, tuple]:
    """Say of which function recorded values are, and on what they are compared.

    A fit that continues another one carries progress over: the curves of losses and scores, the
    best value of each, and how many epochs patience has waited. All three compare numbers, and
    these compare only if they are values of one function of the weights. So each recorded name has
    a measure of two parts: the function (the loss with its options, penalty and noise; the scorer
    and the validation data), and the samples. `NeuralEstimator._forget` compares the measures of
    the last fit with the present ones. Values of another function are another curve, which begins
    anew. Where the samples alone differ, the curve continues, but has no best value yet, and
    patience begins anew; calls of ``partial_fit``, which have samples of their own each, do not ask
    for it.

    Returns
    -------
    measures : dict of str to (tuple, object)
        Function and samples by the name of what is recorded, and for 'progress', which patience
        waits for.
    """
    loss = describe_loss(net.criterion), getattr(estimator, "class_weight", None)
    noise = repr(only_training(estimator._structure_)), getattr(estimator, "augmentation", None)
    samples = None if incremental else (train.fingerprint(), estimator.batch_size)
    measures = {"train_loss": ((*loss, net.alpha, *noise), samples)}
    if valid is not None:
        loss = (*loss, valid.fingerprint())
        measures["valid_loss"] = (loss, None)
        # The weights are those of the best score only after early stopping.
        measures["valid_score"] = ((*loss, estimator.scoring), estimator.early_stopping)
    watched = "valid_score" if estimator.early_stopping and valid is not None else "train_loss"
    function, samples = measures[watched]
    measures["progress"] = (watched, *function), samples
    return measures
