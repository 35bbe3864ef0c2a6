"""Exact integrated gradients: complete to rounding, the limit of finer steps, and refused where a network is not piecewise linear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from classifier.architectures.resnet import ResNet
from classifier.calibration import Calibration
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.schema import Feature, Schema
from explain import Explanation, attribute, available
from explain.gradients.breakpoints import Pieces
from explain.gradients.piecewise import why_not_piecewise_linear

METHOD = "exact_integrated_gradients"
IMAGE = Schema("image", (Feature("gray", "continuous", 0.0, 1.0),), size=(8, 8))
TABLE = Schema("tabular", tuple(Feature(f"x{index}", "continuous", 0.0, 1.0) for index in range(6)))


def drawn(module: nn.Module, seed: int = 0, scale: float = 0.5) -> nn.Module:
    """The module with random weights and running statistics."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(scale * torch.randn(weight.shape, generator=generator))
        for name, values in module.named_buffers():
            if name.endswith("running_var"):
                values.copy_(0.5 + torch.rand(values.shape, generator=generator))
    return module


def wrapped(module: nn.Module, schema: Schema = TABLE, classes: int = 3) -> Classifier:
    return Classifier.wrap(drawn(module), schema=schema, classes=[f"class {index}" for index in range(classes)])


def points(schema: Schema, count: int = 4, seed: int = 1) -> Tensor:
    return torch.rand(count, *schema.shape, generator=torch.Generator().manual_seed(seed))


def gap(explanation: Explanation, classifier: Classifier) -> float:
    """The completeness gap, against outputs of the network in double precision."""
    module = classifier.to("cpu").module
    assert module is not None
    module = module.double()
    outputs = []
    for x in (explanation.inputs, explanation.baseline.expand_as(explanation.inputs)):
        logits = classifier.logits_of(module(x.double()))
        chosen = logits.gather(1, explanation.target[:, None])[:, 0]
        if explanation.output == "log_odds":
            chosen = chosen - logits.gather(1, 1 - explanation.target[:, None])[:, 0]
        outputs.append(chosen)
    return float((explanation.attributions.flatten(1).sum(1) - (outputs[0] - outputs[1])).abs().max())


def mlp(activation: Callable[[], nn.Module], outputs: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(6, 24), activation(), nn.Linear(24, 24), activation(), nn.Linear(24, outputs))


class Twice(nn.Module):
    """One activation that is called twice, a skip, and a function of shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(6, 12), nn.Linear(12, 12), nn.Linear(12, 3)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.activation(self.first(x))
        hidden = hidden + self.activation(self.second(hidden))
        return self.last(torch.flatten(hidden.reshape(len(x), 3, 4), 1))


def cnn(*pooling: nn.Module) -> nn.Module:
    """A convolution with batch normalisation, and another one with pooling; 4 x 4 is left."""
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), *pooling,
        nn.Flatten(), nn.Linear(64, 3),
    )  # fmt: skip


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Schema]] = {
    "ReLU": (lambda: mlp(nn.ReLU), TABLE),
    "LeakyReLU": (lambda: mlp(lambda: nn.LeakyReLU(0.2)), TABLE),
    "PReLU": (lambda: mlp(nn.PReLU), TABLE),
    "ReLU6 and Hardtanh": (lambda: nn.Sequential(mlp(nn.ReLU6), nn.Hardtanh(-0.3, 0.4), nn.Linear(3, 3)), TABLE),
    "a layer used twice": (Twice, TABLE),
    "linear": (lambda: nn.Linear(6, 3), TABLE),
    "average pooling": (lambda: cnn(nn.AvgPool2d(2)), IMAGE),
    "maximum pooling": (lambda: cnn(nn.MaxPool2d(2)), IMAGE),
    "maximum pooling of overlapping windows": (lambda: cnn(nn.MaxPool2d(3, stride=2, padding=1)), IMAGE),
    "dilated pooling in one dimension": (
        lambda: nn.Sequential(nn.Linear(6, 12), nn.Unflatten(1, (2, 6)), nn.MaxPool1d(2, dilation=2), nn.Flatten(), nn.Linear(4, 3)),
        TABLE,
    ),
    "ResNet": (lambda: ResNet(channels=(3, 4)).build(IMAGE, 3), IMAGE),
}


def test_large_outputs_are_complete_to_more_digits_than_the_classifier_has() -> None:
    classifier = Classifier.wrap(drawn(mlp(nn.ReLU), scale=10.0), schema=TABLE, classes=("a", "b", "c"))
    explanation = attribute(classifier, points(TABLE, 2), METHOD, target=1)
    assert float(explanation.value.abs().max()) > 1e3
    assert explanation.completeness_error.max() < 1e-6
    assert torch.allclose(explanation.value.float(), classifier.logits(explanation.inputs)[:, 1], rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_contributions_are_complete_and_equal_a_fine_integral(name: str) -> None:
    build, schema = NETWORKS[name]
    classifier = wrapped(build(), schema)
    x = points(schema, 2)
    baseline = points(schema, 1, seed=2)[0]
    explanation = attribute(classifier, x, METHOD, baseline=baseline, target=1)
    assert explanation.exact
    size = 1 + float(explanation.value.abs().max())
    assert gap(explanation, classifier) < 1e-10 * size
    assert explanation.completeness_error.max() < 1e-6
    fine = attribute(classifier, x, "integrated_gradients", steps=1000, baseline=baseline, target=1)
    assert torch.allclose(fine.attributions, explanation.attributions, atol=2e-3 * float(explanation.attributions.abs().max()), rtol=0)


def test_a_linear_network_gets_weight_times_distance() -> None:
    classifier = wrapped(nn.Linear(6, 3))
    x, baseline = points(TABLE), points(TABLE, 1, seed=2)[0]
    explanation = attribute(classifier, x, METHOD, baseline=baseline, target=2)
    assert isinstance(classifier.module, nn.Linear)
    truth = classifier.module.weight[2].double() * (x.double() - baseline.double())
    assert torch.allclose(explanation.attributions, truth, atol=1e-12)


def test_one_unit_gets_its_slope_for_the_stretch_on_which_it_is_on() -> None:
    module = nn.Sequential(nn.Linear(6, 1), nn.ReLU())
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[2.0, -1.0, 0.0, 0.0, 0.0, 0.0]]))
        module[0].bias.fill_(-0.5)
    classifier = Classifier.wrap(module, schema=TABLE, classes=("no", "yes"))
    x, baseline = torch.tensor([[1.0, 0.5, 1.0, 0.0, 0.0, 0.0]]), torch.zeros(6)
    # The unit is at -0.5 + 1.5 t, and so is on for the last two thirds of the way.
    explanation = attribute(classifier, x, METHOD, baseline=baseline)
    assert torch.allclose(explanation.attributions[0, :3], torch.tensor([4 / 3, -1 / 3, 0.0], dtype=torch.float64), atol=1e-14)


@pytest.mark.parametrize("bias", [0.0, -1.0])
def test_breakpoints_at_the_ends_ties_and_no_way_at_all_are_right(bias: float) -> None:
    module = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 1))
    with torch.no_grad():
        # All units switch at one place: at the beginning of the way, or at its end.
        module[0].weight.copy_(torch.ones(4, 6) / 6)
        module[0].bias.fill_(bias)
        module[2].weight.fill_(1.0)
        module[2].bias.zero_()
    classifier = Classifier.wrap(module, schema=TABLE, classes=("no", "yes"))
    explanation = attribute(classifier, torch.tensor([[1.0] * 6, [0.0] * 6]), METHOD, baseline=torch.zeros(6))
    each = 4 / 6 if bias == 0 else 0.0
    assert torch.allclose(explanation.attributions[0], torch.full((6,), each, dtype=torch.float64), atol=1e-7)
    assert (explanation.attributions[1] == 0).all()


def test_knots_at_one_place_leave_one_piece() -> None:
    rows = torch.tensor([0, 0, 0, 0, 1, 1, 1])
    places = torch.tensor([0.0, 0.5, 0.5, 1.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    pieces = Pieces.sorted(rows, places)
    assert pieces.rows.tolist() == [0, 0, 0, 1, 1]
    assert pieces.places.tolist() == [0.0, 0.5, 1.0, 0.0, 1.0]
    assert [part.tolist() for part in pieces.middles] == [[0, 0, 1], [0.25, 0.75, 0.5], [0.5, 0.5, 1.0]]


def test_it_does_not_depend_on_how_the_work_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier, x = wrapped(mlp(nn.ReLU)), points(TABLE, 7)
    whole = attribute(classifier, x, METHOD)
    monkeypatch.setattr("explain.gradients.continuum._CACHED", 300)
    assert torch.allclose(attribute(classifier, x, METHOD).attributions, whole.attributions, atol=1e-13)


@pytest.mark.parametrize("calibration", [Calibration(kind="temperature", temperature=2.0), None])
def test_an_affine_calibration_divides_the_contributions(calibration: Calibration | None) -> None:
    plain = wrapped(mlp(nn.ReLU, outputs=2), classes=2)
    x = points(TABLE)
    if calibration is None:
        broken = plain.calibrated(Calibration(kind="isotonic", knots=((-1.0, -0.5), (1.0, 2.0))))
        with pytest.raises(NotApplicableError, match="broken line"):
            attribute(broken, x, METHOD)
        return
    halves = attribute(plain.calibrated(calibration), x, METHOD).attributions
    assert torch.allclose(2 * halves, attribute(plain, x, METHOD).attributions, atol=1e-12)


class Functional(nn.Module):
    """A network whose nonlinearity no layer shows."""

    def __init__(self, function: Callable[[Tensor], Tensor], *, traceable: bool = True) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 16), nn.Linear(16, 3)
        self.function, self.traceable = function, traceable

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.function(self.first(x))
        if not self.traceable and float(hidden.detach().sum()) > 1e9:  # a symbol has no value
            raise ValueError
        return self.last(hidden)


def square(hidden: Tensor) -> Tensor:
    return hidden * hidden


@pytest.mark.parametrize("function", [functional.relu, torch.tanh, square, functional.gelu])
def test_functions_that_no_layer_shows_are_refused_by_name(function: Callable[[Tensor], Tensor]) -> None:
    classifier = wrapped(Functional(function))
    with pytest.raises(NotApplicableError, match=r"calls (relu|tanh|mul|gelu) itself") as refusal:
        attribute(classifier, points(TABLE), METHOD)
    assert "integrated_gradients" in refusal.value.remedy
    assert next(entry for entry in available(classifier) if entry.method == METHOD).reason


@pytest.mark.parametrize("function", [functional.relu, torch.tanh, square, functional.gelu])
def test_functions_that_cannot_be_traced_are_refused_by_what_the_output_does(function: Callable[[Tensor], Tensor]) -> None:
    classifier = wrapped(Functional(function, traceable=False))
    with pytest.raises(NotApplicableError, match="bends by") as refusal:
        attribute(classifier, points(TABLE), METHOD)
    assert "integrated_gradients" in refusal.value.remedy


def test_forward_code_that_cannot_be_traced_but_is_linear_is_explained() -> None:
    classifier = wrapped(Functional(lambda hidden: 2 * hidden, traceable=False))
    explanation = attribute(classifier, points(TABLE), METHOD)
    assert gap(explanation, classifier) < 1e-10


REFUSED: dict[str, tuple[Callable[[], nn.Module], Schema, str]] = {
    "GELU": (lambda: mlp(nn.GELU), TABLE, "the layer GELU"),
    "LayerNorm": (lambda: nn.Sequential(nn.Linear(6, 4), nn.LayerNorm(4), nn.Linear(4, 3)), TABLE, "the layer LayerNorm"),
    "softmax": (lambda: nn.Sequential(nn.Linear(6, 3), nn.Softmax(1)), TABLE, "the layer Softmax"),
    "ceil_mode": (lambda: cnn(nn.MaxPool2d(2, ceil_mode=True)), IMAGE, "ceil_mode"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_layers_are_refused_by_name(name: str) -> None:
    build, schema, reason = REFUSED[name]
    with pytest.raises(NotApplicableError, match=reason) as refusal:
        attribute(wrapped(build(), schema), points(schema), METHOD)
    assert "integrated_gradients" in refusal.value.remedy


def test_a_probability_is_not_piecewise_linear() -> None:
    with pytest.raises(NotApplicableError, match="probability"):
        attribute(wrapped(mlp(nn.ReLU)), points(TABLE), METHOD, output="probability")


def test_a_network_in_single_precision_inside_is_refused() -> None:
    class Single(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x.float())

    with pytest.raises(NotApplicableError, match=r"calls float|double precision"):
        attribute(wrapped(Single()), points(TABLE), METHOD)


def test_too_much_work_is_refused_unless_the_limit_is_raised() -> None:
    classifier, x = wrapped(mlp(nn.ReLU)), points(TABLE, 4)
    with pytest.raises(NotApplicableError, match="4 rows x 48"):
        attribute(classifier, x, METHOD, limit=4 * 48**2 - 1)
    assert attribute(classifier, x, METHOD, limit=4 * 48**2).exact


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_below_one_is_refused(limit: Any) -> None:
    with pytest.raises(ConfigurationError, match="limit"):
        attribute(wrapped(mlp(nn.ReLU)), points(TABLE), METHOD, limit=limit)


class Forward(nn.Module):
    """A layer, and forward code before it."""

    def __init__(self, code: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.code, self.last = code, nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.code(x))


def test_forward_code_that_is_linear_is_followed_and_no_other() -> None:
    allowed: list[Callable[[Tensor], Tensor]] = [
        lambda x: functional.dropout(x, 0.5, training=False) / 2 - x.mean(1, keepdim=True),
        lambda x: functional.avg_pool1d(torch.stack([x, -x], 1), 2).reshape(len(x), -1),
        lambda x: torch.cat([x[:, :2], 3 * x[:, 2:]], 1) @ torch.eye(6, dtype=x.dtype),
    ]
    for code in allowed:
        assert not why_not_piecewise_linear(Forward(code))
        classifier = wrapped(Forward(code))
        assert gap(attribute(classifier, points(TABLE), METHOD), classifier) < 1e-10
    refused: list[Callable[[Tensor], Tensor]] = [lambda x: 1 / (x + 2), lambda x: x / x.sum(1, keepdim=True), lambda x: x * x[:, :1]]
    for code in refused:
        assert "itself" in why_not_piecewise_linear(Forward(code))
