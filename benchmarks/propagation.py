"""DeepLIFT and relevance propagation: how far shares miss their sum where the rules hold and where they do not, and what they cost.

Run with ``python -m benchmarks.propagation``. The first table shows what the gate's limit lies between; the second
sets the cost beside captum's own, in the same run.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.schema import Feature, Schema
from explain.attribution.deep_lift import DeepLift
from explain.attribution.lrp import LRP
from explain.gradients.gate import GatedMethod
from explain.method import Task
from explain.output import Output, resolve_target

_ROWS, _FEATURES, _WIDTH = 256, 30, 64


class _Called(nn.Module):
    """Layers with a function between them, which no rule sees."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(_FEATURES, _WIDTH), nn.Linear(_WIDTH, _WIDTH)])
        self.head, self.function = nn.Linear(_WIDTH, 2), function

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = self.function(layer(x))
        out: Tensor = self.head(x)
        return out


def _deep(layers: int, bend: Callable[[], nn.Module]) -> nn.Module:
    parts: list[nn.Module] = [nn.Linear(_FEATURES, _WIDTH), bend()]
    for _ in range(layers - 1):
        parts += [nn.Linear(_WIDTH, _WIDTH), bend()]
    return nn.Sequential(*parts, nn.Linear(_WIDTH, 2))


def _classifier(module: nn.Module, generator: torch.Generator) -> Classifier:
    for parameter in module.parameters():
        wide = parameter.dim() > 1
        scale = (2 / parameter.shape[-1]) ** 0.5 if wide else 0.1
        parameter.data = scale * torch.randn(parameter.shape, generator=generator)
    schema = Schema("tabular", tuple(Feature(f"x{index}", "continuous", 0.0, 1.0) for index in range(_FEATURES)))
    return Classifier.wrap(module, schema=schema, classes=("no", "yes"))


def _miss(method: GatedMethod, classifier: Classifier, x: Tensor) -> Tensor:
    """How far the shares of each row miss their sum, as a part of their sizes."""
    task = Task(Output.of(classifier, "auto"), x, resolve_target(classifier, x, None), torch.full((1, _FEATURES), 0.5))
    balance, _ = method.propagate(task)
    return balance.gap / (balance.shares.flatten(1).abs().sum(1) + torch.as_tensor(balance.kept).abs())


def main() -> None:
    """Print both tables."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(_ROWS, _FEATURES, generator=generator)
    networks = {
        "2 x ReLU": _deep(2, nn.ReLU),
        "20 x ReLU": _deep(20, nn.ReLU),
        "100 x ReLU": _deep(100, nn.ReLU),
        "2 x tanh": _deep(2, nn.Tanh),
        "100 x tanh": _deep(100, nn.Tanh),
        "2 x GELU": _deep(2, nn.GELU),
        "functional relu": _Called(torch.relu),
        "functional tanh": _Called(torch.tanh),
        "functional gelu": _Called(nn.functional.gelu),
        "functional softmax": _Called(lambda x: x.softmax(1)),
        "functional layer norm": _Called(lambda x: nn.functional.layer_norm(x, (_WIDTH,)).relu()),
    }
    print(f"{'gap / sizes of the shares':28} {'deep_lift median':>18} {'max':>9} {'lrp median':>12} {'max':>9}")
    for name, module in networks.items():
        classifier = _classifier(module, generator)
        lift, relevance = _miss(DeepLift(), classifier, x), _miss(LRP(), classifier, x)
        print(f"{name:28} {lift.median():18.1e} {lift.max():9.1e} {relevance.median():12.1e} {relevance.max():9.1e}")

    classifier = _classifier(_deep(3, nn.ReLU), generator)
    print(f"\n{_ROWS} rows, three hidden layers of {_WIDTH}: seconds")
    for name, work in _timed(classifier, x).items():
        work()
        started = time.perf_counter()
        for _ in range(5):
            work()
        print(f"{name:28} {(time.perf_counter() - started) / 5:.4f}")


def _timed(classifier: Classifier, x: Tensor) -> dict[str, Callable[[], object]]:
    import captum.attr

    from explain import attribute

    module = classifier.module
    assert module is not None
    baseline = torch.full((_FEATURES,), 0.5)

    def captums() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return captum.attr.DeepLift(module).attribute(x, baseline.expand_as(x), target=1)

    def captums_relevance() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return captum.attr.LRP(module).attribute(x, target=1)

    return {
        "deep_lift": lambda: attribute(classifier, x, "deep_lift", baseline=baseline, output="logit"),
        "captum DeepLift": captums,
        "lrp": lambda: attribute(classifier, x, "lrp", output="logit"),
        "captum LRP": captums_relevance,
        "integrated_gradients": lambda: attribute(classifier, x, "integrated_gradients", baseline=baseline, output="logit"),
    }


if __name__ == "__main__":
    main()
