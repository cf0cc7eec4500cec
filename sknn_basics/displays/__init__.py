"""Pictures by matplotlib, which is imported only when one is drawn.

They follow scikit-learn's convention: a class method ``from_...`` computes and draws, `plot` draws
again, and what was drawn is in ``ax_`` or ``axes_`` and in ``figure_``.
"""

from sknn_basics.displays.augmentation import AugmentationDisplay
from sknn_basics.displays.matches import MatchMapDisplay

__all__ = ["AugmentationDisplay", "MatchMapDisplay"]
