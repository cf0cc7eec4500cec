"""Looking inside fitted models."""

from sknn_basics.inspection.activations import activations
from sknn_basics.inspection.latents import blend, interpolate, latent_grid, latent_path, perturb

__all__ = ["activations", "blend", "interpolate", "latent_grid", "latent_path", "perturb"]
