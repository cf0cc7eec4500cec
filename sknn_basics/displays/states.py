"""What a recurrent network keeps in mind."""

from collections.abc import Mapping

import numpy as np

from sknn_basics.displays._axes import choose_axes
from sknn_basics.displays.images import import_pyplot
from sknn_basics.displays.models import find_network


class RecurrentStatesDisplay:
    """A sequence, and below it heat maps of every layer's state at each step.

    Use `from_estimator` to make one.

    Parameters
    ----------
    sequence : ndarray of shape (n_steps, n_features)
        The input.
    states : dict of str to ndarray of shape (n_steps, n_units)
        The states, by name; NaN where there are none.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (1 + n_states,)
        Where the sequence and the states were drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    lines_ : list of matplotlib Line2D
        The features of the sequence.
    images_ : dict of str to matplotlib AxesImage
        The heat maps by name: a row a unit, a column a step.

    Notes
    -----
    Units of one layer have no order: which row is which unit tells nothing. Colours of all hidden
    states go from -1 to 1, between which they lie unless the activation is unbounded; those of the
    cell of an LSTM go as far as its values.

    References
    ----------
    Karpathy, Johnson and Fei-Fei. "Visualizing and understanding recurrent networks."
    arXiv:1506.02078.

    Examples
    --------
    >>> from numpy.lib.stride_tricks import sliding_window_view
    >>> from sknn_basics import RNNRegressor
    >>> from sknn_basics.datasets import make_sum_of_sines
    >>> from sknn_basics.displays import RecurrentStatesDisplay
    >>> windows = sliding_window_view(make_sum_of_sines(100), 13)
    >>> network = RNNRegressor(hidden_layer_sizes=(4,), random_state=0)
    >>> network = network.initialize(windows[:, :-1], windows[:, -1])
    >>> display = RecurrentStatesDisplay.from_estimator(network, windows[0, :-1])
    >>> display.images_["layer1_hidden"].get_array().shape
    (4, 12)
    """

    def __init__(self, *, sequence: np.ndarray, states: Mapping[str, np.ndarray]):
        self.sequence = sequence
        self.states = states

    @classmethod
    def from_estimator(cls, estimator, sequence, *, ax=None) -> "RecurrentStatesDisplay":
        """Compute the states of a network along one sequence, and draw them.

        Parameters
        ----------
        estimator : estimator
            Fitted recurrent network, or a search of one.
        sequence : array-like of shape (n_steps,) or (n_steps, n_features)
            One sequence, as the network takes several.
        ax : array-like of 1 + n_states matplotlib Axes, default=None
            Where to draw the sequence and the states; None makes a new figure.

        Returns
        -------
        display : RecurrentStatesDisplay
            The drawn display.

        Raises
        ------
        TypeError
            If there is no recurrent network.
        ValueError
            If the sequence does not fit the network, or the number of axes does not fit.
        """
        network = find_network(estimator)
        if not hasattr(network, "states"):
            raise TypeError(f"{type(network).__name__} is no recurrent network: it has no states.")
        sequence = np.asarray(sequence)
        states = {name: values[0] for name, values in network.states(sequence[None]).items()}
        shown = sequence.reshape(len(sequence), -1)
        return cls(sequence=shown, states=states).plot(ax)

    def plot(self, ax=None) -> "RecurrentStatesDisplay":
        """Draw the sequence and the states.

        Parameters
        ----------
        ax : array-like of 1 + n_states matplotlib Axes, default=None
            Where to draw the sequence and the states; None makes a new figure.

        Returns
        -------
        display : RecurrentStatesDisplay
            This display.

        Raises
        ------
        ValueError
            If the number of axes does not fit.
        """
        plt = import_pyplot(self)
        n_axes = 1 + len(self.states)
        if ax is None:
            size = (7, 1.7 * n_axes)
            ax = plt.subplots(n_axes, 1, figsize=size, sharex=True, layout="constrained")[1]
        self.axes_ = choose_axes(self, ax, n_axes, (7, 1.7))
        self.figure_ = self.axes_[0].figure
        self.lines_ = self.axes_[0].plot(self.sequence)
        self.axes_[0].set(ylabel="Input")
        self.images_ = {
            name: self._draw_states(axes, name, values.T)
            for axes, (name, values) in zip(self.axes_[1:], self.states.items())
        }
        self.axes_[-1].set(xlabel="Step")
        return self

    def _draw_states(self, ax, name: str, values: np.ndarray):
        # All hidden states share their colours, so that layers can be compared.
        largest = np.nanmax(np.abs(values), initial=1.0 if "hidden" in name else 0.0)
        picture = ax.imshow(
            values,
            aspect="auto",
            cmap="RdBu_r",
            vmin=-largest,
            vmax=largest,
            interpolation="nearest",
        )
        ax.set(ylabel="Unit", title=name.replace("_", " ").capitalize())
        ax.figure.colorbar(picture, ax=ax)
        return picture
