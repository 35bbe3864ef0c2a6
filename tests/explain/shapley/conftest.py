"""Games of which the answers are known, and texts of different lengths."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.schema import Feature, Schema
from classifier.tokenizer import SPECIAL

WORDS = ("good", "bad", "not", "very", "film", "plot")
LENGTH = 24


class Reader(nn.Module):
    """Words that add up, and the word after "not", which counts the other way."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(4)
        self.worth = nn.Parameter(torch.randn(len(SPECIAL) + len(WORDS), generator=generator))
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += len(x)
        worth = self.worth[x] * (x >= len(SPECIAL))
        negated = x[:, :-1] == len(SPECIAL) + WORDS.index("not")
        score = worth.sum(1) - 2 * (worth[:, 1:] * negated).sum(1)
        return torch.stack([torch.zeros_like(score), torch.tanh(score)], 1)


@pytest.fixture(scope="session")
def reader() -> Classifier:
    """Two classes of texts of at most 24 tokens."""
    feature = Feature("text", "text", 0.0, float(len(SPECIAL) + len(WORDS) - 1), categories=(*SPECIAL, *WORDS))
    return Classifier.wrap(Reader(), schema=Schema("text", (feature,), size=(LENGTH,)), classes=("bad", "good"))


@pytest.fixture(scope="session")
def texts() -> Tensor:
    """Texts of 3, 5, 9 and again 5 words."""
    x = torch.zeros(4, LENGTH, dtype=torch.int64)
    generator = torch.Generator().manual_seed(6)
    for row, count in enumerate((3, 5, 9, 5)):
        x[row, :count] = torch.randint(len(SPECIAL), len(SPECIAL) + len(WORDS), (count,), generator=generator)
    return x


Game = Callable[[Callable[[Tensor], Tensor], int], Classifier]


@pytest.fixture(scope="session")
def game(numbers: Callable[[int], Schema]) -> Game:
    """Makes a classifier whose log-odds are a function of so many numbers from 0 to 1."""

    class Formula(nn.Module):
        def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
            super().__init__()
            self.function = function

        def forward(self, x: Tensor) -> Tensor:
            score = self.function(x)
            return torch.stack([torch.zeros_like(score), score], 1)

    return lambda function, players: Classifier.wrap(Formula(function), schema=numbers(players), classes=("no", "yes"))


@pytest.fixture(scope="session")
def wide(random_network: Callable[..., nn.Module], numbers: Callable[[int], Schema]) -> Classifier:
    """Eleven numbers: too many for the budgets of the tests, and few enough to be enumerated."""
    return Classifier.wrap(random_network(11, 2), schema=numbers(11), classes=("no", "yes"))


@pytest.fixture(scope="session")
def rows() -> Tensor:
    """Six rows for `wide`."""
    return torch.rand(6, 11, generator=torch.Generator().manual_seed(2))
