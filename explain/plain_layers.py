"""Plain layers: forward and back through linear layers and ReLU without a graph, which for small layers costs as much as they do."""

from __future__ import annotations

from torch import Tensor, nn

from explain.piecewise import is_hooked, layers_in_a_row

_IDLE = (nn.Identity, nn.Dropout)


class PlainLayers:
    """Linear layers and ReLU in a row, in evaluation.

    Args:
        layers: The layers.
    """

    def __init__(self, layers: list[nn.Linear | nn.ReLU]) -> None:
        self.layers = layers

    @classmethod
    def of(cls, network: nn.Module) -> PlainLayers | None:
        """The layers of a network that has no others, and no hooks, else nothing."""
        if any(map(is_hooked, network.modules())):
            return None
        layers: list[nn.Linear | nn.ReLU] = []
        for layer in layers_in_a_row(network):
            # By exact type, as a subclass may do more.
            if type(layer) is nn.Linear or type(layer) is nn.ReLU:
                layers.append(layer)
            elif type(layer) not in _IDLE:
                return None
        return cls(layers)

    def forwards(self, points: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What the layers make of points ``(n, H)``, which they may write over, and what `backwards` needs."""
        kept: list[Tensor] = []
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                points = nn.functional.linear(points, layer.weight, layer.bias)
            else:
                points = points.relu_()
                kept.append(points)
        return points, kept

    def backwards(self, slopes: Tensor, kept: list[Tensor]) -> Tensor:
        """Slopes by the points ``(n, H)``, of slopes by what became of them ``(n, K)``."""
        for layer in reversed(self.layers):
            slopes = slopes @ layer.weight if isinstance(layer, nn.Linear) else slopes.mul_(kept.pop().gt_(0))
        return slopes
