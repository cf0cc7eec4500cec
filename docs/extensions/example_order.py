"""The order of the gallery: from the first steps to single families."""

ORDER = [
    "quickstart.py",
    "plot_errors.py",
    "plot_search_scores.py",
    "stacked_search.py",
    "plot_epoch_halving.py",
    "plot_schedules.py",
    "plot_few_images.py",
    "plot_augmentation.py",
    "plot_shapes_stream.py",
    "plot_convnet_architectures.py",
    "plot_transfer.py",
    "plot_tables.py",
    "plot_images_and_columns.py",
    "plot_added_convolutions.py",
    "plot_filters_and_dreams.py",
    "plot_adversaries.py",
    "plot_credit_decision.py",
    "plot_recurrent_states.py",
    "plot_sunspots.py",
    "plot_text.py",
    "plot_latent_space.py",
    "plot_linear_autoencoder.py",
    "plot_number_of_latents.py",
    "plot_autoencoders_compared.py",
    "plot_denoising.py",
    "plot_anomaly_detection.py",
    "plot_gan_points.py",
    "plot_gan_images.py",
    "plot_gan_growing.py",
    "plot_flippers.py",
    "plot_cliff_walking.py",
    "plot_deep_q.py",
]


def order_of_example(name: str) -> tuple[int, str]:
    """Tell where an example stands; those not listed come last, by name."""
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)
