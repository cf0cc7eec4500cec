"""Pictures of agents show what they have learnt and played."""

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")
pytest.importorskip("gymnasium", reason="gymnasium is not installed")

import matplotlib.pyplot as plt

from sknn_basics.agents import Episode, QLearningAgent
from sknn_basics.displays import (
    AgentCurveDisplay,
    DiscountedReturnDisplay,
    GameDisplay,
    GameLengthDisplay,
    QTableDisplay,
)
from sknn_basics.environments import Flippers, TicTacToe


@pytest.fixture(scope="module")
def agent():
    return QLearningAgent(alpha=0.5, max_iter=2000, random_state=0).fit(Flippers())


def texts_of(ax):
    return [text.get_text() for text in ax.texts]


def test_a_game_is_drawn_move_by_move_with_its_values(agent):
    display = GameDisplay.from_agent(agent, Flippers(), start=0b1, random_state=0)
    boards, actions = display.boards, display.actions
    assert display.axes_.shape == (2, len(actions) + 1)
    state = 0b1
    for number, (action, bars) in enumerate(zip(actions, display.bars_)):
        np.testing.assert_array_equal([bar.get_height() for bar in bars], agent.q_table_[state])
        red = [i for i, bar in enumerate(bars) if bar.get_facecolor()[0] > 0.5]
        assert red == [action]
        dots = [text == "●" for text in texts_of(display.axes_[0, number])]
        np.testing.assert_array_equal(dots, boards[number].ravel() == 1)
        state ^= 1 << action
    assert (boards[-1] == 1).sum() == 3
    assert display.axes_[0, -1].get_title() == f"move {len(actions)}: +1"


def test_marks_of_both_players_are_drawn_and_masked_moves_have_no_value():
    env = TicTacToe(opponent=lambda board, mask: 8, illegal_moves="masked")
    agent = QLearningAgent(max_iter=1, max_steps=1, random_state=0).fit(env)
    display = GameDisplay.from_agent(agent, env, max_steps=1, random_state=0)
    texts = texts_of(display.axes_[0, -1])
    assert texts[8] == "○"
    assert texts[display.actions[0]] == "✕"
    env = TicTacToe(illegal_moves="masked")
    display = GameDisplay.from_agent(agent, env, random_state=0)
    heights = [bar.get_height() for bar in display.bars_[1]]
    assert np.isnan(heights).sum() == 2


def test_a_game_is_drawn_into_given_axes(agent):
    axes = plt.subplots(2, 2)[1]
    options = {"start": 0b011, "max_steps": 1, "random_state": 0}
    display = GameDisplay.from_agent(agent, Flippers(), **options, ax=axes)
    assert display.figure_ is axes[0, 0].figure
    with pytest.raises(ValueError, match="ax must be 4 axes, two rows of 2, got 3"):
        display.plot(plt.subplots(1, 3)[1])


def test_games_that_cannot_be_drawn_are_named(agent):
    with pytest.raises(ValueError, match="starts with 7 is won"):
        GameDisplay.from_agent(agent, Flippers(), start=7)
    with pytest.raises(ValueError, match="method as_board"):
        GameDisplay.from_agent(agent, "CliffWalking-v1")


def test_the_table_is_drawn_where_actions_were_taken(agent):
    display = QTableDisplay.from_agent(agent)
    rows, actions = np.nonzero(agent.n_visits_)
    expected = np.column_stack([rows, agent.q_table_[rows, actions]])
    np.testing.assert_array_equal(display.dots_.get_offsets(), expected)
    np.testing.assert_array_equal(display.dots_.get_array(), actions)
    whole = QTableDisplay(q_table=agent.q_table_).plot()
    assert len(whole.dots_.get_offsets()) == 512 * 9
    with pytest.raises(ValueError, match="agent with a table"):
        QTableDisplay.from_agent(QLearningAgent())


def test_histograms_have_the_share_of_each_length(agent):
    options = {"n_episodes": 2, "starts": range(512), "random_state": 0}
    display = GameLengthDisplay.from_agent(agent, Flippers(), **options)
    lengths = agent.evaluate(Flippers(), 2, starts=range(512), random_state=0).lengths
    heights = [bar.get_height() for bar in display.bars_["QLearningAgent"]]
    np.testing.assert_allclose(heights, np.bincount(lengths) / 1024)
    (text,) = display.ax_.get_legend().get_texts()
    assert text.get_text() == f"QLearningAgent: mean {lengths.mean():.2f}"


def test_histograms_of_several_agents_stand_side_by_side(agent):
    display = GameLengthDisplay.from_agents({"a": agent, "b": agent}, Flippers(), n_episodes=20)
    ends = [bar.get_x() + bar.get_width() for bar in display.bars_["a"]]
    np.testing.assert_allclose(ends, [bar.get_x() for bar in display.bars_["b"]], atol=1e-12)
    with pytest.raises(ValueError, match="lengths has no games"):
        GameLengthDisplay.from_lengths({"a": []})


def test_curves_are_moving_means_of_what_was_recorded(agent):
    display = AgentCurveDisplay.from_agents({"Q": agent}, window=100)
    line = display.lines_["Q"]
    lengths = agent.history_["length"]
    np.testing.assert_array_equal(line.get_xdata(), np.arange(100, 2001))
    np.testing.assert_allclose(
        line.get_ydata()[[0, -1]], [lengths[:100].mean(), lengths[-100:].mean()]
    )
    assert display.ax_.get_ylabel() == "Mean length"
    with pytest.raises(ValueError, match="quantity must be one of .*'epsilon'.* got 'loss'"):
        AgentCurveDisplay.from_agent(agent, quantity="loss")


def test_measured_points_over_a_wide_range_are_drawn_on_a_logarithmic_axis():
    curves = {"Q": ([300, 3000, 60_000], [6.0, 4.0, 3.0])}
    assert AgentCurveDisplay(curves=curves).plot().ax_.get_xscale() == "log"
    curves = {"Q": ([100, 200, 300], [6.0, 4.0, 3.0])}
    assert AgentCurveDisplay(curves=curves).plot().ax_.get_xscale() == "linear"


def test_discounted_returns_are_sums_of_what_follows():
    episode = Episode([0, 1, 2, 3], [0, 0, 0], [1.0, -2.0, 4.0], terminated=True)
    display = DiscountedReturnDisplay.from_episode(episode, gammas=(0.0, 0.5))
    assert display.lines_[0.0].get_ydata().tolist() == [1.0, -2.0, 4.0]
    assert display.lines_[0.5].get_ydata().tolist() == [1.0, 0.0, 4.0]
    assert display.lines_[0.5].get_ydata()[0] == episode.discounted_return(0.5)
    with pytest.raises(ValueError, match="rewards is empty"):
        DiscountedReturnDisplay.from_rewards([])
