"""Plain layers: forward and back through linear layers and ReLU without a graph, which for small layers costs as much as they do."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from explain.gradients.piecewise import is_hooked, layers_in_a_row
from explain.output import Output

_IDLE = (nn.Identity, nn.Dropout)


class PlainLayers:
    """Linear layers and ReLU in a row, in evaluation, up to the outputs that are explained.

    Args:
        layers: The layers.
    """

    def __init__(self, layers: list[nn.Linear | nn.ReLU]) -> None:
        self.layers = layers

    @classmethod
    def of(cls, network: nn.Module, output: Output, classes: Tensor) -> PlainLayers | None:
        """The layers of a network that has no others, and no hooks, else nothing.

        The output of each class is affine in what the last layer answers, so that one layer does the work of both.

        Args:
            network: The network, or the end of it.
            output: The output that is explained; if it is not affine in the answer there is nothing.
            classes: The classes that are explained ``(C,)``, one column of what `forwards` gives for each.
        """
        if not output.affine or any(map(is_hooked, network.modules())):
            return None
        layers: list[nn.Linear | nn.ReLU] = []
        for layer in layers_in_a_row(network):
            # By exact type, as a subclass may do more.
            if type(layer) is nn.Linear or type(layer) is nn.ReLU:
                layers.append(layer)
            elif type(layer) not in _IDLE:
                return None
        if not layers or not isinstance(layers[-1], nn.Linear):
            return None
        return cls([*layers[:-1], _with_output(layers[-1], output, classes)])

    @torch.no_grad()
    def forwards(self, points: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The output of each class ``(n, C)`` at points ``(n, H)``, which may be written over, and what `backwards` needs."""
        kept: list[Tensor] = []
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                points = nn.functional.linear(points, layer.weight, layer.bias)
            else:
                points = points.relu_()
                kept.append(points)
        return points, kept

    @torch.no_grad()
    def backwards(self, slopes: Tensor, kept: list[Tensor]) -> Tensor:
        """Slopes by the points ``(n, H)``, of slopes by the outputs ``(n, C)``."""
        for layer in reversed(self.layers):
            if isinstance(layer, nn.ReLU):
                slopes = slopes.mul_(kept.pop().gt_(0))
            else:
                # One column is stretched faster than it is multiplied.
                slopes = slopes * layer.weight if slopes.shape[1] == 1 else slopes @ layer.weight
        return slopes


@torch.no_grad()
def _with_output(layer: nn.Linear, output: Output, classes: Tensor) -> nn.Linear:
    """A layer that gives the outputs of some classes where this one gives the answer that they are made of."""
    width = layer.out_features
    answers = torch.cat([torch.zeros(1, width), torch.eye(width)]).to(layer.weight)
    outputs = output.each(answers)[:, classes]
    one = nn.Linear(layer.in_features, len(classes)).to(layer.weight)
    slopes = outputs[1:] - outputs[0]
    one.weight.copy_(slopes.T @ layer.weight)
    one.bias.copy_(outputs[0] if layer.bias is None else outputs[0] + layer.bias @ slopes)
    return one
