"""Hidden states: what a recurrent network knows at each step, as a path in two dimensions and as its size over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from classifier.architectures.attention_recurrent import AttentionRecurrentNetwork
from classifier.chunks import ELEMENTS
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError, did_you_mean
from classifier.modalities.sequence import Series
from classifier.modality import modality_of
from explain.inputs import checked_batch
from explain.internals.layers import first_tensor, require_network, run_network, watching

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class HiddenStates:
    """What recurrent layers knew at each step of some series.

    Args:
        states: By layer, the state after each step ``(N, T, H)``, in the order of the series; 0 where nothing was observed.
        observed: Which steps there were ``(N, T)``.
        predictions: The class that was decided for each series ``(N,)``.
        classes: Names of the classes.
        backwards: The layers that read the series from its last step to its first.
    """

    states: Mapping[str, Tensor]
    observed: Tensor
    predictions: Tensor
    classes: tuple[str, ...]
    backwards: tuple[str, ...] = ()

    def paths(self, layer: str | None = None) -> tuple[Tensor, tuple[float, float]]:
        """The states in the plane in which they vary most: principal components of all observed steps of all series.

        Args:
            layer: The layer; by default the last that reads from the first step on.

        Returns:
            Places ``(N, T, 2)``, ``NaN`` where nothing was observed, and the share of the variance along either axis.
        """
        states = self._of(layer).double()
        here = states[self.observed]
        centred = here - here.mean(0)
        _, sizes, axes = torch.linalg.svd(centred, full_matrices=False)
        axes = axes[:2]
        # Either direction of an axis would do; it is the one along which its largest weight is positive.
        axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()
        places = torch.full((*states.shape[:2], 2), torch.nan, dtype=torch.float64)
        flat = torch.zeros(len(here), 2, dtype=torch.float64)
        flat[:, : len(axes)] = centred @ axes.T
        places[self.observed] = flat
        shares = [*(sizes.square() / sizes.square().sum().clamp_min(1e-300)).tolist(), 0.0, 0.0]
        return places, (shares[0], shares[1])

    def norms(self, layer: str | None = None) -> Tensor:
        """How large each state is ``(N, T)``, ``NaN`` where nothing was observed."""
        return torch.where(self.observed, self._of(layer).norm(dim=2), torch.nan)

    def to_frame(self, layer: str | None = None) -> pd.DataFrame:
        """One line for each series and observed step: its place in the plane, and the size of the state."""
        (places, _), norms = self.paths(layer), self.norms(layer)
        rows, steps = np.nonzero(self.observed.numpy())
        first, second = places[rows, steps].T.tolist()
        return pd.DataFrame({"row": rows, "step": steps + 1, "first": first, "second": second, "norm": norms[rows, steps].tolist()})

    def plot(self, layer: str | None = None) -> Figure:
        """Draw the paths of the series, and the size of their states over time."""
        from explain.figures.network.hidden_states import draw_hidden_states

        return draw_hidden_states(self, layer or self.last)

    @property
    def last(self) -> str:
        """The last recurrent layer that reads from the first step on."""
        return next((name for name in reversed(list(self.states)) if name not in self.backwards), next(iter(self.states)))

    def _of(self, layer: str | None) -> Tensor:
        name = self.last if layer is None else layer
        if name not in self.states:
            raise ConfigurationError(f"there is no recurrent layer {name!r}", remedy=did_you_mean(name, self.states))
        return self.states[name]

    def __repr__(self) -> str:
        return f"HiddenStates({', '.join(f'{name} {tuple(states.shape)}' for name, states in self.states.items())})"

    def _repr_html_(self) -> str:
        from explain.figures.network._html import figure_html

        return figure_html(self.plot())


def hidden_states(classifier: Classifier, x: Tensor) -> HiddenStates:
    """The states of all recurrent layers (LSTM, GRU or simple) of a network, step by step.

    Args:
        classifier: One whose network holds ``nn.LSTM``, ``nn.GRU`` or ``nn.RNN``, and reads series.
        x: Inputs ``(N, T, D)``.

    Raises:
        NotApplicableError: If the network has no such layer, or its inputs are no series.
        ConfigurationError: If there is no input.
    """
    module, modality = require_network(classifier), modality_of(classifier.schema)
    names = [name for name, layer in module.named_modules() if isinstance(layer, nn.RNNBase)]
    if not names or not isinstance(modality, Series):
        raise NotApplicableError(
            "hidden states are of a network of series with LSTM, GRU or RNN layers",
            remedy="the architecture attention_recurrent has them; activations(classifier, x, layer) shows the layers of any network",
        )
    x = checked_batch(classifier, x)
    parts: dict[str, list[Tensor]] = {name: [] for name in names}
    width = sum(layer.hidden_size * 2 for layer in module.modules() if isinstance(layer, nn.RNNBase))
    for some in torch.split(x, max(1, ELEMENTS // (x.shape[1] * width))):
        for name, found in _of_some(classifier, module, names, some).items():
            parts[name].append(found.cpu())
    observed = (modality.observed(x) > 0.5).cpu()
    states = {name: torch.cat(pieces) * observed[..., None] for name, pieces in parts.items()}
    own = isinstance(module, AttentionRecurrentNetwork)
    backwards = tuple(name for name in names if own and name.startswith("backwards"))
    return HiddenStates(states, observed, classifier.predict(x).cpu(), classifier.classes, backwards)


def _of_some(classifier: Classifier, module: nn.Module, names: list[str], x: Tensor) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    batch_first = {name: layer.batch_first for name, layer in module.named_modules() if isinstance(layer, nn.RNNBase)}

    def keep(name: str, _: tuple[Any, ...], output: Any) -> None:
        states = first_tensor(output)
        assert states is not None  # recurrent layers of torch give them
        found[name] = states if batch_first[name] else states.transpose(0, 1)

    with torch.no_grad(), watching(module, keep, names=names):
        run_network(classifier, x)
    for name, states in found.items():
        if states.shape[:2] != x.shape[:2]:
            raise NotApplicableError(
                f"the layer {name!r} has {tuple(states.shape[:2])} states for {tuple(x.shape[:2])} steps, and none for each",
                remedy="look at it by activations(classifier, x, layer)",
            )
    if isinstance(module, AttentionRecurrentNetwork):
        return {name: _in_order(module, x, states, back=name.startswith("backwards")) for name, states in found.items()}
    return found


def _in_order(network: AttentionRecurrentNetwork, x: Tensor, states: Tensor, *, back: bool) -> Tensor:
    """States in the order of the series: that network reads the observed steps first, and in one direction from the last to the first."""
    there = network.standardize.observed(x) > 0.5
    place = (~there).byte().argsort(dim=1, stable=True)
    if back:
        steps, length = torch.arange(x.shape[1], device=x.device), there.sum(1, keepdim=True)
        place = place.gather(1, torch.where(steps < length, length - 1 - steps, steps))
    return torch.zeros_like(states).scatter(1, place[..., None].expand_as(states), states)
