"""The sections of the gallery, and the order of the examples in each."""

import re

SECTIONS = {
    "First steps": ["quickstart.py", "plot_errors.py"],
    "Searches and training": [
        "stacked_search.py",
        "plot_search_scores.py",
        "plot_epoch_halving.py",
        "plot_schedules.py",
    ],
    "Tables": ["plot_tables.py", "plot_credit_decision.py"],
    "Images": [
        "plot_few_images.py",
        "plot_augmentation.py",
        "plot_shapes_stream.py",
        "plot_convnet_architectures.py",
        "plot_transfer.py",
        "plot_images_and_columns.py",
        "plot_added_convolutions.py",
    ],
    "Looking inside": ["plot_filters_and_dreams.py", "plot_adversaries.py"],
    "Sequences, time series and texts": [
        "plot_recurrent_states.py",
        "plot_sequence_labels.py",
        "plot_moving_ball.py",
        "plot_sunspots.py",
        "plot_sine_forecasts.py",
        "plot_text.py",
    ],
    "Autoencoders": [
        "plot_latent_space.py",
        "plot_linear_autoencoder.py",
        "plot_number_of_latents.py",
        "plot_autoencoders_compared.py",
        "plot_denoising.py",
        "plot_anomaly_detection.py",
    ],
    "Generative adversarial networks": [
        "plot_gan_points.py",
        "plot_gan_images.py",
        "plot_gan_growing.py",
    ],
    "Learning to act": ["plot_flippers.py", "plot_cliff_walking.py", "plot_deep_q.py"],
}
ORDER = [name for names in SECTIONS.values() for name in names]

OPEN = '.. raw:: html\n\n    <div class="sphx-glr-thumbnails">\n\n'
CLOSE = ".. raw:: html\n\n    </div>\n\n"
# The block of an example's thumbnail begins so, and names the example's page.
THUMBNAIL = r'\.\. raw:: html\n\n    <div class="sphx-glr-thumbcontainer"'


def order_of_example(name: str) -> tuple[int, str]:
    """Tell where an example stands; those not listed come last, by name."""
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def add_sections(page: str) -> str:
    """Put the title of a section before its first example."""
    titles = {names[0].removesuffix(".py"): title for title, names in SECTIONS.items()}
    head, *thumbnails = re.split(f"(?={THUMBNAIL})", page)
    parts = [head.replace(OPEN, "", 1)]
    for thumbnail in thumbnails:
        name = re.search(r":doc:`/auto_examples/(\w+)`", thumbnail)[1]
        if title := titles.get(name):
            close = CLOSE if len(parts) > 1 else ""
            parts.append(f"{close}{title}\n{'-' * len(title)}\n\n{OPEN}")
        parts.append(thumbnail)
    return "".join(parts)


def read_index(app, docname: str, source: list[str]) -> None:
    if docname == "auto_examples/index":
        source[0] = add_sections(source[0])


def setup(app) -> dict:
    app.connect("source-read", read_index)
    return {"parallel_read_safe": True, "version": "1"}
