"""What the operators before an output tell of it, for ONNX and torch alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

#: Operators that change the form of what they are given, and not what it means.
_FORMAL = frozenset({
    "identity", "cast", "reshape", "squeeze", "flatten", "dropout", "view", "_unsafe_view", "alias", "clone", "contiguous",
    "detach", "lift_fresh_copy", "to", "_to_copy", "type_as",
})  # fmt: skip
#: Operators that are linear in one input, the others being constants of the file.
_AFFINE = frozenset({
    "gemm", "matmul", "conv", "add", "sub", "mul", "div", "neg", "linear", "addmm", "mm", "conv1d", "conv2d", "conv3d",
    "convolution", "rsub",
})  # fmt: skip
#: Those of them that end a network: nothing bounds what they make.
_LAYERS = frozenset({
    "gemm", "matmul", "conv", "linear", "addmm", "mm", "conv1d", "conv2d", "conv3d", "convolution",
})  # fmt: skip
#: Operators whose results lie in an interval, as scores do that are neither logits nor probabilities.
_SQUASHING = frozenset({
    "sigmoid", "softmax", "_softmax", "hardsigmoid", "tanh", "hardtanh", "clip", "clamp", "erf", "sin", "cos",
    "sign", "softsign", "argmax", "argmin", "relu6",
})  # fmt: skip


class Step(Protocol):
    """One operator of a graph, applied."""

    @property
    def operator(self) -> str:
        """Its name, as the file has it."""

    @property
    def inputs(self) -> Sequence[str]:
        """Names of what it takes."""

    @property
    def outputs(self) -> Sequence[str]:
        """Names of what it gives."""


S = TypeVar("S", bound=Step)


@dataclass(frozen=True)
class Ending(Generic[S]):
    """The operators that give an output its meaning.

    Args:
        steps: The last one first, back through what is linear in one input, as ``1 - p`` is, to the first that is not;
            mere changes of form are left out.
        layered: Whether a plain linear layer is among them, of weights that are constant.
    """

    steps: tuple[S, ...]
    layered: bool

    @property
    def operator(self) -> str:
        """Name of the last operator."""
        return self.steps[0].operator if self.steps else "none"

    @property
    def makes_logits(self) -> bool:
        """Whether a linear layer ends the network, or the logarithm of a softmax."""
        return self.layered or short(self.operator) in ("logsoftmax", "log_softmax", "_log_softmax")

    @property
    def squashes(self) -> bool:
        """Whether all comes from an operator that holds its results in an interval."""
        return bool(self.steps) and short(self.steps[-1].operator) in _SQUASHING

    def makes_probabilities(self, columns: int) -> bool:
        """Whether the last operator is there to make probabilities, if its values look like some."""
        kind = short(self.operator)
        if kind.startswith("ai.onnx.ml."):
            return not kind.endswith("regressor")  # whose one number is as often a logit
        return kind in ("softmax", "_softmax") or (kind == "sigmoid" and columns == 1)


def ending(steps: Iterable[S], sources: Iterable[str], output: str) -> Ending[S]:
    """Find what gives an output its meaning.

    Args:
        steps: The operators, each after those whose outputs it takes.
        sources: Names of the graph's inputs: what does not depend on them is constant.
        output: Name of the output.
    """
    made: dict[str, S] = {}
    varying = set(sources)
    for step in steps:
        made.update(dict.fromkeys(step.outputs, step))
        if varying & set(step.inputs) and step.operator != "Shape":
            varying |= set(step.outputs)
    found: list[S] = []
    layered = False
    name: str | None = output
    while name is not None and name in made:
        step = made[name]
        kind = short(step.operator)
        # What changes the form of its first input may take that form from another one.
        depends = [given for given in step.inputs[: 1 if kind in _FORMAL else None] if given in varying]
        alone = len(depends) == 1
        if kind not in _FORMAL:
            found.append(step)
        layered |= alone and kind in _LAYERS
        name = depends[0] if alone and (kind in _FORMAL or kind in _AFFINE) else None
    return Ending(tuple(found), layered)


def short(operator: str) -> str:
    """An operator's name in small letters, without the parts that torch puts around it and the mark of one in place."""
    name = operator.split(".")[1].removesuffix("_") if operator.startswith("aten.") else operator
    return name.lower()
