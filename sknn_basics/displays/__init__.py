"""Displays: plots of trainings, searches, predictions and networks with matplotlib.

They follow scikit-learn's convention: a class method ``from_...`` computes and plots, `plot` plots
again, and the result is in ``ax_`` or ``axes_`` and in ``figure_``. matplotlib is imported only
when something is plotted.
"""

from sknn_basics.displays.adversarial import GeneratedSamplesDisplay, SampleHistoryDisplay
from sknn_basics.displays.adversaries import AdversarialDisplay
from sknn_basics.displays.architecture import ArchitectureDisplay
from sknn_basics.displays.augmentation import AugmentationDisplay
from sknn_basics.displays.counterfactuals import CounterfactualDisplay
from sknn_basics.displays.decoded import InterpolationDisplay, LatentGridDisplay
from sknn_basics.displays.drawn import DreamDisplay, StyleTransferDisplay
from sknn_basics.displays.ensembles import EnsembleCurveDisplay
from sknn_basics.displays.errors import ErrorCountDisplay, ErrorGalleryDisplay
from sknn_basics.displays.filters import FeatureMapDisplay, FilterDisplay
from sknn_basics.displays.forecasts import BacktestDisplay
from sknn_basics.displays.games import DiscountedReturnDisplay, GameDisplay, QTableDisplay
from sknn_basics.displays.history import TrainingCurveDisplay
from sknn_basics.displays.latents import LatentBarsDisplay, LatentScatterDisplay
from sknn_basics.displays.lengths import AgentCurveDisplay, GameLengthDisplay
from sknn_basics.displays.matches import MatchMapDisplay
from sknn_basics.displays.outliers import AnomalyMapDisplay, OutlierScoreDisplay
from sknn_basics.displays.predictions import PredictionGridDisplay
from sknn_basics.displays.probabilities import TopProbabilitiesDisplay
from sknn_basics.displays.reconstructions import ReconstructionDisplay
from sknn_basics.displays.saliency import SaliencyDisplay
from sknn_basics.displays.samples import ClassSamplesDisplay
from sknn_basics.displays.searches import SearchScoresDisplay
from sknn_basics.displays.states import RecurrentStatesDisplay
from sknn_basics.displays.times import FitTimeDisplay

__all__ = [
    "AdversarialDisplay",
    "AgentCurveDisplay",
    "AnomalyMapDisplay",
    "ArchitectureDisplay",
    "AugmentationDisplay",
    "BacktestDisplay",
    "ClassSamplesDisplay",
    "CounterfactualDisplay",
    "DiscountedReturnDisplay",
    "DreamDisplay",
    "EnsembleCurveDisplay",
    "ErrorCountDisplay",
    "ErrorGalleryDisplay",
    "FeatureMapDisplay",
    "FilterDisplay",
    "FitTimeDisplay",
    "GameDisplay",
    "GameLengthDisplay",
    "GeneratedSamplesDisplay",
    "InterpolationDisplay",
    "LatentBarsDisplay",
    "LatentGridDisplay",
    "LatentScatterDisplay",
    "MatchMapDisplay",
    "OutlierScoreDisplay",
    "PredictionGridDisplay",
    "QTableDisplay",
    "ReconstructionDisplay",
    "RecurrentStatesDisplay",
    "SaliencyDisplay",
    "SampleHistoryDisplay",
    "SearchScoresDisplay",
    "StyleTransferDisplay",
    "TopProbabilitiesDisplay",
    "TrainingCurveDisplay",
]
