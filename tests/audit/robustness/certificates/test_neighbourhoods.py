"""Elements followed through their neighbourhoods have the bounds that all coefficients give."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from audit.robustness.certificates.crown import Bounded, bounded
from audit.robustness.certificates.neighbourhoods import Neighbourhoods
from audit.robustness.certificates.network import Network
from audit.robustness.certificates.region import Region
from audit.robustness.certificates.tracing import traced
from classifier import Feature, Schema
from classifier.perturbation import Norm
from classifier.seeds import Seed

Found = list[tuple[int, bool]]


class Around(nn.Module):
    """Convolutions with ways around them, from the input too."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
        self.third, self.shortcut, self.longer = nn.Conv2d(3, 2, 3, padding=1), nn.Conv2d(1, 3, 1), nn.Conv2d(1, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.first(x))
        inner = torch.relu(self.second(inner) + inner - self.shortcut(x))
        return torch.relu(self.third(inner) - self.longer(x)).flatten(1)


def _grouped() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, padding=1),
        nn.LeakyReLU(0.1),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2, bias=False),
        nn.ReLU(),
    )


def _averaged() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.Tanh(), nn.BatchNorm2d(3), nn.AvgPool2d(2), nn.Conv2d(3, 4, 2), nn.ReLU(), nn.MaxPool2d(2)
    )


def _deep() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 3, (1, 3), padding=(0, 1)), nn.ReLU(), nn.Conv2d(3, 2, (3, 1)), nn.ReLU()
    )


BUILDERS: dict[str, Callable[[], nn.Module]] = {"grouped": _grouped, "averaged": _averaged, "deep": _deep, "around": Around}
SCHEMA = Schema("image", (Feature("gray", "continuous", low=0.0, high=1.0),), size=(9, 9))
BALLS: list[tuple[Norm, float]] = [("Linf", 0.02), ("Linf", 0.2), ("L2", 0.5), ("L1", 1.0)]


@pytest.fixture
def setting() -> Callable[[str, tuple[Norm, float], int, int], tuple[Network, Region]]:
    def build(name: str, ball: tuple[Norm, float], seed: int, count: int) -> tuple[Network, Region]:
        module, generator = BUILDERS[name](), Seed(seed, ("neighbourhoods",)).torch()
        for tensor in module.parameters():
            tensor.data = torch.rand(tensor.shape, generator=generator) * 2 - 1
        x = torch.rand(count, 1, 9, 9, generator=generator)
        network = traced(nn.Sequential(module, nn.Flatten()).eval(), (1, 9, 9))
        return network, Region.around(x, SCHEMA, eps=ball[1], norm=ball[0], constrained=False)

    return build


def _both_ways(network: Network, region: Region, monkeypatch: pytest.MonkeyPatch) -> tuple[Bounded, Bounded, Found]:
    """What is known by neighbourhoods and without them, and of which steps they were the shorter way."""
    found: Found = []
    bounds = Neighbourhoods.bounds

    def watched(self: Neighbourhoods, index: int, chosen: Tensor) -> tuple[Tensor, Tensor] | None:
        given = bounds(self, index, chosen)
        found.append((index, given is not None))
        return given

    with monkeypatch.context() as patch:
        patch.setattr(Neighbourhoods, "bounds", watched)
        near = bounded(network, region, relax=True, tighten=True)
        patch.setattr(Neighbourhoods, "bounds", lambda self, index, chosen: None)
        return near, bounded(network, region, relax=True, tighten=True), found


@settings(max_examples=24, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(BUILDERS)), st.sampled_from(BALLS), st.integers(0, 10_000), st.integers(1, 4))
def test_neighbourhoods_give_the_bounds_that_all_coefficients_give(
    setting: Callable[..., tuple[Network, Region]],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    ball: tuple[Norm, float],
    seed: int,
    count: int,
) -> None:
    network, region = setting(name, ball, seed, count)
    near, whole, _ = _both_ways(network, region, monkeypatch)
    for one, other in zip(near.boxes, whole.boxes, strict=True):
        assert torch.allclose(one[0], other[0], rtol=1e-9, atol=1e-9)
        assert torch.allclose(one[1], other[1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_convolutions_are_followed_through_their_neighbourhoods(
    setting: Callable[..., tuple[Network, Region]], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    network, region = setting(name, ("Linf", 0.1), 0, 2)
    _, _, found = _both_ways(network, region, monkeypatch)
    assert any(shorter for _, shorter in found)


def test_dense_layers_and_maxima_go_the_whole_way(setting: Callable[..., tuple[Network, Region]], monkeypatch: pytest.MonkeyPatch) -> None:
    tail = nn.Sequential(nn.MaxPool2d(3), nn.Conv2d(4, 3, 1), nn.Tanh(), nn.Flatten(), nn.Linear(3, 4), nn.Tanh())
    monkeypatch.setitem(BUILDERS, "tailed", lambda: nn.Sequential(_averaged()[:-1], tail))
    network, region = setting("tailed", ("Linf", 0.1), 1, 2)
    near, whole, found = _both_ways(network, region, monkeypatch)
    assert [shorter for _, shorter in found] == [True, False, False]
    monkeypatch.setitem(BUILDERS, "dense", lambda: nn.Sequential(nn.Flatten(), nn.Linear(81, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh()))
    assert _both_ways(*setting("dense", ("Linf", 0.1), 1, 2), monkeypatch)[2] == [(4, False)]
    assert torch.allclose(near.boxes[-1][0], whole.boxes[-1][0], atol=1e-9)


def test_pieces_of_elements_and_rows_change_nothing(
    setting: Callable[..., tuple[Network, Region]], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, region = setting("around", ("Linf", 0.1), 2, 5)
    at_once = bounded(network, region, relax=True, tighten=True).boxes[-1]
    for name, value in {"_ELEMENTS": 3, "_NUMBERS": 300, "_UNITS": 1000}.items():
        monkeypatch.setattr(f"audit.robustness.certificates.neighbourhoods.{name}", value)
    in_pieces = bounded(network, region, relax=True, tighten=True).boxes[-1]
    assert torch.allclose(at_once[0], in_pieces[0], atol=1e-12)
    assert torch.allclose(at_once[1], in_pieces[1], atol=1e-12)
