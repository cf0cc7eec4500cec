"""Flippers and tic-tac-toe: their rules, by value iteration, and gymnasium's interface."""

import itertools
import warnings

import numpy as np
import pytest

pytest.importorskip("gymnasium", reason="gymnasium is not installed")

import gymnasium
from gymnasium.utils.env_checker import check_env

from sknn_basics.environments import Flippers, TicTacToe

IDS = ["sknn_basics/Flippers-v0", "sknn_basics/TicTacToe-v0"]
GOALS = [0b000000111, 0b000111000, 0b111000000, 0b001001001, 0b010010010, 0b100100100]


@pytest.mark.parametrize("observation", ["index", "board"])
@pytest.mark.parametrize("name", IDS)
def test_gymnasium_and_stable_baselines_find_no_fault(name, observation):
    env = gymnasium.make(name, observation=observation).unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env)
        checks = pytest.importorskip(
            "stable_baselines3.common.env_checker", reason="stable-baselines3 is not installed"
        )
        checks.check_env(env)


@pytest.mark.parametrize("name", IDS)
def test_the_same_seed_is_the_same_game(name):
    def play(env):
        seen = [env.reset(seed=3)[0]]
        for action in itertools.cycle([0, 4, 8, 2, 1, 6, 3, 7, 5]):
            observation, reward, terminated, *_ = env.step(action)
            seen.append((observation, reward))
            if terminated or len(seen) > 50:
                return seen

    options = {"p_flip": 0.5} if "Flippers" in name else {}
    assert play(gymnasium.make(name, **options)) == play(gymnasium.make(name, **options))


def test_stable_baselines_trains_on_flippers():
    library = pytest.importorskip("stable_baselines3", reason="stable-baselines3 is not installed")
    env = Flippers(observation="board")
    model = library.DQN("MlpPolicy", env, learning_starts=50, seed=0, device="cpu").learn(200)
    assert model._n_updates >= 30
    action, _ = model.predict(env.reset(seed=0)[0], deterministic=True)
    assert 0 <= action < 9


# Flippers.


def find_transitions(check_win):
    """Learn the rules from the environment alone: the board after each move, and who wins."""
    env = Flippers(check_win=check_win)
    after, won = np.empty((512, 9), int), np.empty((512, 9), bool)
    for board, tile in itertools.product(range(512), range(9)):
        env.reset(options={"board": board})
        after[board, tile], _, won[board, tile], _, _ = env.step(tile)
    return after, won


def mean_of_best_play(p_flip, check_win):
    """Iterate the values of boards: how many moves the best play takes, as mean and at most."""
    after, won = find_transitions(check_win)
    is_goal = np.isin(np.arange(512), GOALS)
    values = np.zeros(512)
    for _ in range(500):
        flipped = (1 - p_flip) * values + p_flip * values[after].mean(axis=1)
        expected = flipped[after]
        if check_win == "before_flip":
            expected = np.where(won, 0, expected)
        values = np.where(is_goal, 0, 1 + expected.min(axis=1))
    return values.mean(), values.max()


def test_best_play_takes_at_most_six_moves():
    mean, most = mean_of_best_play(0.0, "after_flip")
    assert mean == pytest.approx(2.671875, abs=1e-12)
    assert most == 6


@pytest.mark.parametrize(("check_win", "mean"), [("after_flip", 2.8540), ("before_flip", 2.7453)])
def test_best_play_under_random_flips_takes_what_the_documentation_says(check_win, mean):
    assert mean_of_best_play(0.1, check_win)[0] == pytest.approx(mean, abs=5e-5)


@pytest.mark.parametrize("check_win", ["after_flip", "before_flip"])
def test_a_win_is_checked_after_or_before_the_random_flip(check_win):
    env = Flippers(p_flip=1.0, check_win=check_win)
    outcomes = set()
    for seed in range(30):
        env.reset(seed=seed, options={"board": 0b011})
        board, reward, terminated, _, _ = env.step(2)
        outcomes.add((terminated, reward))
        assert terminated == (board in GOALS)
    # A tile always flips after the move, unless that has won.
    assert outcomes == ({(False, 0.0)} if check_win == "after_flip" else {(True, 1.0)})


def test_exactly_the_boards_with_three_dots_in_a_row_or_column_are_goals():
    env = Flippers()
    won = [b for b in range(512) if env.reset(options={"board": b})[1].get("terminated")]
    assert won == sorted(GOALS)


def test_a_board_of_four_rows_has_eight_goals():
    env = Flippers(size=4)
    starts = (env.reset(options={"board": board})[1] for board in range(2**16))
    assert sum("terminated" in info for info in starts) == 8


def test_games_start_with_any_board():
    env = Flippers()
    env.reset(seed=0)
    counts = np.bincount([env.reset()[0] for _ in range(51_200)], minlength=512)
    # Chi-square with 511 degrees of freedom: mean 511, deviation 32.
    assert ((counts - 100) ** 2 / 100).sum() == pytest.approx(511, abs=160)


def test_random_flips_have_their_probability_and_hit_any_tile():
    env = Flippers(p_flip=0.3)
    env.reset(seed=0)
    flipped = []
    for _ in range(9_000):
        env.reset(options={"board": 0})
        board = env.step(0)[0] ^ 1
        flipped.append(-1 if board == 0 else board.bit_length() - 1)
    counts = np.bincount(np.array(flipped) + 1, minlength=10)
    assert counts[0] == pytest.approx(0.7 * 9000, abs=4 * np.sqrt(9000 * 0.21))
    assert np.all(np.abs(counts[1:] - 300) < 4 * np.sqrt(300))


def test_rewards():
    def rewards(reward):
        env = Flippers(reward=reward)
        env.reset(options={"board": 0b1})
        return [env.step(tile)[1] for tile in (1, 3, 3, 2)]

    assert rewards("win") == [0.0, 0.0, 0.0, 1.0]
    assert rewards("game_length") == [0.0, 0.0, 0.0, 0.5]
    assert rewards("step") == [-1.0] * 4


def test_a_game_is_truncated_after_the_most_moves_but_not_if_the_last_one_wins():
    env = Flippers(max_moves=2)
    env.reset(options={"board": 0b1})
    assert env.step(1)[2:4] == (False, False)
    assert env.step(2)[2:4] == (True, False)
    env.reset(options={"board": 0b1})
    env.step(1)
    assert env.step(1)[2:4] == (False, True)


def test_numbers_tiles_and_observations_of_a_board_agree():
    index, board = Flippers(), Flippers(observation="board")
    for number in (0, 5, 0b110001010, 511):
        tiles = board.reset(options={"board": number})[0]
        assert index.reset(options={"board": tiles})[0] == number
        np.testing.assert_array_equal(index.board.ravel(), tiles)
        np.testing.assert_array_equal(board.as_board(tiles), index.as_board(number))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 1}, "size must be"),
        ({"p_flip": 1.5}, "p_flip must be"),
        ({"reward": "moves"}, "reward must be one of .*'step'"),
        ({"observation": "picture"}, "observation must be"),
        ({"check_win": "never"}, "check_win must be"),
        ({"max_moves": 0}, "max_moves must be"),
        ({"render_mode": "human"}, "render_mode must be"),
    ],
)
def test_wrong_parameters_of_flippers_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Flippers(**options)


@pytest.mark.parametrize("board", [512, -1, [1, 0, -1], [0] * 9, "start"])
def test_boards_that_are_none_are_refused(board):
    with pytest.raises(ValueError, match="board must"):
        Flippers().reset(options={"board": board})


@pytest.mark.parametrize("env", [Flippers(), TicTacToe()], ids=["Flippers", "TicTacToe"])
def test_a_move_needs_a_running_game_and_a_place_on_the_board(env):
    with pytest.raises(RuntimeError, match="call reset before step"):
        type(env)().step(0)
    env.reset(seed=0)
    for action in (9, -1):
        with pytest.raises(ValueError, match="action must be a (tile|place) from 0 to 8"):
            env.step(action)


def test_a_game_that_is_over_needs_a_reset():
    env = Flippers()
    env.reset(options={"board": 0b011})
    env.step(2)
    with pytest.raises(RuntimeError, match="call reset before step"):
        env.step(0)


def test_flippers_is_rendered_as_text_and_as_a_picture():
    env = Flippers(render_mode="ansi")
    env.reset(options={"board": 0b100000011})
    assert env.render() == "o o .\n. . .\n. . o"
    env = Flippers(render_mode="rgb_array")
    env.reset(options={"board": 0b1})
    before = env.render()
    env.step(4)
    after = env.render()
    assert after.shape == (144, 144, 3)
    changed = np.argwhere((before != after).any(axis=2))
    assert changed.min() >= 48
    assert changed.max() < 96


# Tic-tac-toe.


def opponent_that_plays(*moves):
    moves = iter(moves)
    return lambda observation, mask: next(moves)


def test_the_first_line_of_three_wins():
    env = TicTacToe(opponent=opponent_that_plays(3, 4))
    env.reset(seed=0)
    assert [env.step(place)[1:3] for place in (0, 1, 2)] == [(0.0, False)] * 2 + [(1.0, True)]
    env = TicTacToe(opponent=opponent_that_plays(3, 4, 5))
    env.reset(seed=0)
    assert [env.step(place)[1:3] for place in (0, 1, 8)] == [(0.0, False)] * 2 + [(0.0, True)]


def test_a_full_board_is_a_draw():
    env = TicTacToe(opponent=opponent_that_plays(4, 2, 3, 7), draw_reward=0.25)
    env.reset(seed=0)
    assert [env.step(place)[1:3] for place in (0, 8, 6, 5, 1)][-1] == (0.25, True)


def test_an_illegal_move_loses():
    env = TicTacToe(opponent=opponent_that_plays(4))
    env.reset(seed=0)
    env.step(0)
    assert env.step(4)[1:3] == (0.0, True)


def test_the_mask_names_the_empty_places():
    env = TicTacToe(opponent=opponent_that_plays(4), illegal_moves="masked")
    assert env.reset(seed=0)[1]["action_mask"].tolist() == [1] * 9
    assert env.step(0)[4]["action_mask"].tolist() == [0, 1, 1, 1, 0, 1, 1, 1, 1]
    assert TicTacToe().reset(seed=0)[1] == {}


def test_crosses_begin_and_boards_are_seen_from_the_own_side():
    env = TicTacToe(opponent=opponent_that_plays(4), side="o", observation="board")
    assert env.reset(seed=0)[0].tolist() == [0, 0, 0, 0, -1, 0, 0, 0, 0]
    env = TicTacToe(opponent=opponent_that_plays(4), side="o", render_mode="ansi")
    observation, _ = env.reset(seed=0)
    assert observation == 2 * 3**4
    np.testing.assert_array_equal(env.as_board(observation), env.board)
    assert env.render().splitlines()[1] == ". X ."


def test_random_sides_are_both_drawn():
    env = TicTacToe(side="random")
    env.reset(seed=0)
    begins = [env.reset()[0] == 0 for _ in range(400)]
    assert 140 < sum(begins) < 260


@pytest.mark.parametrize("side", ["x", "o"])
def test_the_perfect_opponent_never_loses(side):
    env = TicTacToe(opponent="perfect", side=side, illegal_moves="masked")
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    results = []
    for _ in range(300):
        info, terminated = env.reset()[1], False
        while not terminated:
            move = rng.choice(np.flatnonzero(info["action_mask"]))
            _, reward, terminated, _, info = env.step(move)
        results.append(reward)
    assert set(results) == {0.0, 0.5}


def test_perfect_players_draw():
    from sknn_basics.environments.tic_tac_toe import best_moves, value

    env = TicTacToe(opponent="perfect")
    assert value((0,) * 9) == 0
    for seed in range(20):
        env.reset(seed=seed)
        terminated = False
        while not terminated:
            _, reward, terminated, _, _ = env.step(best_moves(tuple(env.board.ravel()))[0])
        assert reward == 0.5


def test_an_opponent_that_moves_illegally_is_named():
    env = TicTacToe(opponent=opponent_that_plays(0))
    env.reset(seed=0)
    with pytest.raises(ValueError, match="opponent must make a legal move, got 0"):
        env.step(0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opponent": "clever"}, "opponent must be"),
        ({"side": "both"}, "side must be"),
        ({"illegal_moves": "forbidden"}, "illegal_moves must be"),
        ({"draw_reward": 2}, "draw_reward must be"),
    ],
)
def test_wrong_parameters_of_tic_tac_toe_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        TicTacToe(**options)


def test_the_environments_name_the_extra_that_they_need(monkeypatch):
    import importlib
    import sys

    for name in [name for name in sys.modules if name.startswith("sknn_basics.environments")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ImportError, match=r"sknn_basics\[rl\]"):
        importlib.import_module("sknn_basics.environments")
