"""LayerCAM: feature maps weighed place by place by their positive gradient (Jiang et al., 2021, doi:10.1109/TIP.2021.3089943)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from explain.attribution._feature_maps import MapMethod
from explain.method import METHODS


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class LayerCAM(MapMethod):
    """Sum a layer's feature maps, each place times the output's gradient there where it is positive, cut off at 0 (equations 5 and 6).

    Unlike Grad-CAM's, its weights differ from place to place, so that it holds for earlier layers with finer maps too. It
    shows what speaks for the output only.

    Args:
        layer: The layer; see `MapMethod`.
    """

    spelling: ClassVar[str] = "LayerCAM"

    def weigh(self, maps: Tensor, slope: Tensor) -> Tensor:
        return (slope.relu() * maps).sum(1).relu()
