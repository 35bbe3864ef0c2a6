"""Grad-CAM: feature maps weighed by their mean gradient (Selvaraju et al., 2017, arXiv:1610.02391)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from explain.attribution._feature_maps import MapMethod
from explain.method import METHODS


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class GradCAM(MapMethod):
    """Sum a layer's feature maps, each times the mean of the output's gradient over it (equations 1 and 2), and enlarge the sum.

    It shows a region and no pixels: it is as coarse as the layer's maps, and what lies between them is interpolated.

    Args:
        layer: The layer; see `MapMethod`.
        signed: Whether to keep what lowers the output; the paper cuts it off at 0.
    """

    spelling: ClassVar[str] = "GradCAM"

    signed: bool = False

    def weigh(self, maps: Tensor, slope: Tensor) -> Tensor:
        summed = (slope.mean((2, 3), keepdim=True) * maps).sum(1)
        return summed if self.signed else summed.relu()
