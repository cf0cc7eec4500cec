"""Agents: what they learn, beside exact values, and how they behave as scikit-learn's objects."""

import itertools
import pickle
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

pytest.importorskip("gymnasium", reason="gymnasium is not installed")

import gymnasium

from sknn_basics import ConvNetRegressor, MLPRegressor, from_json
from sknn_basics.agents import (
    Checkpoint,
    DeepQAgent,
    Episode,
    ExponentialDecay,
    LinearDecay,
    QLearningAgent,
    as_estimator,
    mellowmax,
    self_play,
)
from sknn_basics.agents.memory import MoveMemory
from sknn_basics.agents.policies import POLICIES, Greedy
from sknn_basics.environments import Flippers, TicTacToe

UPDATES = ["q", "sarsa", "expected_sarsa", "double_q", "game"]
MASKED = [0.3, -np.inf, 0.1, 0.3, -0.5]


class OneState:
    """A state with rewards of 1, whose games end by the rules or are cut after some moves."""

    def __init__(self, n_moves=3, ends="truncated", observation=0, mask=None):
        self.n_moves, self.ends, self.observation = n_moves, ends, observation
        self.info = {} if mask is None else {"action_mask": mask}
        self.action_space = SimpleNamespace(n=2)
        self.observation_space = SimpleNamespace(n=1)
        if np.ndim(observation):
            self.observation_space = SimpleNamespace(shape=np.shape(observation), dtype="float32")

    def reset(self, *, seed=None, options=None):
        self.n_left = self.n_moves
        return self.observation, self.info

    def step(self, action):
        self.n_left -= 1
        is_over = self.n_left == 0
        ends = {"terminated": (is_over, False), "truncated": (False, is_over)}[self.ends]
        return self.observation, 1.0, *ends, self.info


class Walk:
    """States in a row: to the right, until the last one, which gives a reward of 1."""

    def __init__(self, n_states=4):
        self.observation_space = SimpleNamespace(n=n_states)
        self.action_space = SimpleNamespace(n=2)

    def reset(self, *, seed=None, options=None):
        self.state = 0
        return self.state, {}

    def step(self, action):
        self.state = max(0, self.state + 2 * action - 1)
        is_over = self.state == self.observation_space.n - 1
        return self.state, float(is_over), is_over, False, {}


def small_network(**options):
    return MLPRegressor("huber", (8,), alpha=0.0, learning_rate_init=0.01, **options)


def play_all_boards(agent, env):
    """Play ten games from every board, as the course does."""
    options = {"starts": range(512), "max_steps": 100, "random_state": 0}
    return agent.evaluate(env, 10, **options).lengths


# Policies and schedules.


@pytest.mark.parametrize("kind", ["epsilon", "epsilon_soft"])
def test_epsilon_is_the_probability_of_another_or_of_any_action(kind):
    agent = QLearningAgent(exploration=kind, epsilon=0.2, max_iter=1).fit(Walk())
    agent.q_table_[0] = [1.0, 0.0]
    expected = [0.8, 0.2] if kind == "epsilon" else [0.9, 0.1]
    np.testing.assert_allclose(agent.predict_proba([0]), [expected])


@pytest.mark.parametrize("values", [[0.1, 0.7, 0.2], [0.5, 0.5, 0.2], MASKED, [0.0, -np.inf]])
@pytest.mark.parametrize("kind", POLICIES)
def test_policies_act_with_their_probabilities(kind, values):
    random = np.random.RandomState(0)
    policy = POLICIES[kind](random.random_sample)
    for dial, value in (("epsilon", 0.3), ("temperature", 0.5)):
        setattr(policy, dial, value)
    probabilities = np.array(policy.probabilities(values))
    assert probabilities.sum() == pytest.approx(1)
    n = 20_000
    counts = np.bincount([policy.choose(values) for _ in range(n)], minlength=len(values))
    assert np.all(counts[probabilities == 0] == 0)
    assert np.all(probabilities[np.isinf(values)] == 0)
    expected = n * probabilities[probabilities > 0]
    chi_square = ((counts[probabilities > 0] - expected) ** 2 / expected).sum()
    assert chi_square < 30  # of at most 4 degrees of freedom
    finite = probabilities > 0
    mean = probabilities[finite] @ np.array(values)[finite]
    assert policy.expect(values) == pytest.approx(mean)


@pytest.mark.parametrize("kind", ["softmax", "mellowmax"])
def test_temperatures_lead_from_greedy_to_uniform(kind):
    policy = POLICIES[kind](None)
    values = [0.1, 0.7, 0.2]
    policy.temperature = 1e-3
    np.testing.assert_allclose(policy.probabilities(values), [0, 1, 0], atol=0.01)
    policy.temperature = 1e9
    np.testing.assert_allclose(policy.probabilities(values), [1 / 3] * 3, atol=1e-6)


def test_softmax_is_its_formula():
    policy = POLICIES["softmax"](None)
    policy.temperature = 0.5
    weights = np.exp(np.array([0.1, 0.7, -0.2]) / 0.5)
    np.testing.assert_allclose(policy.probabilities([0.1, 0.7, -0.2]), weights / weights.sum())


@pytest.mark.parametrize("temperature", [0.01, 0.5, 3.0, 100.0])
def test_mellowmax_is_its_formula_and_between_mean_and_maximum(temperature):
    values = np.array([0.1, 0.7, -0.2])
    expected = temperature * np.log(np.mean(np.exp(values / temperature)))
    assert mellowmax(values, temperature) == pytest.approx(expected)
    assert values.mean() < mellowmax(values, temperature) < values.max()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_mean_under_a_mellowmax_policy_is_mellowmax(scale):
    policy = POLICIES["mellowmax"](None)
    policy.temperature = 0.4 * scale
    values = [scale * value for value in (0.1, 0.7, -0.2)]
    wanted = mellowmax(values, policy.temperature)
    assert policy.expect(values) == pytest.approx(wanted, abs=1e-7 * scale)


def test_schedules_are_read_game_by_game():
    agent = QLearningAgent(epsilon=LinearDecay(1.0, 0.0, 4), max_iter=6, random_state=0)
    np.testing.assert_allclose(agent.fit(Walk()).history_["epsilon"], [1, 0.75, 0.5, 0.25, 0, 0])
    agent.partial_fit(Walk())
    assert agent.history_["epsilon"][6:].tolist() == [0.0] * 6
    agent.set_params(exploration="softmax", temperature=ExponentialDecay(1.0, 0.5))
    assert agent.fit(Walk()).history_["temperature"][:3].tolist() == [1, 0.5, 0.25]


def test_a_deep_agent_reads_its_schedule_move_by_move():
    agent = DeepQAgent(small_network(), epsilon=LinearDecay(1.0, 0.0, 100), max_iter=60)
    agent.set_params(random_state=0, learning_starts=1000).fit(OneState(20))
    np.testing.assert_allclose(agent.history_["epsilon"], [0.8, 0.6, 0.4])


def test_a_schedule_that_gives_no_number_is_named():
    with pytest.raises(ValueError, match="epsilon must give numbers of at least 0, got 'much'"):
        QLearningAgent(epsilon=lambda game: "much").fit(Walk())


# Learning.


@pytest.mark.parametrize("update", UPDATES[:4])
@pytest.mark.parametrize(("ends", "value"), [("terminated", 1.0), ("truncated", 2.0)])
def test_games_that_are_cut_have_a_future_and_games_that_end_have_none(update, ends, value):
    agent = QLearningAgent(0.5, 0.5, update=update, epsilon=0.5, max_iter=300, random_state=0)
    agent.fit(OneState(n_moves=1, ends=ends))
    np.testing.assert_allclose(agent.q_table_, value, atol=1e-6)


@pytest.mark.parametrize(("ends", "value"), [("terminated", 1.0), ("truncated", 2.0)])
@pytest.mark.parametrize("options", [{}, {"n_steps": 3}, {"double": False}], ids=str)
def test_the_same_holds_for_networks(options, ends, value):
    options = {"gamma": 0.5, "max_iter": 600, "target_update": 10, "random_state": 0, **options}
    agent = DeepQAgent(small_network(), learning_starts=20, batch_size=16, **options)
    agent.fit(OneState(n_moves=1, ends=ends, observation=np.ones(2, np.float32)))
    np.testing.assert_allclose(agent.decision_function([[1.0, 1.0]]), value, atol=0.02)


def test_a_limit_of_the_agents_own_is_a_cut_too():
    agent = QLearningAgent(0.5, 0.5, epsilon=0.5, max_iter=300, max_steps=1, random_state=0)
    agent.fit(OneState(n_moves=5, ends="terminated"))
    np.testing.assert_allclose(agent.q_table_, 2.0, atol=1e-6)
    assert set(agent.history_["length"]) == {1}


def test_one_move_of_each_rule_is_its_equation():
    alpha, gamma, old = 0.25, 0.5, [[1.0, 2.0], [3.0, 4.0]]
    futures = {"q": 4.0, "sarsa": 3.0, "expected_sarsa": 0.8 * 4 + 0.2 * 3}
    for update, future in futures.items():
        agent = QLearningAgent(alpha, gamma, update=update, epsilon=0.2, max_iter=1)
        agent.fit(Walk(2))
        agent.q_table_[:] = old
        moves = Episode([0, 1, 1], [1, 0], [10.0, 0.0], terminated=True, masks=[None] * 3)
        learnt = agent.replay_episodes([moves]).q_table_
        assert learnt[0, 1] == (1 - alpha) * 2.0 + alpha * (10.0 + gamma * future)
        assert learnt[1].tolist() == [(1 - alpha) * 3.0, 4.0]


def test_double_q_learning_takes_the_value_of_one_table_for_the_action_of_the_other():
    agent = QLearningAgent(0.5, 1.0, update="double_q", max_iter=1, random_state=0).fit(Walk(2))
    agent.q_tables_[:] = [[[0.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [2.0, 8.0]]]
    move = Episode([0, 1], [1], [0.0], terminated=False, masks=[None] * 2)
    learnt = agent.replay_episodes([move]).q_tables_[:, 0, 1].tolist()
    # Either the first table says action 0, worth 2 in the second, or the second 1, worth 0.
    assert learnt in ([1.0, 0.0], [0.0, 0.0])
    for _ in range(20):
        agent.set_params(random_state=_).replay_episodes([move])
    assert agent.q_tables_[0, 0, 1] > 1.0
    np.testing.assert_array_equal(agent.q_table_[0], agent.q_tables_[:, 0].mean(axis=0))


def test_l_learning_gives_every_move_of_a_game_its_last_reward():
    rows = []

    def watch(agent, game):
        filled = agent.q_table_[agent.q_table_ != 0]
        rows.append((game["length"], game["return"], filled))
        return game["length"] > 0

    env = Flippers(reward="game_length")
    QLearningAgent(1.0, epsilon=0.0, update="game", random_state=0, callbacks=[watch]).fit(env)
    length, total, filled = rows[-1]
    assert total == length**-0.5
    assert 1 < len(filled) <= length
    assert set(filled) == {total}


@pytest.mark.parametrize("update", UPDATES)
def test_a_recorded_game_that_is_replayed_teaches_as_if_it_were_played(update):
    env = Walk(5)
    agent = QLearningAgent(0.3, 0.9, update=update, epsilon=0.0, max_iter=20, random_state=0)
    agent.fit(env)
    game = agent.evaluate(env, 1).trajectories[0]
    assert game.actions == [1] * 4
    live, replayed = pickle.loads(pickle.dumps([agent, agent]))
    replayed = pickle.loads(pickle.dumps(agent))
    for _ in range(5):
        live.set_params(max_iter=1).partial_fit(env)
        replayed.replay_episodes([game])
    if update != "double_q":  # which draws the table that learns
        np.testing.assert_array_equal(live.q_table_, replayed.q_table_)
    assert np.all(replayed.q_table_[:4, 1] > agent.q_table_[:4, 1])
    np.testing.assert_array_equal(replayed.n_visits_, agent.n_visits_)


@pytest.mark.parametrize("replay", ["sequences", "transitions"])
def test_replay_carries_values_further_in_as_many_games(replay):
    agent = QLearningAgent(0.3, 0.9, max_iter=15, random_state=0)
    plain = clone(agent).fit(Walk(8)).q_table_[0, 1]
    assert agent.set_params(replay=replay).fit(Walk(8)).q_table_[0, 1] > plain


def test_visits_count_the_moves_of_learning():
    agent = QLearningAgent(max_iter=50, random_state=0).fit(Flippers())
    assert agent.n_visits_.sum() == agent.n_steps_ == agent.history_["length"].sum()
    assert np.all(agent.q_table_[agent.n_visits_ == 0] == 0)


def test_initial_values_stay_where_nobody_was():
    agent = QLearningAgent(initial_value=5.0, max_iter=5, random_state=0).fit(Flippers())
    assert np.all(agent.q_table_[agent.n_visits_ == 0] == 5.0)


# Accuracy on known games.


@pytest.mark.parametrize("update", ["q", "sarsa", "expected_sarsa"])
def test_tables_play_nearly_as_well_as_possible_under_random_flips(update):
    agent = QLearningAgent(update=update, max_iter=20_000, random_state=0)
    lengths = play_all_boards(agent.fit(Flippers(p_flip=0.1)), Flippers(p_flip=0.1))
    assert (lengths == 0).sum() == 60
    assert 2.75 < lengths.mean() <= 3.3  # the optimum is 2.854
    assert (lengths <= 6).mean() > 0.97


@pytest.mark.parametrize("update", ["q", "sarsa"])
def test_without_random_flips_every_game_takes_at_most_six_moves(update):
    agent = QLearningAgent(alpha=0.5, update=update, max_iter=20_000, random_state=0)
    assert play_all_boards(agent.fit(Flippers()), Flippers()).max() <= 6


@pytest.mark.parametrize("update", ["q", "sarsa"])
def test_more_games_with_the_parameters_of_the_course_help(update):
    agent = QLearningAgent(0.95, 0.2, update=update, random_state=0)
    means, filled = [], []
    for n_games in (300, 3000, 6000):
        agent.set_params(max_iter=n_games).fit(Flippers(p_flip=0.1))
        means.append(play_all_boards(agent, Flippers(p_flip=0.1)).mean())
        filled.append((agent.q_table_ != 0).mean())
    assert means == sorted(means, reverse=True)
    assert means[-1] < 4.5
    assert filled == sorted(filled)


def test_l_learning_stops_learning():
    agent = QLearningAgent(1.0, epsilon=0.0, update="game", max_steps=1000, random_state=0)
    env = Flippers(reward="game_length")
    after_3000 = play_all_boards(agent.fit(env), env).mean()
    assert 8 < after_3000 < 30
    after_6000 = play_all_boards(agent.partial_fit(env), env).mean()
    assert after_6000 == pytest.approx(after_3000, abs=0.5)


@pytest.mark.slow
def test_l_learning_fails_under_random_flips():
    env = Flippers(p_flip=0.1, reward="game_length")
    agents = (QLearningAgent(1.0, epsilon=0.0, update="game", random_state=s) for s in range(3))
    assert np.mean([play_all_boards(agent.fit(env), env).mean() for agent in agents]) > 40


@pytest.mark.parametrize("seed", range(3))
def test_sarsa_falls_off_the_cliff_less_often_than_q_learning(seed):
    q, sarsa = (
        QLearningAgent(0.5, 1.0, update=update, max_iter=500, random_state=seed)
        for update in ("q", "sarsa")
    )
    returns = [a.fit("CliffWalking-v1").history_["return"][-100:].mean() for a in (q, sarsa)]
    assert returns[1] > returns[0] + 5
    assert q.evaluate("CliffWalking-v1", 1).returns[0] == -13


def test_the_frozen_lake_is_crossed():
    def lake():
        return gymnasium.make("FrozenLake-v1", is_slippery=False)

    agent = QLearningAgent(0.8, 0.95, epsilon=LinearDecay(1, 0, 2000), max_iter=2000)
    assert agent.set_params(random_state=0).fit(lake).score(lake) == 1.0


def test_the_slippery_lake_is_crossed_as_often_as_the_best_policy_does():
    env = gymnasium.make("FrozenLake-v1")
    agent = QLearningAgent(0.1, 0.99, epsilon=LinearDecay(1, 0, 10_000), max_iter=10_000)
    agent.set_params(random_state=1).fit(env)
    # Its values, exactly: the probability to reach the goal by the agent's policy.
    moves = env.unwrapped.P
    reached = np.zeros(16)
    for _ in range(2000):
        reached = np.array(
            [
                sum(p * (r + (not over) * reached[s2]) for p, s2, r, over in moves[s][action])
                for s, action in enumerate(agent.predict(range(16)))
            ]
        )
    assert reached[0] >= 0.7


@pytest.mark.parametrize("illegal_moves", ["offered", "masked"])
def test_tic_tac_toe_is_learnt_against_a_perfect_opponent(illegal_moves):
    env = TicTacToe(opponent="perfect", illegal_moves=illegal_moves)
    agent = QLearningAgent(0.5, 0.9, max_iter=4000, epsilon=0.3, random_state=0).fit(env)
    assert set(agent.evaluate(env, 100, random_state=0).returns) == {0.5}


def test_masked_moves_are_never_made():
    env = TicTacToe(illegal_moves="masked")
    agent = QLearningAgent(max_iter=200, random_state=0).fit(env)
    boards = [env.as_board(state).ravel() for state in range(3**9)]
    taken = np.array(boards) != 0
    assert agent.n_visits_[taken].sum() == 0
    mask = ~taken[:100]
    chosen = agent.predict(range(100), action_mask=mask)
    assert mask[np.arange(100), chosen][mask.any(axis=1)].all()
    assert np.all(agent.predict_proba(range(100), mask)[~mask] == 0)


def test_self_play_learns_both_sides():
    env = TicTacToe(side="random", illegal_moves="masked")
    agent = QLearningAgent(0.5, 0.9, epsilon=0.5, max_iter=2000, random_state=0)
    self_play(agent, env, n_rounds=5)
    assert env.opponent == "random"
    returns = agent.evaluate(TicTacToe(side="random"), 400, random_state=0).returns
    assert returns.mean() > 0.7  # half of that if both play at random


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_network_plays_flippers_as_well_as_a_table(seed):
    env = Flippers(p_flip=0.1, observation="board")
    agent = DeepQAgent(random_state=seed).fit(env)
    assert agent.n_steps_ == 12_000
    assert 2.75 < play_all_boards(agent, env).mean() <= 3.3


@pytest.mark.slow
def test_a_network_balances_the_pole():
    network = MLPRegressor(
        "huber", (256, 256), alpha=0.0, learning_rate_init=2.3e-3, clip_grad_norm=10.0
    )
    agent = DeepQAgent(
        network,
        gamma=0.99,
        epsilon=LinearDecay(1.0, 0.04, 8000),
        buffer_size=100_000,
        learning_starts=1000,
        train_every=256,
        gradient_steps=128,
        target_update=10,
        max_iter=50_000,
        random_state=0,
    )
    games = agent.fit("CartPole-v1").evaluate("CartPole-v1", 20, random_state=0)
    assert games.returns.mean() > 195


@pytest.mark.parametrize("options", [{}, {"replay": "prioritized"}, {"n_steps": 3}], ids=str)
def test_a_network_learns_flippers(options):
    env = Flippers(observation="board")
    agent = DeepQAgent(max_iter=1500, epsilon=LinearDecay(1, 0.1, 1000), random_state=0, **options)
    agent.set_params(learning_starts=200).fit(env)
    games = agent.evaluate(env, 1, starts=range(0, 512, 4), max_steps=30, random_state=0)
    assert games.lengths.mean() < 20  # 28 before


# The parts of deep Q-learning.


def linear_network():
    return MLPRegressor("squared_error", (), alpha=0.0, solver="sgd", learning_rate_init=0.1)


@pytest.mark.parametrize("double", [False, True])
def test_targets_of_a_network_are_their_equation(double):
    agent = DeepQAgent(small_network(), 0.9, double=double, max_iter=100, random_state=0)
    agent.set_params(learning_starts=1000).fit(Flippers(observation="board"))
    learner = agent._make_learner(None, 0)
    with torch.no_grad():
        for parameter in learner.target.parameters():
            parameter.mul_(-1.3)
    moves = agent._memory.take(np.arange(100))
    following = torch.from_numpy(moves.following)
    with torch.no_grad():
        own, old = learner.module(following).numpy(), learner.target(following).numpy()
    best = own.argmax(axis=1) if double else old.argmax(axis=1)
    future = old[np.arange(100), best]
    expected = moves.rewards[:, 0] + moves.discounts[:, 0] * future
    assert set(moves.discounts[:, 0].tolist()) <= {0.0, np.float32(0.9).item()}
    np.testing.assert_allclose(learner.targets(moves)[:, 0], expected, rtol=1e-5)


def test_rewards_of_several_moves_are_summed():
    agent = DeepQAgent(small_network(), 0.5, n_steps=3, learning_starts=99, max_iter=5)
    agent.fit(OneState(n_moves=5, ends="terminated", observation=np.ones(1, np.float32)))
    memory = agent._memory
    assert memory.rewards[:5, 0].tolist() == [1.75, 1.75, 1.75, 1.5, 1.0]
    assert memory.discounts[:5, 0].tolist() == [0.125, 0.125, 0.0, 0.0, 0.0]
    agent.fit(OneState(n_moves=5, ends="truncated", observation=np.ones(1, np.float32)))
    assert agent._memory.discounts[:5, 0].tolist() == [0.125, 0.125, 0.125, 0.25, 0.5]


def test_moves_that_are_not_allowed_do_not_count_in_targets():
    mask = np.array([1, 0], np.int8)
    env = OneState(n_moves=1, ends="truncated", observation=np.ones(1, np.float32), mask=mask)
    agent = DeepQAgent(small_network(), 0.5, target_update=10, max_iter=600, random_state=0)
    agent.set_params(epsilon=0.5, learning_starts=20, batch_size=16).fit(env)
    assert np.all(agent._memory.actions[:600] == 0)
    assert agent.decision_function([[1.0]])[0, 0] == pytest.approx(2.0, abs=0.02)


def test_the_memory_keeps_the_last_moves():
    memory = MoveMemory(3, (1,), np.float32, 2)
    for i in range(5):
        memory.add([i], 0, float(i), [i + 1], 0.9)
    assert len(memory) == 3
    assert sorted(memory.rewards[:, 0].tolist()) == [2, 3, 4]


def test_prioritized_replay_draws_large_errors_more_often_and_weighs_them_less():
    memory = MoveMemory(4, (1,), np.float32, 2)
    for i in range(3):
        memory.add([i], 0, float(i), [i], 0.9)
    memory.set_errors(np.arange(3), np.array([0.1, 1.0, -10.0]))
    rng = np.random.default_rng(0)
    moves, weights = memory.draw_by_priority(50_000, rng)
    shares = np.bincount(moves.places, minlength=3) / 50_000
    expected = np.array([0.1, 1.0, 10.0]) ** 0.6
    np.testing.assert_allclose(shares, expected / expected.sum(), atol=0.01)
    ratio = weights[moves.places == 1][0] / weights[moves.places == 2][0]
    assert ratio == pytest.approx(10 ** (0.6 * 0.4), rel=1e-4)


def test_networks_of_images_and_numbers_of_states_are_read():
    convolutional = ConvNetRegressor(
        filters=[4], kernel_size=2, downsample=None, padding="valid", hidden_layer_sizes=(8,)
    )
    options = {"max_iter": 200, "learning_starts": 100, "random_state": 0}
    agent = DeepQAgent(convolutional, **options).fit(Flippers(observation="board"))
    assert agent.decision_function(np.ones((2, 9))).shape == (2, 9)
    agent = DeepQAgent(small_network(), **options).fit(Flippers())
    assert agent.network_.n_features_in_ == 512
    assert agent.predict([0, 511]).shape == (2,)


def test_the_initial_weights_are_those_of_the_estimators_seed():
    network = small_network(random_state=5)
    agent = DeepQAgent(network, max_iter=10).fit(Flippers(observation="board"))
    expected = clone(network).initialize(np.zeros((1, 9)), np.zeros((1, 9)))
    np.testing.assert_allclose(agent.network_.coefs_[0], expected.coefs_[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"early_stopping": True}, "no use for early_stopping=True"),
        ({"learning_rate": "adaptive"}, "no use for learning_rate='adaptive'"),
        ({"solver": "lbfgs"}, "solver='lbfgs'"),
        ({"max_norm": 2.0}, "no use for max_norm"),
    ],
)
def test_what_an_estimator_says_in_vain_is_refused(options, message):
    network = MLPRegressor("huber", (8,), **options)
    with pytest.raises(ValueError, match=message):
        DeepQAgent(network).fit(Flippers(observation="board"))
    with pytest.raises(ValueError, match="loss of the estimator"):
        DeepQAgent(MLPRegressor("poisson")).fit(Flippers(observation="board"))


def test_a_training_that_diverges_says_so_and_leaves_no_agent():
    network = MLPRegressor(
        "squared_error", (8,), alpha=0.0, solver="sgd", learning_rate_init=1e6, momentum=0.0
    )
    agent = DeepQAgent(network, learning_starts=10, max_iter=500, random_state=0)
    with pytest.raises(ValueError, match="diverged after .* moves"):
        agent.fit(Flippers(observation="board"))
    with pytest.raises(NotFittedError):
        agent.predict(np.ones((1, 9)))


# As scikit-learn's objects.

SMALL = [
    *(QLearningAgent(update=update, max_iter=30, max_steps=50) for update in UPDATES),
    QLearningAgent(replay="sequences", max_iter=30),
    QLearningAgent(replay="transitions", exploration="softmax", max_iter=30),
    DeepQAgent(
        small_network(),
        max_iter=200,
        max_steps=40,
        learning_starts=50,
        target_update=40,
        batch_size=16,
    ),
]
IDS = [str(number) for number in range(len(SMALL))]


def learnt(agent):
    return agent.decision_function(range(512))


@pytest.mark.parametrize("agent", SMALL, ids=IDS)
def test_the_same_seed_learns_the_same_and_another_one_does_not(agent):
    agents = [clone(agent).set_params(random_state=seed).fit(Flippers()) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(learnt(agents[0]), learnt(agents[1]))
    assert np.any(learnt(agents[0]) != learnt(agents[2]))


@pytest.mark.parametrize("agent", SMALL, ids=IDS)
def test_learning_leaves_the_global_random_states_alone(agent):
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    clone(agent).set_params(random_state=0).fit(Flippers())
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.parametrize("agent", SMALL, ids=IDS)
def test_a_loaded_agent_acts_and_goes_on_as_the_saved_one(agent):
    agent = clone(agent).set_params(random_state=0).fit(Flippers())
    loaded = pickle.loads(pickle.dumps(agent))
    np.testing.assert_array_equal(learnt(loaded), learnt(agent))
    for own in (agent, loaded):
        own.partial_fit(Flippers())
    np.testing.assert_array_equal(learnt(loaded), learnt(agent))
    assert loaded.n_episodes_ == agent.n_episodes_ == len(agent.history_["return"])


def test_a_pickle_holds_no_tensors():
    agent = clone(SMALL[-1]).set_params(random_state=0).fit(Flippers())
    assert b"torch" not in pickle.dumps(agent)


@pytest.mark.parametrize("agent", SMALL, ids=IDS)
def test_parameters_survive_clone_and_json(agent):
    agent = clone(agent).set_params(epsilon=LinearDecay(0.9, 0.1, 7))
    assert repr(clone(agent)) == repr(agent)
    read = from_json(agent.to_json())
    assert type(read) is type(agent)
    assert read.epsilon == agent.epsilon
    assert read.to_json() == agent.to_json()


def test_json_holds_the_table():
    agent = QLearningAgent(max_iter=30, random_state=0).fit(Flippers())
    read = from_json(agent.to_json())
    np.testing.assert_array_equal(read.q_table_, agent.q_table_)
    np.testing.assert_array_equal(read.history_["return"], agent.history_["return"])


def test_json_names_a_parameter_that_it_cannot_hold():
    with pytest.raises(TypeError, match="epsilon=.* cannot be written as JSON"):
        QLearningAgent(epsilon=lambda game: 0.1).to_json()


def test_estimators_parameters_are_set_from_outside():
    agent = DeepQAgent(small_network()).set_params(estimator__hidden_layer_sizes=(3,))
    assert agent.get_params()["estimator__hidden_layer_sizes"] == (3,)


@pytest.mark.parametrize("agent", SMALL, ids=IDS)
def test_warm_start_and_partial_fit_go_on_and_fit_begins_anew(agent):
    agent = clone(agent).set_params(random_state=0).fit(Flippers())
    first, n_steps = learnt(agent), agent.n_steps_
    np.testing.assert_array_equal(learnt(agent.fit(Flippers())), first)
    agent.partial_fit(Flippers())
    assert agent.n_steps_ > n_steps
    warm = clone(agent).set_params(warm_start=True).fit(Flippers()).fit(Flippers())
    np.testing.assert_array_equal(learnt(warm), learnt(agent))


def failing_after(n_calls, agent):
    calls = itertools.count(1)

    def fail(agent, game):
        if next(calls) == n_calls:
            raise RuntimeError("enough")

    return agent.set_params(callbacks=[fail])


@pytest.mark.parametrize("agent", SMALL, ids=IDS)
def test_a_fit_that_fails_leaves_the_agent_from_before(agent):
    agent = failing_after(2, clone(agent).set_params(random_state=0))
    with pytest.raises(RuntimeError, match="enough"):
        agent.fit(Flippers())
    with pytest.raises(NotFittedError):
        agent.predict([0])
    agent.set_params(callbacks=None).fit(Flippers())
    before, n_episodes = learnt(agent), agent.n_episodes_
    with pytest.raises(RuntimeError, match="enough"):
        failing_after(2, agent).partial_fit(Flippers())
    np.testing.assert_array_equal(learnt(agent), before)
    assert agent.n_episodes_ == n_episodes


@pytest.mark.parametrize("agent", [SMALL[0], SMALL[-1]], ids=["table", "network"])
def test_other_spaces_are_refused_and_the_agent_stays(agent):
    agent = clone(agent).set_params(random_state=0).fit(Flippers())
    before = learnt(agent)
    with pytest.raises(ValueError, match="continues with"):
        agent.partial_fit(Walk())
    np.testing.assert_array_equal(learnt(agent), before)


def test_callbacks_see_every_game_and_stop():
    seen = []

    def watch(agent, game):
        seen.append(game["length"])
        assert agent.predict([0]).shape == (1,)
        assert agent.n_visits_.sum() == sum(seen)
        return len(seen) == 7

    agent = QLearningAgent(callbacks=[watch], max_iter=100, random_state=0).fit(Flippers())
    assert agent.history_["length"].tolist() == seen
    assert agent.n_episodes_ == 7
    with pytest.raises(TypeError, match="callbacks must be functions"):
        QLearningAgent(callbacks=["watch"]).fit(Flippers())


def test_a_callback_leaves_what_is_learnt_as_it_is():
    agent = QLearningAgent(max_iter=200, random_state=0)
    plain = clone(agent).fit(Flippers()).q_table_
    watched = agent.set_params(callbacks=[lambda agent, game: None]).fit(Flippers()).q_table_
    np.testing.assert_array_equal(watched, plain)


class Recorder:
    """Count what scikit-learn's callbacks are told."""

    max_propagation_depth = None

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context):
        self.events.append(f"end {context.task_name}")


@pytest.mark.parametrize("agent", [SMALL[0], SMALL[-1]], ids=["table", "network"])
def test_callbacks_of_scikit_learn_are_told_of_parts(agent):
    recorder = Recorder()
    clone(agent).set_params(random_state=0).set_callbacks(recorder).fit(Flippers())
    parts = ["begin part", "end part"] * 20
    assert recorder.events == ["setup", "begin fit", *parts, "end fit", "teardown"]


def test_a_progress_bar_watches(capsys):
    QLearningAgent(max_iter=5, random_state=0).set_callbacks(ProgressBar()).fit(Walk())
    assert "QLearningAgent" in capsys.readouterr().out


def test_verbose_prints_a_line_for_each_part(capsys):
    QLearningAgent(max_iter=40, random_state=0, verbose=True).fit(Flippers())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20
    assert lines[-1].startswith("40 of 40, 40 games: mean return 1.000, mean length ")


def test_checkpoints_are_agents(tmp_path):
    checkpoint = Checkpoint(tmp_path / "agent.pickle", every=20)
    agent = QLearningAgent(max_iter=50, random_state=0, callbacks=[checkpoint]).fit(Flippers())
    saved = pickle.loads((tmp_path / "agent.pickle").read_bytes())
    assert saved.n_episodes_ == len(saved.history_["return"]) == 40
    assert agent.n_episodes_ == 50
    assert saved.set_params(callbacks=None).partial_fit(Flippers()).n_episodes_ == 90


# Searches.


def test_a_search_finds_the_discount_that_looks_ahead():
    estimator = as_estimator(QLearningAgent(random_state=0), Flippers(), max_steps=10)
    seeds = np.arange(900)[:, None]
    grid = {"agent__gamma": [0.0, 0.5]}  # only the last move matters to the first
    search = GridSearchCV(estimator, grid, cv=3).fit(seeds)
    assert search.best_params_ == {"agent__gamma": 0.5}
    assert search.best_estimator_.agent_.n_episodes_ == 900


@pytest.mark.slow
def test_a_search_in_two_processes_finds_the_same():
    estimator = as_estimator(QLearningAgent(random_state=0), Flippers(), max_steps=10)
    seeds, grid = np.arange(60)[:, None], {"agent__gamma": [0.0, 0.5]}
    alone = GridSearchCV(estimator, grid, cv=3).fit(seeds)
    with joblib.parallel_config(n_jobs=2):
        parallel = GridSearchCV(estimator, grid, cv=3).fit(seeds)
    for split in range(3):
        name = f"split{split}_test_score"
        np.testing.assert_array_equal(parallel.cv_results_[name], alone.cv_results_[name])


def test_cross_validation_scores_games_of_other_seeds():
    estimator = as_estimator(QLearningAgent(random_state=0), "sknn_basics/Flippers-v0")
    scores = cross_val_score(estimator, np.arange(600)[:, None], cv=3)
    assert np.all(scores > 0.96)  # without the few games that start won


def test_a_deep_agent_plays_a_game_for_each_seed():
    agent = DeepQAgent(small_network(), max_iter=1, learning_starts=50, random_state=0)
    estimator = as_estimator(agent, Flippers(observation="board")).fit(np.arange(8)[:, None])
    assert estimator.agent_.n_episodes_ == 8


def test_seeds_that_are_none_are_refused():
    estimator = as_estimator(QLearningAgent(), Walk())
    for X in ([[0.5]], [[-1.0]], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match="column of whole numbers"):
            estimator.fit(np.array(X))


# Environments and observations.


def test_environments_come_as_objects_ids_and_functions():
    agents = [
        QLearningAgent(max_iter=20, random_state=0).fit(env)
        for env in (Flippers(), "sknn_basics/Flippers-v0", Flippers)
    ]
    for agent in agents[1:]:
        np.testing.assert_array_equal(agent.q_table_, agents[0].q_table_)
    with pytest.raises(TypeError, match="env must be an environment"):
        QLearningAgent().fit(3)


def test_an_id_without_gymnasium_names_the_extra(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ImportError, match=r"sknn_basics\[rl\]"):
        QLearningAgent().fit("CliffWalking-v1")


def test_agents_need_no_gymnasium(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "gymnasium", None)
    agent = QLearningAgent(max_iter=200, random_state=0).fit(Walk())
    assert agent.predict([0, 1, 2]).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("agent", "space", "message"),
    [
        (QLearningAgent(), {"observation_space": gymnasium.spaces.Box(0, 1)}, "DeepQAgent takes"),
        (QLearningAgent(), {"action_space": gymnasium.spaces.Box(0, 1)}, "action_space must"),
        (QLearningAgent(), {"action_space": gymnasium.spaces.Discrete(2, start=1)}, "begin at 0"),
        (QLearningAgent(), {"observation_space": SimpleNamespace(n=2**30)}, "use DeepQAgent"),
        (DeepQAgent(), {"action_space": gymnasium.spaces.Box(0, 1)}, "action_space must"),
        (DeepQAgent(), {"observation_space": gymnasium.spaces.Text(3)}, "observation_space must"),
    ],
)
def test_spaces_that_do_not_suit_are_named(agent, space, message):
    env = Walk()
    vars(env).update(space)
    with pytest.raises(ValueError, match=message):
        agent.fit(env)


@pytest.mark.parametrize("agent", [SMALL[0], SMALL[-1]], ids=["table", "network"])
def test_rewards_that_are_not_finite_are_named(agent):
    class Broken(Walk):
        def step(self, action):
            state, _, *rest = super().step(action)
            return state, np.nan, *rest

    with pytest.raises(ValueError, match="rewards that are not finite"):
        clone(agent).set_params(learning_starts=10**6).fit(Broken()) if isinstance(
            agent, DeepQAgent
        ) else clone(agent).fit(Broken())


def test_observations_that_are_none_are_refused():
    agent = QLearningAgent(max_iter=2, random_state=0).fit(Walk())
    for observations in ([4], [-1], [[0]], [0.5]):
        with pytest.raises(ValueError, match="observations must be"):
            agent.predict(observations)
    with pytest.raises(ValueError, match="action_mask must have shape"):
        agent.predict([0], action_mask=[[1, 1, 1]])
    deep = DeepQAgent(small_network(), max_iter=5).fit(Flippers(observation="board"))
    with pytest.raises(ValueError, match="observations must have shape"):
        deep.predict([[1.0, 2.0]])


def test_evaluation_cuts_games_and_repeats_starts():
    agent = QLearningAgent(max_iter=1, random_state=0).fit(Flippers())
    games = agent.evaluate(Flippers(), 3, starts=[0, 7], max_steps=2, random_state=0)
    assert games.lengths.tolist() == [2, 2, 2, 0, 0, 0]
    assert games.returns.tolist() == [0.0] * 6
    assert [len(game.observations) for game in games.trajectories] == [3, 3, 3, 1, 1, 1]
    again = agent.evaluate(Flippers(), 3, starts=[0, 7], max_steps=2, random_state=0)
    assert [g.actions for g in again.trajectories] == [g.actions for g in games.trajectories]


def test_evaluation_explores_if_it_is_told_to():
    agent = QLearningAgent(epsilon=0.5, max_iter=300, random_state=0).fit(Walk())
    greedy = agent.evaluate(Walk(), 100, random_state=0)
    exploring = agent.evaluate(Walk(), 100, explore=True, random_state=0)
    assert set(greedy.lengths) == {3}
    assert exploring.lengths.mean() > 4


def test_greedy_ties_are_broken_at_random():
    policy = Greedy(np.random.RandomState(0).random_sample)
    counts = np.bincount([policy.choose([0.5, 0.1, 0.5]) for _ in range(1000)])
    assert counts[1] == 0
    assert 400 < counts[0] < 600


def test_score_is_the_mean_return():
    agent = QLearningAgent(max_iter=300, random_state=0).fit(Walk())
    assert agent.score(Walk()) == 1.0
