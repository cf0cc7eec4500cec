"""Agents: moves a second of tables, steps of deep Q beside a bare torch loop and others.

``python -m benchmarks.agents`` prints the moves a second of all table agents, each the median of
`N_ROUNDS` fits; `benchmarks.rows` has the rest.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Work = Callable[[], object]
Peer = Callable[[Path], Work]

N_ROUNDS = 5
UPDATES = ("q", "sarsa", "expected_sarsa", "double_q", "game")
N_MOVES = 3000

# Of deep Q on CartPole: every move a step of the solver, from the first batch on.
DEEP = {"batch_size": 64, "buffer_size": 10_000, "learning_starts": 100, "target_update": 250}


def play_table(n_games: int) -> Peer:
    def prepare(folder: Path) -> Work:
        from sknn_basics.agents import QLearningAgent
        from sknn_basics.environments import Flippers

        agent = QLearningAgent(max_iter=n_games, random_state=0)
        return lambda: agent.fit(Flippers(p_flip=0.1))

    return prepare


def play_table_bare(n_games: int) -> Peer:
    """The loop one would write by hand: an array as table, NumPy's random numbers."""

    def prepare(folder: Path) -> Work:
        from sknn_basics.environments import Flippers

        def fit() -> None:
            env, rng, table = Flippers(p_flip=0.1), np.random.default_rng(0), np.zeros((512, 9))
            env.reset(seed=0)
            for _ in range(n_games):
                state, info = env.reset()
                is_over = "terminated" in info
                while not is_over:
                    if rng.random() < 0.1:
                        action = int(rng.integers(9))
                    else:
                        row = table[state]
                        action = int(rng.choice(np.flatnonzero(row == row.max())))
                    seen, reward, is_over, _, _ = env.step(action)
                    target = reward + 0.5 * (not is_over) * table[seen].max()
                    table[state, action] += 0.3 * (target - table[state, action])
                    state = seen

        return fit

    return prepare


def fit_cart_pole(folder: Path) -> Work:
    import gymnasium

    from sknn_basics.agents import DeepQAgent

    agent = DeepQAgent(gamma=0.99, max_iter=N_MOVES, random_state=0, **DEEP)
    return lambda: agent.fit(gymnasium.make("CartPole-v1", disable_env_checker=True))


def fit_cart_pole_bare(folder: Path) -> Work:
    """Double deep Q-learning as one would write it by hand, in one function."""
    import gymnasium
    import torch
    from torch import nn

    def make_network() -> nn.Module:
        hidden = nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()
        return nn.Sequential(*hidden, nn.Linear(64, 2))

    def fit() -> None:
        torch.manual_seed(0)
        rng = np.random.default_rng(0)
        env = gymnasium.make("CartPole-v1", disable_env_checker=True)
        network, target = make_network(), make_network()
        target.load_state_dict(network.state_dict())
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
        size = DEEP["buffer_size"]
        states, following = (np.zeros((size, 4), np.float32) for _ in range(2))
        actions = np.zeros((size, 1), np.int64)
        rewards, futures = (np.zeros((size, 1), np.float32) for _ in range(2))
        state, _ = env.reset(seed=0)
        for t in range(N_MOVES):
            if rng.random() < max(0.1, 1 - 0.9 * t / 3000):
                action = int(rng.integers(2))
            else:
                with torch.no_grad():
                    action = int(network(torch.from_numpy(state)[None]).argmax())
            seen, reward, terminated, truncated, _ = env.step(action)
            states[t % size], following[t % size], actions[t % size] = state, seen, action
            rewards[t % size], futures[t % size] = reward, 0.99 * (not terminated)
            state = env.reset()[0] if terminated or truncated else seen
            if t >= DEEP["learning_starts"]:
                rows = rng.integers(min(t + 1, size), size=DEEP["batch_size"])
                batch = (states, actions, rewards, following, futures)
                s, a, r, s2, future = (torch.from_numpy(array[rows]) for array in batch)
                with torch.no_grad():
                    best = network(s2).argmax(1, keepdim=True)
                    goal = r + future * target(s2).gather(1, best)
                loss = nn.functional.huber_loss(network(s).gather(1, a), goal)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            if t % DEEP["target_update"] == 0:
                target.load_state_dict(network.state_dict())

    return fit


def fit_cart_pole_sb3(folder: Path) -> Work:
    import gymnasium
    from stable_baselines3 import DQN

    def fit() -> None:
        model = DQN(
            "MlpPolicy",
            gymnasium.make("CartPole-v1"),
            learning_rate=1e-3,
            buffer_size=DEEP["buffer_size"],
            learning_starts=DEEP["learning_starts"],
            batch_size=DEEP["batch_size"],
            gamma=0.99,
            train_freq=1,
            target_update_interval=DEEP["target_update"],
            exploration_fraction=1.0,
            exploration_final_eps=0.1,
            seed=0,
            device="cpu",
        )
        model.learn(N_MOVES)

    return fit


def moves_a_second(update: str) -> float:
    from sknn_basics.agents import QLearningAgent
    from sknn_basics.environments import Flippers

    agent = QLearningAgent(update=update, max_iter=10_000, max_steps=100, random_state=0)
    speeds = []
    for _ in range(N_ROUNDS):
        start = time.perf_counter()
        agent.fit(Flippers(p_flip=0.1))
        speeds.append(agent.n_steps_ / (time.perf_counter() - start))
    return float(np.median(speeds))


def main() -> None:
    print("| update | moves a second |\n| --- | --- |")
    for update in UPDATES:
        print(f"| `{update}` | {moves_a_second(update):,.0f} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
