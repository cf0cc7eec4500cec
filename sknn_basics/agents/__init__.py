"""Agents that learn to act in environments: reinforcement learning.

They have parameters, as scikit-learn's estimators have, but are fitted to an environment instead of
X and y.
"""

from sknn_basics.agents.deep import DeepQAgent
from sknn_basics.agents.episodes import Episode
from sknn_basics.agents.policies import mellowmax
from sknn_basics.agents.schedules import ExponentialDecay, LinearDecay
from sknn_basics.agents.searching import as_estimator
from sknn_basics.agents.table import QLearningAgent
from sknn_basics.agents.training import Checkpoint, self_play

__all__ = [
    "Checkpoint",
    "DeepQAgent",
    "Episode",
    "ExponentialDecay",
    "LinearDecay",
    "QLearningAgent",
    "as_estimator",
    "mellowmax",
    "self_play",
]
