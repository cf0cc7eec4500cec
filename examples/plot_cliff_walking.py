"""
================================================
A walk along a cliff: where SARSA's lead is real
================================================

The shortest way leads along a cliff. Q-learning learns that way, and falls off whenever it explores
there; SARSA, which counts its own exploring moves, learns to keep away from the edge.

.. code-block:: shell

    python examples/plot_cliff_walking.py
"""

import time

import matplotlib.pyplot as plt
import numpy as np

from sknn_basics.agents import QLearningAgent
from sknn_basics.displays import AgentCurveDisplay

start = time.perf_counter()

# %%
# Four rules
# ----------
# A move costs 1, a fall 100. One in ten moves explores, to the end. The best way costs 13.

RULES = {
    "Q-learning": "q",
    "double Q-learning": "double_q",
    "SARSA": "sarsa",
    "expected SARSA": "expected_sarsa",
}
agents = {
    name: QLearningAgent(0.5, 1.0, update=update, max_iter=500, random_state=0)
    for name, update in RULES.items()
}
print(f"{'':<20} {'while learning':>15} {'without exploring':>18}")
for name, agent in agents.items():
    agent.fit("CliffWalking-v1")
    learning = agent.history_["return"][-100:].mean()
    greedy = agent.evaluate("CliffWalking-v1", 1, max_steps=100).returns[0]
    print(f"{name:<20} {learning:>15.1f} {greedy:>18.0f}")

# %%
# Q-learning is the best once it explores no more, and the worst before.

display = AgentCurveDisplay.from_agents(agents, quantity="return", window=50)
display.ax_.set_ylim(-150, 0)
plt.show()

# %%
# The ways
# --------
# The greedy ways of Q-learning and SARSA; the dark cells are the cliff.

figure, axes = plt.subplots(2, 1, figsize=(6, 4.2), layout="constrained")
for ax, name in zip(axes, ("Q-learning", "SARSA")):
    game = agents[name].evaluate("CliffWalking-v1", 1, max_steps=100).trajectories[0]
    rows, columns = np.divmod(game.observations, 12)
    cliff = np.zeros((4, 12))
    cliff[3, 1:11] = 1
    ax.imshow(cliff, cmap="Greys", vmax=1.5)
    ax.plot(columns, rows, color="tab:red", marker="o")
    ax.set(title=name, xticks=np.arange(12) - 0.5, yticks=np.arange(4) - 0.5)
    ax.set(xticklabels=[], yticklabels=[])
    ax.grid(color="0.8")
    ax.tick_params(length=0)
print(f"This took {time.perf_counter() - start:.0f} s.")
plt.show()
