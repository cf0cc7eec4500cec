"""How far a fit is, for those who watch it."""

import numpy as np

# How often `verbose` and scikit-learn's callbacks are told.
N_PARTS = 20


class Progress:
    """Cut a fit into parts, each a task of scikit-learn's callbacks and a line of `verbose`.

    Games are too short to be told of one by one.

    Parameters
    ----------
    agent : Agent
        What is fitted.
    context : sklearn.callback.CallbackContext
        The fit, as scikit-learn's callbacks know it.
    total : int
        How much there is to do: games or moves.
    """

    def __init__(self, agent, context, total: int):
        self.agent, self.context, self.total = agent, context, total
        self.n_parts, self.n_ended, self.n_read = min(N_PARTS, total), 0, 0
        self.task = self._begin()

    def reach(self, n_done: int, rows: list[tuple]) -> bool:
        """Tell how much is done; return whether a callback wants to stop.

        `rows` are the return, length and exploration of all games so far.
        """
        is_stopped = False
        while n_done * self.n_parts >= (self.n_ended + 1) * self.total:
            is_stopped |= self.end()
            if self.agent.verbose and len(rows) > self.n_read:
                self._print(n_done, rows)
            if self.n_ended == self.n_parts:
                break
            self.task = self._begin()
        return is_stopped

    def end(self) -> bool:
        """End the part that was begun; return whether a callback wants to stop."""
        task, self.task = self.task, None
        if task is None:
            return False
        self.n_ended += 1
        return bool(task.call_on_fit_task_end(estimator=self.agent))

    def _begin(self):
        task = self.context.subcontext(task_name="part")
        return task.call_on_fit_task_begin(estimator=self.agent)

    def _print(self, n_done: int, rows: list[tuple]) -> None:
        totals, lengths, exploration = np.transpose(rows[self.n_read :])
        self.n_read = len(rows)
        print(
            f"{n_done} of {self.total}, {len(rows)} games: mean return {totals.mean():.3f}, "
            f"mean length {lengths.mean():.2f}, exploration {exploration[-1]:.3g}"
        )
