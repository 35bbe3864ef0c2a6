"""A network as a list of operations that can be bounded, in the order in which they are computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

from torch import Tensor
from torch.nn import functional

from audit.robustness.certificates.operations import Affine, Operation, Shapes


@dataclass(frozen=True)
class Step:
    """One operation of a network.

    Args:
        operation: What is computed; nothing for the input itself.
        sources: The steps whose outputs it takes.
        shape: Shape of its output for one row ``*T``.
    """

    operation: Operation | None
    sources: tuple[int, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Network:
    """Operations, of which the first is the input and the last gives one number a class.

    Args:
        steps: Each takes the outputs of steps before it.
    """

    steps: tuple[Step, ...]

    def shapes(self, index: int) -> Shapes:
        """Shape of each input of a step."""
        return tuple(self.steps[source].shape for source in self.steps[index].sources)

    @cached_property
    def bent(self) -> tuple[int, ...]:
        """The steps that are not affine."""
        return tuple(i for i, step in enumerate(self.steps) if step.operation is not None and not isinstance(step.operation, Affine))

    @cached_property
    def affine(self) -> tuple[bool, ...]:
        """Whether each step's output is affine in the input."""
        known: list[bool] = []
        for index, step in enumerate(self.steps):
            known.append(index not in self.bent and all(known[source] for source in step.sources))
        return tuple(known)

    @cached_property
    def mixings(self) -> tuple[int, ...]:
        """How many operations on the way from the input to each step's output mix elements.

        After one at most, what intervals give is exact over a box.
        """
        counts: list[int] = []
        for step in self.steps:
            before = max((counts[source] for source in step.sources), default=0)
            counts.append(before + (isinstance(step.operation, Affine) and step.operation.mixes))
        return tuple(counts)

    def units(self, index: int, places: Tensor) -> Tensor:
        """The functions that are one element of a step each, as coefficients of its output ``(M, *T)``.

        Args:
            index: The step.
            places: Of the elements ``(M,)``.
        """
        shape = self.steps[index].shape
        return functional.one_hot(places, prod(shape)).double().reshape(-1, *shape)

    def pull(self, index: int, coefficients: Tensor) -> tuple[dict[int, Tensor], Tensor]:
        """Linear functions of a step as functions of the input and of what is not affine, the same for all rows.

        Args:
            index: The step.
            coefficients: Of its output ``(M, *T)``.

        Returns:
            Coefficients of the steps where it ends ``(M, *T)``, and what is added ``(M,)``.
        """
        pending, ended, constants = {index: coefficients}, dict[int, Tensor](), coefficients.new_zeros(len(coefficients))
        while pending:
            at = max(pending)
            part, operation = pending.pop(at), self.steps[at].operation
            if not isinstance(operation, Affine):
                ended[at] = part
                continue
            parts, added = operation.back(part, self.shapes(at))
            constants = constants + added
            for source, given in zip(self.steps[at].sources, parts, strict=True):
                pending[source] = pending[source] + given if source in pending else given
        return ended, constants

    def __call__(self, x: Tensor) -> Tensor:
        """What the operations give for inputs ``(N, *S)``: their bounds over a point."""
        values = [x.double()]
        for step in self.steps[1:]:
            assert step.operation is not None
            values.append(step.operation.bounds(*((values[source], values[source]) for source in step.sources))[0])
        return values[-1].reshape(len(x), -1)
