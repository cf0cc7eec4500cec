"""Looking inside fitted models."""

from sknn_basics.inspection._images import total_variation
from sknn_basics.inspection.activations import activations
from sknn_basics.inspection.adversaries import adversarial, universal_perturbation
from sknn_basics.inspection.dreams import dream
from sknn_basics.inspection.latents import blend, interpolate, latent_grid, latent_path, perturb
from sknn_basics.inspection.maximizing import maximize
from sknn_basics.inspection.styles import (
    gram_matrix,
    reconstruct_content,
    reconstruct_style,
    style_transfer,
)

__all__ = [
    "activations",
    "adversarial",
    "blend",
    "dream",
    "gram_matrix",
    "interpolate",
    "latent_grid",
    "latent_path",
    "maximize",
    "perturb",
    "reconstruct_content",
    "reconstruct_style",
    "style_transfer",
    "total_variation",
    "universal_perturbation",
]
