"""
=====================================
Deep Q: a network in place of a table
=====================================

A table learns every board by itself. A network reads the nine tiles, and what it learns of one
board serves others that are like it. It learns from moves that it has recorded, towards targets of
a copy of itself that is updated from time to time.

.. code-block:: shell

    python examples/plot_deep_q.py              # Flippers, and a first attempt at the pole
    SKNN_FULL=1 python examples/plot_deep_q.py  # the pole for 50,000 moves
"""

import os
import time

import matplotlib.pyplot as plt

from sknn_basics import MLPRegressor
from sknn_basics.agents import DeepQAgent, LinearDecay, QLearningAgent
from sknn_basics.displays import AgentCurveDisplay, GameDisplay, GameLengthDisplay
from sknn_basics.environments import Flippers

start = time.perf_counter()
is_full = os.environ.get("SKNN_FULL") == "1"

# %%
# Flippers
# --------
# One move in ten is followed by a random flip; the best play takes 2.85 moves on average. A table
# that has played as many games as the network knows much less.

N_MOVES = 12_000 if is_full else 6000
boards = Flippers(p_flip=0.1, observation="board")
deep = DeepQAgent(max_iter=N_MOVES, random_state=0).fit(boards)
print(deep.network_.summary())

table = QLearningAgent(max_iter=deep.n_episodes_, random_state=0).fit(Flippers(p_flip=0.1))
options = {"n_episodes": 2, "starts": range(512), "max_steps": 100, "random_state": 0}
lengths = {
    f"network, {deep.n_steps_:,} moves": deep.evaluate(boards, **options).lengths,
    f"table, {table.n_steps_:,} moves": table.evaluate(Flippers(p_flip=0.1), **options).lengths,
}
GameLengthDisplay.from_lengths(lengths)
plt.show()

# %%
# A game of the network, with what it expects of each move.

GameDisplay.from_agent(deep, boards, start=0b110_101_011, random_state=0)
plt.show()

# %%
# The pole
# --------
# CartPole has four numbers for an observation, and no table. A larger network, steps of the solver
# in bunches, a target that follows quickly: a setting that is meant for 50,000 moves. A game is won
# with 500 moves; a mean of 195 was once the mark for "solved".

N_MOVES = 50_000 if is_full else 10_000
agent = DeepQAgent(
    MLPRegressor("huber", (256, 256), alpha=0.0, learning_rate_init=2.3e-3, clip_grad_norm=10.0),
    gamma=0.99,
    epsilon=LinearDecay(1.0, 0.04, N_MOVES // 6),
    buffer_size=N_MOVES,
    learning_starts=1000,
    train_every=256,
    gradient_steps=128,
    target_update=10,
    max_iter=N_MOVES,
    random_state=0,
)
agent.fit("CartPole-v1")
returns = agent.evaluate("CartPole-v1", 20, random_state=0).returns
print(f"Mean return of 20 games after {agent.n_steps_:,} moves: {returns.mean():.0f}")
AgentCurveDisplay.from_agent(agent, quantity="return", window=20)
print(f"This took {time.perf_counter() - start:.0f} s.")
plt.show()
