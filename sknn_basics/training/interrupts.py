"""What Ctrl-C does: the first ends a fit, and a second one soon after what called it too."""

import time
import warnings

# A second Ctrl-C within so many seconds of the first is meant for more than a fit.
SECONDS = 2.0


class LastInterrupt:
    """When a user interrupted a fit of this process last."""

    time = -float("inf")


def end_or_raise(error: KeyboardInterrupt, stacklevel: int) -> None:
    """Warn that a training was interrupted, or raise if another one was just before.

    A search of scikit-learn knows nothing of an interrupt that its candidate's fit has taken for
    itself, and continues with the next one. Callbacks that raise it to stop, as skorch's may, count
    as no user.
    """
    now, before = time.monotonic(), LastInterrupt.time
    if not getattr(error, "is_from_callback", False):
        LastInterrupt.time = now
        if now - before < SECONDS:
            raise error
    warnings.warn(
        "Training interrupted by user. What was learned so far is kept, and scores are of it: a "
        f"second Ctrl-C within {SECONDS:g} seconds ends what called fit too, such as a search.",
        stacklevel=stacklevel + 1,
    )
