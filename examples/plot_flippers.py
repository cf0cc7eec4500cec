"""
=======================================
Flippers: from L-learning to Q-learning
=======================================

A board of nine tiles, each with a dot on one side. A move flips one; the game is won when there are
exactly three dots, all in one row or column. An agent that knows none of this learns a table: a
value for each of the 512 boards and 9 moves. What it learns depends on how the reward of the last
move reaches the moves before.

.. code-block:: shell

    python examples/plot_flippers.py              # up to 20,000 games
    SKNN_FULL=1 python examples/plot_flippers.py  # up to 60,000 games
"""

import os
import time

import matplotlib.pyplot as plt
import numpy as np

from sknn_basics.agents import QLearningAgent
from sknn_basics.displays import (
    AgentCurveDisplay,
    DiscountedReturnDisplay,
    GameDisplay,
    GameLengthDisplay,
    QTableDisplay,
)
from sknn_basics.environments import Flippers

start = time.perf_counter()
is_full = os.environ.get("SKNN_FULL") == "1"
N_GAMES = (300, 3000, 6000, 60_000) if is_full else (300, 3000, 6000, 20_000)


def play(agent, env):
    """Play from every board, without exploring, at most 100 moves."""
    options = {"starts": range(512), "max_steps": 100, "random_state": 0}
    return agent.evaluate(env, 10 if is_full else 3, **options).lengths


# %%
# L-learning
# ----------
# The simplest idea: after a game, every move that was made gets the reward of the last one,
# 1 / sqrt(number of moves). It works a little, and then stops: an agent that always takes the best
# known move never learns of a better one, and more games do not help.

game = Flippers(reward="game_length")
shaken = Flippers(reward="game_length", p_flip=0.1)
l_learning = QLearningAgent(alpha=1, epsilon=0, update="game", max_steps=1000, random_state=0)
print("L-learning: mean length of a game after 3,000 and 6,000 games")
for name, env in (("without random flips", game), ("with random flips", shaken)):
    after = [play(l_learning.fit(env), env).mean(), play(l_learning.partial_fit(env), env).mean()]
    print(f"{name:<22}", *(f"{mean:6.1f}" for mean in after))

# %%
# With random flips it fails: a bad move that a lucky flip has followed is remembered as a good one,
# and one bad game spoils the values of all its moves. The best possible play takes 2.67 moves on
# average, or 2.85 with random flips.
#
# Discounted rewards
# ------------------
# Q-learning and SARSA give each move the reward that follows at once, and a share gamma of what the
# next board is worth. Values creep back from the win, and fade on the way: here is what the moves
# of a game of six are worth for several gamma.

DiscountedReturnDisplay.from_rewards([0, 0, 0, 0, 0, 1])
plt.show()

# %%
# Q-learning and SARSA
# --------------------
# Q-learning takes the best move on the next board for what it is worth, SARSA the one that is
# really made next. With the parameters of the course (alpha 0.95, gamma 0.2) and random flips, and
# with gentler ones (alpha 0.3, gamma 0.5):

env = Flippers(p_flip=0.1)
agents = {
    f"{name}, alpha={alpha}": QLearningAgent(alpha, gamma, update=update, random_state=0)
    for alpha, gamma in ((0.95, 0.2), (0.3, 0.5))
    for name, update in (("Q-learning", "q"), ("SARSA", "sarsa"))
}
curves = {}
for name, agent in agents.items():
    means = [play(agent.set_params(max_iter=n).fit(env), env).mean() for n in N_GAMES]
    curves[name] = (N_GAMES, means)
    print(f"{name:<24}", *(f"{mean:6.2f}" for mean in means))

display = AgentCurveDisplay(curves=curves).plot()
display.ax_.axhline(2.854, color="black", linestyle=":", label="best play")
display.ax_.legend()
plt.show()

# %%
# SARSA is not better than Q-learning here: other seeds do not confirm the difference. It is better
# on :ref:`the walk along a cliff <sphx_glr_auto_examples_plot_cliff_walking.py>`.
#
# How long games are
# ------------------
# L-learning compared with the two, with random flips. Games of more than 20 moves are counted as
# 20.

compared = {"L-learning": l_learning}
compared |= {name: agents[f"{name}, alpha=0.3"] for name in ("Q-learning", "SARSA")}
lengths = {name: np.minimum(play(agent, env), 20) for name, agent in compared.items()}
GameLengthDisplay.from_lengths(lengths)
plt.xlabel("Length of a game in moves (20: or more)")
plt.show()

# %%
# A game, and the table
# ---------------------
# Below each board what the agent expects of each move; the one it makes is red. A tile that changes
# without being red has flipped by chance.

agent = agents["Q-learning, alpha=0.3"]
GameDisplay.from_agent(agent, env, start=0b110_101_011, random_state=1)
plt.show()

# %%
# The values of the table lie in steps: one move from the win, two moves, three moves.

QTableDisplay.from_agent(agent)
print(f"This took {time.perf_counter() - start:.0f} s.")
plt.show()
