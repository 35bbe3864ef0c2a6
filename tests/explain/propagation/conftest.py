"""Networks that the tests of rules share: some that the rules hold for, and some with a trap."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.schema import Feature, Schema

FEATURES, WIDTH = 8, 16


class Called(nn.Module):
    """Layers with functions between them."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(FEATURES, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.function(self.second(self.function(self.first(x)))))
        return out


class Normal(nn.Module):
    """A layer normalisation between layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.normal, self.act, self.last = nn.Linear(FEATURES, WIDTH), nn.LayerNorm(WIDTH), nn.ReLU(), nn.Linear(WIDTH, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.act(self.normal(self.first(x))))
        return out


class Residual(nn.Module):
    """A branch that is added to what came in."""

    def __init__(self, *, bias: bool = True) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(FEATURES, WIDTH, bias=bias), nn.Linear(WIDTH, 2, bias=bias)
        self.branch = nn.Sequential(nn.ReLU(), nn.Linear(WIDTH, WIDTH, bias=bias), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        out: Tensor = self.last(x + self.branch(x))
        return out


class Product(nn.Module):
    """Two layers whose outputs are multiplied."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other, self.last = nn.Linear(FEATURES, WIDTH), nn.Linear(FEATURES, WIDTH), nn.Linear(WIDTH, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.one(x) * self.other(x))
        return out


def sequence(*bends: nn.Module, bias: bool = True, outputs: int = 2) -> nn.Module:
    widths = [FEATURES, *(WIDTH,) * len(bends)]
    layers = [layer for width, bend in zip(widths, bends, strict=False) for layer in (nn.Linear(width, WIDTH, bias=bias), bend)]
    return nn.Sequential(*layers, nn.Linear(WIDTH, outputs, bias=bias))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: sequence(nn.ReLU(), nn.ReLU()),
    "relu in place": lambda: sequence(nn.ReLU(inplace=True), nn.ReLU(inplace=True)),
    "relu without bias": lambda: sequence(nn.ReLU(), nn.ReLU(), bias=False),
    "tanh and elu": lambda: sequence(nn.Tanh(), nn.ELU()),
    "sigmoid": lambda: sequence(nn.Sigmoid(), nn.Softplus()),
    "gelu": lambda: sequence(nn.GELU(), nn.SiLU()),
    "one logit": lambda: sequence(nn.ReLU(), outputs=1),
    "ten classes": lambda: sequence(nn.ReLU(), nn.Tanh(), outputs=10),
    "relu called": lambda: Called(torch.relu),
    "relu of a tensor": lambda: Called(Tensor.relu),
    "tanh called": lambda: Called(torch.tanh),
    "gelu called": lambda: Called(nn.functional.gelu),
    "relu used twice": lambda: Called(nn.ReLU()),
    "layer norm": Normal,
    "residual": Residual,
    "residual without bias": lambda: Residual(bias=False),
    "product": Product,
}


@pytest.fixture(scope="session")
def schema() -> Schema:
    """Eight numbers between 0 and 1."""
    return Schema("tabular", tuple(Feature(f"x{index}", "continuous", 0.0, 1.0) for index in range(FEATURES)))


@pytest.fixture(scope="session")
def network(schema: Schema) -> Callable[[str], Classifier]:
    """Makes one of `NETWORKS` by its name, with random weights."""

    def make(name: str) -> Classifier:
        module = NETWORKS[name]()
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(0.6 * torch.randn(parameter.shape, generator=generator))
        outputs = max(2, module(torch.zeros(1, FEATURES)).shape[1])
        return Classifier.wrap(module, schema=schema, classes=[f"class {index}" for index in range(outputs)])

    return make


@pytest.fixture(scope="session")
def x() -> Tensor:
    """Thirty rows."""
    return torch.rand(30, FEATURES, generator=torch.Generator().manual_seed(7))


@pytest.fixture(scope="session")
def baseline() -> Tensor:
    """What they are compared with."""
    return torch.rand(FEATURES, generator=torch.Generator().manual_seed(8))
