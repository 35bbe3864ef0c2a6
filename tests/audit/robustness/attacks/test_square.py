"""Square: it finds what it would find asking one proposal after the other, on every kind of input."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from audit.robustness.attacks import square
from audit.robustness.attacks._windows import Windows
from audit.robustness.attacks.square import Square
from audit.robustness.attempt import Attempt
from classifier.errors import ConfigurationError
from classifier.perturbation import Norm, PerturbationSet
from classifier.seeds import Seed

SHAPES = {"table": (6,), "one feature": (1,), "series": (9, 2), "square series": (3, 3), "image": (1, 5, 5), "colours": (3, 4, 3)}


def searched(shape: tuple[int, ...], norm: Norm = "Linf", queries: int = 60, share: float = 1.0) -> Attempt:
    generator = torch.Generator().manual_seed(sum(shape))
    size = int(torch.tensor(shape).prod())
    # In double precision: the size of a batch must not decide which of two margins is the larger.
    weight = torch.randn(size, 12, generator=generator).double(), torch.randn(12, 3, generator=generator).double()

    def forward(x: Tensor) -> Tensor:
        return (x.flatten(1) @ weight[0] / size**0.5).tanh() @ weight[1]

    x = torch.rand(20, *shape, generator=generator).double()
    eps = {"Linf": 0.3, "L2": 1.2, "L1": 3.0}[norm] * share
    allowed = PerturbationSet(x, torch.zeros_like(x), torch.ones_like(x), torch.ones(shape).double(), eps, norm)
    attempt = Attempt(forward, allowed, forward(x).argmax(1), torch.arange(len(x)))
    Square(queries=queries)(attempt, Seed(0))
    return attempt


@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_looking_ahead_and_remembering_change_nothing_of_what_is_found(
    shape: tuple[int, ...], norm: Norm, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = searched(shape, norm)
    for name, value in {"_AHEAD": 1, "_AT_ONCE": 1, "_AT_FIRST": 1, "_REMEMBERED": 0}.items():
        monkeypatch.setattr(square, name, value)
    one_by_one = searched(shape, norm)
    assert torch.equal(ahead.broken, one_by_one.broken)
    assert torch.equal(ahead.adversarial, one_by_one.adversarial)
    if shape != (1,):
        assert ahead.broken.any()


def test_where_no_single_change_is_a_gain_any_more_it_stops_asking() -> None:
    # Of six features there are twelve changes of one.
    attempt = searched((6,), queries=5000, share=0.2)
    assert not attempt.broken.all()
    assert attempt.queries[~attempt.broken].max() < 400


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_window_has_the_side_that_is_asked_and_lies_inside(shape: tuple[int, ...]) -> None:
    windows = Windows(shape)
    uniform = torch.rand(50, windows.numbers, generator=torch.Generator().manual_seed(0))
    for side in (1, 2, 100):
        inside = windows.at(uniform, torch.full((50,), side)) > 0
        extents = [min(side, extent) for extent in windows.places]
        assert (inside.flatten(1).sum(1) == torch.tensor(extents).prod()).all()
    assert windows.at(uniform, torch.full((50,), 1)).flatten(1).argmax(1).unique().numel() > min(3, torch.tensor(windows.places).prod() - 1)  # type: ignore[no-untyped-call]


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="queries must be at least 1, got 0"):
        Square(queries=0)
    with pytest.raises(ConfigurationError, match="share must be above 0 and at most 1, got 2"):
        Square(share=2)
