"""Environments for agents, with the interface of gymnasium (extra ``rl``).

Importing this module registers them, so that ``gymnasium.make("sknn_basics/Flippers-v0")`` and
``gymnasium.make("sknn_basics/TicTacToe-v0")`` work.
"""

from sknn_basics._optional import import_optional

gymnasium = import_optional("gymnasium", "rl", "sknn_basics.environments")

from sknn_basics.environments.flippers import Flippers  # noqa: E402
from sknn_basics.environments.tic_tac_toe import TicTacToe  # noqa: E402

__all__ = ["Flippers", "TicTacToe"]

for _kind in (Flippers, TicTacToe):
    _id = f"sknn_basics/{_kind.__name__}-v0"
    if _id not in gymnasium.registry:
        gymnasium.register(_id, entry_point=f"{__name__}:{_kind.__name__}")
