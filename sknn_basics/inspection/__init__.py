"""Looking inside fitted models."""

from sknn_basics.inspection._images import total_variation
from sknn_basics.inspection.activations import activations
from sknn_basics.inspection.latents import blend, interpolate, latent_grid, latent_path, perturb
from sknn_basics.inspection.maximizing import maximize

__all__ = [
    "activations",
    "blend",
    "interpolate",
    "latent_grid",
    "latent_path",
    "maximize",
    "perturb",
    "total_variation",
]
