"""The optimisers of a stack: moments in a common memory, and one call for all that are alike."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from sknn_basics.training.optimisers import Adam


class JointOptimiser:
    """Many optimisers that step at once.

    Those of one class become one optimiser, which updates all parameters with the same options in
    one call. It works on the states of the given ones. A class from outside torch may keep more
    than states and options: its optimisers step one by one.

    Parameters
    ----------
    optimisers : sequence of Optimizer
        What to join; their options are read now.
    """

    def __init__(self, optimisers: Sequence[Optimizer]):
        self.joined, self.groups = [], []
        by_class = defaultdict(list)
        for optimiser in optimisers:
            kind = type(optimiser)
            if kind is Adam or kind.__mro__[1].__module__.startswith("torch.optim"):
                by_class[kind].append(optimiser)
            else:
                self.joined.append(optimiser)
        self.joined += [self.join(kind, alike) for kind, alike in by_class.items()]

    def join(self, kind: type[Optimizer], optimisers: list[Optimizer]) -> Optimizer:
        joint = kind.__new__(kind)
        vars(joint).update(vars(optimisers[0]))
        joint.state = defaultdict(dict)
        groups = defaultdict(list)
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                options = options_of(group)
                states = {p: optimiser.state[p] for p in group["params"]}
                # What has not made a step yet cannot share a call with what has.
                begun = [list(state) for state in states.values()]
                groups[repr((options, begun))].append(group)
                joint.state.update(states)
        joint.param_groups = [
            {**members[0], "params": [p for member in members for p in member["params"]]}
            for members in groups.values()
        ]
        if kind is Adam and joint.param_groups[0]["fused"]:
            # Gradients of a stack are the same tensors in every step.
            joint.kept = {
                id(group): join_neighbours(joint.fused_tensors(group))
                for group in joint.param_groups
            }
        self.groups += zip(joint.param_groups, groups.values())
        return joint

    def renew(self) -> bool:
        """Read the options again; tell whether those that share a call still have the same."""
        for joint, members in self.groups:
            first, *others = map(options_of, members)
            if any(options != first for options in others):
                return False
            joint.update(first)
        return True

    def step(self) -> None:
        """Make the step of all optimisers."""
        for optimiser in self.joined:
            optimiser.step()

    def separate(self) -> None:
        """Give every optimiser the options that its class has changed in the steps."""
        for joint, members in self.groups:
            options = options_of(joint)
            for member in members:
                member.update(options)


def options_of(group: dict) -> dict:
    """Give all of a parameter group but its parameters."""
    return {name: value for name, value in group.items() if name != "params"}


def are_fused_adam(optimisers: Sequence[Optimizer]) -> bool:
    return all(type(own) is Adam and own.param_groups[0]["fused"] for own in optimisers)


def snapshot_of_optimisers(optimisers: Sequence[Optimizer]) -> Callable[[], None]:
    """Remember options and states; calling the result brings them back."""
    # Those of fused Adam are moved before they change: `lay_moments_side_by_side`.
    copied = dict if are_fused_adam(optimisers) else clone_tensors
    groups = [(group, dict(group)) for own in optimisers for group in own.param_groups]
    states = [(own, {p: copied(state) for p, state in own.state.items()}) for own in optimisers]

    def undo() -> None:
        for group, before in groups:
            group.update(before)
        for own, before in states:
            own.state.clear()
            own.state.update(before)

    return undo


def clone_tensors(state: dict) -> dict:
    return {name: v.clone() if isinstance(v, Tensor) else v for name, v in state.items()}


def lay_moments_side_by_side(
    optimisers: Sequence[Optimizer], parameters: Sequence[list[Tensor]]
) -> None:
    """Give the moments of fused Adam optimisers among those of a block a memory in common."""
    # Parameters of one place, however those of each optimiser are grouped.
    members = [own for own in zip(optimisers, parameters) if are_fused_adam(own[:1])]
    if not members:
        return
    for i in range(len(members[0][1])):
        states = [own.state[ps[i]] or own.new_state(ps[i]) for own, ps in members]
        for moment in ("exp_avg", "exp_avg_sq"):
            moments = [state[moment] for state in states]
            stacked = torch.cat([own.flatten() for own in moments])
            for state, own, part in zip(
                states, moments, stacked.split([m.numel() for m in moments])
            ):
                state[moment] = part.view(own.shape)


def join_neighbours(tensors: tuple) -> tuple:
    """Join those of the tensors of a fused step that lie side by side in memory.

    A call takes long for every tensor that it is given.
    """
    *lists, _, steps = tensors
    rows = []
    for column in sorted(zip(*lists), key=lambda column: column[0].data_ptr()):
        if rows and all(map(is_followed_by, rows[-1][-1], column)):
            rows[-1].append(column)
        else:
            rows.append([column])
    joined = [[join(own) for own in zip(*row)] for row in rows]
    return *map(list, zip(*joined)), [], steps[: len(rows)]


def is_followed_by(first: Tensor, second: Tensor) -> bool:
    """Tell whether two tensors lie side by side in one memory."""
    return (
        first.untyped_storage().data_ptr() == second.untyped_storage().data_ptr()
        and first.data_ptr() + first.nbytes == second.data_ptr()
        and first.is_contiguous()
        and second.is_contiguous()
    )


def join(neighbours: Sequence[Tensor]) -> Tensor:
    """View tensors that lie side by side as one."""
    first = neighbours[0].detach()
    if len(neighbours) == 1:
        return first
    size = sum(tensor.numel() for tensor in neighbours)
    return first.as_strided((size,), (1,), first.storage_offset())
