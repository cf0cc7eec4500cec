"""Functions that look inside fitted models: outputs of layers, explanations, latent variables."""

from sknn_basics.inspection._images import total_variation
from sknn_basics.inspection.activations import activations, layer_gradient
from sknn_basics.inspection.adversaries import adversarial, universal_perturbation
from sknn_basics.inspection.counterfactuals import counterfactual
from sknn_basics.inspection.dreams import dream
from sknn_basics.inspection.drifts import drift
from sknn_basics.inspection.errors import explained_variance, reconstruction_error
from sknn_basics.inspection.latents import blend, interpolate, latent_grid, latent_path, perturb
from sknn_basics.inspection.maximizing import maximize
from sknn_basics.inspection.saliency import saliency
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
    "counterfactual",
    "dream",
    "drift",
    "explained_variance",
    "gram_matrix",
    "interpolate",
    "latent_grid",
    "latent_path",
    "layer_gradient",
    "maximize",
    "perturb",
    "reconstruct_content",
    "reconstruct_style",
    "reconstruction_error",
    "saliency",
    "style_transfer",
    "total_variation",
    "universal_perturbation",
]
