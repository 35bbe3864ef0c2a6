"""Activations: what any layer of a network gives for some inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor, nn

from classifier.chunks import ELEMENTS
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError, did_you_mean
from explain.inputs import checked_batch
from explain.internals.layers import first_tensor, layer_module, list_layers, require_network, run_network, watching

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Numbers that are kept at most, 1 GiB of them.
_MOST = 2**28


@dataclass(frozen=True, eq=False)
class Activations(Mapping[str, Tensor]):
    """What layers gave for some inputs, by the layer's name; of a layer that a pass uses k times, ``"name:1"`` to ``"name:k"``.

    Args:
        values_of: What each gave ``(N, *T)``, on the processor.
    """

    values_of: Mapping[str, Tensor]

    def __getitem__(self, layer: str) -> Tensor:
        if layer not in self.values_of:
            raise ConfigurationError(f"there are no activations of {layer!r}", remedy=did_you_mean(layer, self.values_of))
        return self.values_of[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_of)

    def __len__(self) -> int:
        return len(self.values_of)

    def to_frame(self) -> pd.DataFrame:
        """One line for each layer: its units, and the mean, deviation, lowest and highest value and share of zeros over the inputs."""
        lines = []
        for name, value in self.items():
            numbers = value.double()
            zeros = float((numbers == 0).double().mean())
            lines.append((name, tuple(value.shape[1:]), *map(float, (numbers.mean(), numbers.std(), numbers.min(), numbers.max())), zeros))
        return pd.DataFrame(lines, columns=["layer", "shape", "mean", "deviation", "lowest", "highest", "zeros"])

    def plot(self, layer: str | None = None, row: int = 0) -> Figure:
        """Draw a layer, by default the first.

        The maps of a layer of channels are drawn of one input, as are steps or tokens by units; a layer of units is drawn
        as a heat map of all inputs beside a histogram. Most of these fill several panels: it returns a figure and takes no axes.
        """
        from explain.figures.network.activation_maps import draw_activations

        name = layer if layer is not None else next(iter(self))
        return draw_activations(self[name], name, row)

    def __repr__(self) -> str:
        return f"Activations({', '.join(f'{name} {tuple(value.shape)}' for name, value in self.items())})"

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(index=False, float_format="{:.3g}".format)


def activations(classifier: Classifier, x: Tensor, layer: str | Sequence[str]) -> Activations:
    """What layers give for some inputs, in memory that does not grow with the network's other layers.

    Args:
        classifier: One with a network.
        x: Inputs ``(N, *S)``.
        layer: The name of a layer, or several; :func:`list_layers` tells them. Of a layer that gives several tensors, the
            first is meant: of a recurrent one, its states over time.

    Raises:
        NotApplicableError: If the classifier is a black box, or a layer gives nothing for each input.
        ConfigurationError: If there is no such layer or input, or the result would be larger than 1 GiB.
    """
    names = [layer] if isinstance(layer, str) else list(layer)
    modules = {name: layer_module(classifier, name) for name in names}
    if not names:
        raise ConfigurationError("activations are of at least one layer, got none")
    x = checked_batch(classifier, x)
    known = {found.name: found for found in list_layers(classifier, x)}
    for name in names:
        if known[name].shape is None:
            called = "gives no tensor" if known[name].calls else "is never called by itself"
            raise NotApplicableError(f"the layer {name!r} {called}", remedy="take one of its parts, or the one that holds it")
    numbers = sum(prod(known[name].shape or ()) * known[name].calls for name in names)
    if numbers * len(x) > _MOST:
        raise ConfigurationError(
            f"{len(x)} inputs give {numbers * len(x):,} numbers in {', '.join(names)}, at most {_MOST:,} are kept",
            remedy=f"give {max(1, _MOST // max(1, numbers))} inputs or fewer at a time",
        )
    # The widest layer counts, whether it was asked for or not: it is computed all the same.
    widest = max(prod(found.shape) for found in known.values() if found.shape is not None)
    size = max(1, ELEMENTS // max(widest, prod(x.shape[1:])))
    parts = [_of_some(classifier, some, modules) for some in torch.split(x, size)]
    values = {
        name if len(parts[0][name]) == 1 else f"{name}:{call + 1}": _joined([part[name][call] for part in parts])
        for name in names
        for call in range(len(parts[0][name]))
    }
    return Activations(values)


def _of_some(classifier: Classifier, x: Tensor, modules: Mapping[str, nn.Module]) -> dict[str, list[Tensor]]:
    """What each use of each layer gives for as many inputs as fit in memory."""
    seen: dict[str, list[Tensor]] = {name: [] for name in modules}

    def keep(name: str, _: tuple[Any, ...], output: Any) -> None:
        module, value = modules[name], first_tensor(output)
        if value is None:
            return
        if isinstance(module, nn.RNNBase) and not module.batch_first:
            value = value.transpose(0, 1)
        if value.dim() == 0 or len(value) != len(x):
            raise NotApplicableError(
                f"the layer {name!r} gives {tuple(value.shape)} for {len(x)} inputs, and nothing for each of them",
                remedy="take the layer that holds it",
            )
        seen[name].append(value.detach().cpu())

    with torch.no_grad(), watching(require_network(classifier), keep, names=list(modules)):
        run_network(classifier, x)
    return seen


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """The parts below each other; texts of different lengths are filled up with zeros after their end."""
    shape = [max(extents) for extents in zip(*(part.shape[1:] for part in parts), strict=True)]
    filled = []
    for part in parts:
        missing = [wanted - found for wanted, found in zip(shape, part.shape[1:], strict=True)]
        filled.append(nn.functional.pad(part, [side for extent in reversed(missing) for side in (0, extent)]) if any(missing) else part)
    return torch.cat(filled)
