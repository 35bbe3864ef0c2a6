"""Computational graph: what a network computes, in its order, from what, with shapes and learned numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError
from explain.internals.layers import first_tensor, list_layers, probe, require_network, run_network, tensors_in

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INPUT, OUTPUT = "input", "answer"
_HEADINGS = ("", "layer", "type", "output", "parameters", "after")


@dataclass(frozen=True)
class Node:
    """One step of the computation.

    Args:
        name: The layer, or for what is no layer what is done, such as ``"add"``.
        kind: The layer's type; empty for what is no layer.
        shape: Shape of what comes out for one input.
        parameters: Numbers that it learned; 0 where an earlier step of the same layer has them.
        sources: The steps whose results go in, by their place in the order.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    sources: tuple[int, ...]


@dataclass(frozen=True)
class NetworkGraph:
    """A network's computation. The first step is the input and the last the answer.

    Args:
        nodes: Its steps, in the order in which they are done.
        total: Numbers that the whole network learned; those that no step shows belong to the network itself.
    """

    nodes: tuple[Node, ...]
    total: int

    @property
    def loose(self) -> int:
        """Numbers that were learned and belong to no step: the network uses them itself, or not at all."""
        return self.total - sum(node.parameters for node in self.nodes)

    def to_frame(self) -> pd.DataFrame:
        """One line for each step: its layer, type, output shape, parameters, and the places of the steps before it."""
        return pd.DataFrame(
            {
                "layer": [node.name for node in self.nodes],
                "type": [node.kind for node in self.nodes],
                "shape": [shape_words(node.shape) for node in self.nodes],
                "parameters": [node.parameters for node in self.nodes],
                "after": [", ".join(map(str, node.sources)) for node in self.nodes],
            }
        )

    def to_text(self, width: int = 80) -> str:
        """The table as text, no line of which is wider than `width`.

        Raises:
            ConfigurationError: If `width` leaves no room for the columns.
        """
        if width < 60:
            raise ConfigurationError(f"width must be at least 60, got {width}")
        frame = self.to_frame()
        numbers = [f"{count:,}" if count else "" for count in frame["parameters"]]
        places, most = len(str(len(frame))), max(10, *map(len, numbers))
        rest = width - places - most - 12 - 9 - 5
        wide = (rest * 3 // 5, rest - rest * 3 // 5)
        columns = (map(str, frame.index), frame["layer"], frame["type"], frame["shape"], numbers, frame["after"])
        lines = [
            f"{place:>{places}} {cut_front(layer, wide[0]):<{wide[0]}} {cut_front(kind, wide[1]):<{wide[1]}} "
            f"{cut_front(shape, 12):>12} {number:>{most}} {cut_front(after, 9)}".rstrip()
            for place, layer, kind, shape, number, after in [_HEADINGS, *zip(*columns, strict=True)]
        ]
        loose = f", {self.loose:,} of them in no layer" if self.loose else ""
        return "\n".join([*lines, f"{self.total:,} parameters{loose}"])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the steps as boxes in their order, and what passes by others as lines beside them."""
        from explain.figures.network.computational_graph import draw_network

        return draw_network(self, ax=ax)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return f"{self.to_frame().to_html(escape=True)}<p>{self.total:,} parameters</p>"


def network_graph(classifier: Classifier, *, most: int = 60) -> NetworkGraph:
    """Run a network once on two inputs that say nothing, and note what is computed from what.

    Layers are the steps, as is whatever joins the results of two of them: an addition shows a way around. A
    network of more steps than `most` is shown by the blocks that hold them.

    Args:
        classifier: One with a network.
        most: Steps that are shown at most, if blocks can be made of them.

    Raises:
        NotApplicableError: If the classifier is a black box.
        ConfigurationError: If `most` is not at least 3.
    """
    if most < 3:
        raise ConfigurationError(f"most must be at least 3, got {most}")
    module = require_network(classifier)
    called = {layer.name for layer in list_layers(classifier) if layer.calls}
    depth = max((name.count(".") for name in called), default=0)
    graph = _traced(classifier, module, _steps(module, called, depth))
    while len(graph.nodes) > most and depth:
        depth -= 1
        graph = _traced(classifier, module, _steps(module, called, depth))
    return graph


def network_table(classifier: Classifier) -> pd.DataFrame:
    """Every layer that computes, in order: name, type, output shape, parameters, and the steps that it comes after.

    Args:
        classifier: One with a network.

    Raises:
        NotApplicableError: If the classifier is a black box.
    """
    return network_graph(classifier, most=10**6).to_frame()


def shape_words(shape: tuple[int, ...]) -> str:
    """A shape as a reader wants it: ``"16 x 8 x 8"``."""
    return " x ".join(map(str, shape))


def _steps(module: nn.Module, called: set[str], depth: int) -> dict[str, nn.Module]:
    """The layers that are steps: those that hold no others that are called, that learned numbers of their own, or that lie so deep."""
    steps: dict[str, nn.Module] = {}
    for name, layer in module.named_modules():
        if name not in called or any(name.startswith(f"{holder}.") for holder in steps):
            continue
        parts = [child for child, _ in layer.named_children()]
        lists = (part for part in layer.children() if isinstance(part, nn.ParameterList | nn.ParameterDict))
        own = next(layer.parameters(recurse=False), None) is not None or any(len(part) for part in lists)
        holds = any(other.startswith(f"{name}.") for other in called)
        if own or not parts or not holds or name.count(".") >= depth:
            steps[name] = layer
    return steps


def _traced(classifier: Classifier, module: nn.Module, steps: dict[str, nn.Module]) -> NetworkGraph:
    x = probe(classifier)
    trace = _Trace(x)
    with torch.no_grad(), trace.following(steps), trace:
        answer = run_network(classifier, x)
    trace.add(OUTPUT, "", answer, 0, [answer])
    return NetworkGraph(tuple(trace.nodes), sum(parameter.numel() for parameter in module.parameters()))


class _Trace(TorchFunctionMode):
    """Notes which step every tensor comes from while a network runs."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        # With the tensors themselves, lest another takes the place, and the number, of one that is gone.
        self.origins: dict[int, tuple[Tensor, int]] = {}
        self.counted: set[int] = set()
        self.inside = 0
        self.rows = len(x)
        self.add(INPUT, "", x, 0, [])

    def add(self, name: str, kind: str, result: Any, parameters: int, given: list[Tensor]) -> None:
        """Note a step, and that what it gives comes from it."""
        found = first_tensor(result)
        shape = () if found is None else tuple(found.shape)
        shape = shape[1:] if shape[:1] == (self.rows,) else shape
        self.nodes.append(Node(name, kind, shape, parameters, self.sources(given)))
        self.mark(result, len(self.nodes) - 1)

    def sources(self, given: list[Tensor]) -> tuple[int, ...]:
        """The steps that some tensors come from."""
        return tuple(sorted({self.origins[id(tensor)][1] for tensor in given if id(tensor) in self.origins}))

    def mark(self, result: Any, place: int) -> None:
        """Note where what is in a result comes from."""
        for tensor in tensors_in(result):
            self.origins[id(tensor)] = (tensor, place)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.inside or first_tensor(result) is None:
            return result
        given = list(tensors_in((args, kwargs or {})))
        sources = self.sources(given)
        if len(sources) > 1:
            self.add(getattr(func, "__name__", "function").strip("_"), "", result, 0, given)
        elif sources:
            self.mark(result, sources[0])
        return result

    @contextmanager
    def following(self, steps: dict[str, nn.Module]) -> Iterator[None]:
        """Take each of these layers for one step, whatever it does inside."""
        handles = []

        def begin(_layer: nn.Module, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
            self.inside += 1

        def end(name: str, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
            with torch._C.DisableTorchFunction():
                given = list(tensors_in((args, kwargs)))
                # What passes through unchanged is another tensor after it, so that both uses of it can be told apart.
                if isinstance(output, Tensor) and any(output is tensor for tensor in given):
                    output = output.view_as(output)
            fresh = {id(parameter): parameter.numel() for parameter in layer.parameters() if id(parameter) not in self.counted}
            self.counted |= fresh.keys()
            self.inside -= 1
            self.add(name, type(layer).__name__, output, sum(fresh.values()), given)
            return output

        try:
            for name, layer in steps.items():
                handles.append(layer.register_forward_pre_hook(begin, with_kwargs=True))
                hook = lambda found, args, kwargs, output, name=name: end(name, found, args, kwargs, output)  # noqa: E731
                handles.append(layer.register_forward_hook(hook, with_kwargs=True))
            yield
        finally:
            for handle in handles:
                handle.remove()


def cut_front(text: str, width: int) -> str:
    """A text that fits: of a long one the end says most."""
    return text if len(text) <= width else f"…{text[len(text) - width + 1 :]}"
