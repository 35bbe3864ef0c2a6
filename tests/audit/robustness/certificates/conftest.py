"""Small random networks of every layer that can be bounded, and points of a row's region."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from classifier import Classifier, Feature, Schema
from classifier.architectures._layers import Standardize
from classifier.perturbation import Norm, PerturbationSet
from classifier.seeds import Seed


class Residual(nn.Module):
    """A block with a way around it, constants, and functions instead of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1, dilation=1)
        self.second = nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.around = nn.Conv2d(2, 4, 1)
        self.gain = nn.Parameter(torch.ones(4, 1, 1))
        self.activation = nn.ReLU(inplace=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.norm(self.second(self.activation(self.first(x))))
        out = functional.leaky_relu(inner * self.gain - self.around(x) - 0.1, 0.1)
        out = functional.max_pool2d(out, 3, 2, padding=1)
        out = torch.cat([out[:, :2], -out[:, 2:]], 1)
        return functional.linear(functional.avg_pool2d(out, 2, 1).view(x.size(0), -1), self.head.weight, self.head.bias)


class Series(nn.Module):
    """Convolutions over steps, with steps as rows and then as columns."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv1d(2, 3, 3, stride=2)
        self.norm = nn.BatchNorm1d(3)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        values = torch.relu(self.norm(self.inner(x.transpose(1, 2))))
        return self.head(torch.cat([values.mean(2), 1 - functional.max_pool1d(values, 3)[:, :, 0] / 2], 1))


def _dense(activation: type[nn.Module]) -> nn.Module:
    return nn.Sequential(Standardize((5,)), nn.Linear(5, 8), activation(), nn.Dropout(0.5), nn.Linear(8, 8), activation(), nn.Linear(8, 3))


def _pooled() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 3))


BUILDERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "relu": (lambda: _dense(nn.ReLU), (5,)),
    "leaky": (lambda: _dense(lambda: nn.LeakyReLU(0.2)), (5,)),  # type: ignore[arg-type]  # builds a layer too
    "tanh": (lambda: _dense(nn.Tanh), (5,)),
    "sigmoid": (lambda: _dense(nn.Sigmoid), (5,)),
    "gelu": (lambda: _dense(nn.GELU), (5,)),
    "logit": (lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 1)), (5,)),
    "pooled": (_pooled, (2, 6, 6)),
    "residual": (Residual, (2, 6, 6)),
    "series": (Series, (8, 2)),
}


def _schema(shape: tuple[int, ...]) -> Schema:
    kind, columns, size = {1: ("tabular", 0, ()), 2: ("sequence", 1, shape[:1]), 3: ("image", 0, shape[1:])}[len(shape)]
    features = tuple(Feature(f"x{i}", "continuous", low=0.0, high=1.0) for i in range(shape[columns]))
    return Schema(kind, features, size=size)


@pytest.fixture(scope="session")
def random_network() -> Callable[[str, int], Classifier]:
    """A classifier by the name of its network and a seed: weights and statistics of its own, in evaluation."""

    def build(name: str, seed: int) -> Classifier:
        builder, shape = BUILDERS[name]
        module, generator = builder(), Seed(seed, ("network", name)).torch()
        for key, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                positive = "var" in key or "deviation" in key
                tensor.copy_(torch.rand(tensor.shape, generator=generator) * 2 + (0.2 if positive else -1))
        return Classifier.wrap(module, schema=_schema(shape), classes=("a", "b") if name == "logit" else ("a", "b", "c"))

    return build


@pytest.fixture(scope="session")
def worst_seen() -> Callable[[Classifier, Tensor, Tensor, float, Norm, int], Tensor]:
    """Lowest margins ``(N, K)`` that inner points, corners, and points that gradient descent finds have."""

    def search(classifier: Classifier, x: Tensor, y: Tensor, eps: float, norm: Norm, seed: int) -> Tensor:
        allowed = PerturbationSet.around(x, classifier.schema, eps=eps, norm=norm, constrained=False)
        generator = Seed(seed, ("points",)).torch()
        share = torch.rand(30, *x.shape, generator=generator)
        points = [x, *(allowed.project(x + (2 * part - 1) * eps) for part in torch.cat([share, share.round()]))]
        for k in range(len(classifier.classes)):
            point = allowed.random(generator)
            for step in range(15):
                point = point.requires_grad_()
                z = classifier.logits(point)
                slope = torch.autograd.grad((z[:, k] - z.gather(1, y[:, None])[:, 0]).sum(), point)[0]
                point = allowed.step(point.detach(), slope, eps * (1.05 - step / 15))
            points.append(point)
        z = classifier.logits(torch.cat(points)).reshape(len(points), len(x), -1)
        return (z.gather(2, y.expand(len(points), -1)[..., None]) - z).amin(0).double()

    return search
