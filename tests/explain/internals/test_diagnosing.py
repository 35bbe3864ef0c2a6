from collections.abc import Callable

import pytest
import torch
from cases import cases
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from classifier import Classifier, Dataset, Splits
from classifier.calibration import Calibration
from classifier.errors import ConfigurationError, NotApplicableError
from explain.internals import diagnosing
from explain.internals.diagnosing import diagnose
from explain.internals.diagnosis import Diagnosis
from trainer import Recipe, train


def stack(activation: Callable[[], nn.Module], depth: int, *, scale: float = 1.0, width: int = 16) -> nn.Sequential:
    """A network of so many hidden layers with fresh weights, on the columns of the small table."""
    torch.manual_seed(0)
    inputs = cases("tabular", 2).inputs.shape[1]
    layers = [layer for index in range(depth) for layer in (nn.Linear(width if index else inputs, width), activation())]
    module = nn.Sequential(*layers, nn.Linear(width, 2))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter *= scale
    return module


def diagnosed(module: nn.Module) -> Diagnosis:
    data = cases("tabular", 2)
    return diagnose(Classifier.wrap(module, schema=data.schema, classes=data.classes), data)


def kinds(found: Diagnosis) -> set[str]:
    return {symptom.kind for symptom in found.symptoms}


@pytest.mark.parametrize(
    ("modality", "recipe"),
    [
        ("tabular", Recipe("mlp", hidden=(16, 16), epochs=15)),
        ("image", Recipe("cnn", options={"channels": (4,)}, epochs=15)),
        ("sequence", Recipe("attention_recurrent", hidden=(8,), epochs=15)),
        ("text", Recipe("transformer_text", options={"width": 8, "buckets": 64}, epochs=15)),
    ],
    ids=["tabular", "image", "sequence", "text"],
)
def test_nothing_is_found_in_a_network_that_learned(modality: str, recipe: Recipe) -> None:
    data = cases(modality, 2)
    found = diagnose(train(Splits(data, data, data), recipe, progress=False), data)
    assert found.symptoms == ()
    assert "nothing was found" in str(found)
    assert found.loss < found.guess


FRESH = {
    "tabular": ("logistic", "mlp", "additive", "attention_table"),
    "image": ("cnn", "resnet"),
    "sequence": ("attention_recurrent", "temporal_cnn"),
    "text": ("transformer_text",),
    "graph": ("graph_attention",),
}


@pytest.mark.parametrize(("modality", "architecture"), [(modality, name) for modality, names in FRESH.items() for name in names])
@pytest.mark.parametrize("classes", [2, 10])
def test_a_fresh_network_of_every_architecture_is_untrained_and_nothing_else(modality: str, architecture: str, classes: int) -> None:
    data = cases(modality, classes)
    torch.manual_seed(0)
    network = Recipe(architecture).network().build(data.schema, classes)
    assert kinds(diagnose(Classifier.wrap(network, schema=data.schema, classes=data.classes), data)) <= {"untrained", "uninformed"}


def test_a_calibration_is_no_part_of_what_learned() -> None:
    module, data = stack(nn.Tanh, 1), cases("tabular", 2)
    classifier = Classifier.wrap(module, schema=data.schema, classes=data.classes)
    cooled = classifier.calibrated(Calibration(kind="temperature", temperature=1e4))
    assert diagnose(cooled, data) == diagnose(classifier, data)


def test_nothing_is_found_in_a_network_that_learned_real_credits() -> None:
    splits = Dataset.builtin("german-credit").split()
    classifier = train(splits, Recipe("mlp", epochs=5), progress=False)
    assert diagnose(classifier, splits.test).symptoms == ()


def test_planted_dead_units_are_counted() -> None:
    module = stack(nn.ReLU, 2)
    with torch.no_grad():
        module[2].bias[:12] = -100.0
        module[2].bias[12:] = 5.0
    found = diagnosed(module)
    (layer,) = [layer for layer in found.layers if layer.name == "3"]
    assert (layer.units, layer.dead) == (16, 12)
    (symptom,) = [symptom for symptom in found.symptoms if symptom.kind == "dead"]
    assert "3: 12 of 16 units are dead, 0 for all 24 rows" in str(symptom)
    assert "lower the learning rate" in symptom.remedy


def test_half_of_the_units_may_be_off_by_chance() -> None:
    module = stack(nn.ReLU, 2)
    with torch.no_grad():
        module[2].bias[:8], module[2].bias[8:] = -100.0, 5.0
    found = diagnosed(module)
    assert [layer.dead for layer in found.layers if layer.name == "3"] == [8]
    assert "dead" not in kinds(found)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU])
def test_a_dead_layer_stops_the_gradient_and_makes_the_answers_constant(activation: Callable[[], nn.Module]) -> None:
    module = stack(activation, 2)
    with torch.no_grad():
        module[2].bias[:] = -100.0
    found = diagnosed(module)
    assert kinds(found) - {"uninformed"} == {"dead", "no gradient", "constant"}
    assert found.gradient_ratio == 0
    assert "no gradient reaches 0, 2: all units of 3 are dead" in str(found)


def test_channels_of_a_dead_convolution_are_counted() -> None:
    data = cases("image", 2)
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 14 * 14, 2))
    with torch.no_grad():
        module[0].bias[:2], module[0].bias[2:] = 5.0, -100.0
    found = diagnose(Classifier.wrap(module, schema=data.schema, classes=data.classes), data)
    (layer,) = [layer for layer in found.layers if layer.name == "1"]
    assert (layer.units, layer.dead) == (6, 4)


def test_a_deep_sigmoid_stack_vanishes_and_its_ratio_is_that_of_its_gradients() -> None:
    module = stack(nn.Sigmoid, 8)
    found, data = diagnosed(module), cases("tabular", 2)
    assert "vanishing" in kinds(found)
    outputs = [module[0](data.inputs).requires_grad_()]
    for layer in module[1:]:
        outputs.append(layer(outputs[-1]))
    slopes = torch.autograd.grad(cross_entropy(outputs[-1], data.labels, reduction="sum"), [outputs[0], outputs[-1]])
    first, last = (slope.norm(dim=1).mean().item() for slope in slopes)
    assert found.gradient_ratio == pytest.approx(first / last, rel=1e-4)
    assert found.gradient_ratio < 1e-3


@pytest.mark.parametrize(("activation", "word"), [(nn.Sigmoid, "sigmoid"), (nn.Tanh, "tanh")])
def test_saturated_units_are_counted(activation: Callable[[], nn.Module], word: str) -> None:
    module = stack(activation, 1)
    with torch.no_grad():
        module[0].weight[:10] = 0.0
        module[0].bias[:10] = torch.tensor([20.0, -20.0]).repeat(5)
        module[0].weight[10:] *= 0.1
    found = diagnosed(module)
    (layer,) = [layer for layer in found.layers if layer.kind == word]
    assert (layer.units, layer.saturated, layer.dead) == (16, 10, None)
    assert f"1: 62% of what {word} gives is saturated, 10 of 16 units nearly always" in str(found)


def test_exploding_gradients_are_found() -> None:
    found = diagnosed(stack(nn.ReLU, 6, scale=14.0))
    assert "exploding" in kinds(found)
    assert found.gradient_ratio > 1e3


def test_weights_that_are_not_finite_are_found() -> None:
    module = stack(nn.ReLU, 2)
    data = cases("tabular", 2)
    classifier = Classifier.wrap(module, schema=data.schema, classes=data.classes)
    with torch.no_grad():
        classifier.module[2].weight[0, 0] = torch.inf
    (symptom,) = diagnose(classifier, data).symptoms
    assert symptom.kind == "not finite"
    assert "weights that are not finite, in 2.weight, and the answers to 24 of 24 rows are not finite" in symptom.said


def test_answers_that_overflow_are_said_to_do_so_from_which_layer_on() -> None:
    module, data = stack(nn.ReLU, 3), cases("tabular", 2)
    classifier = Classifier.wrap(module, schema=data.schema, classes=data.classes)
    with torch.no_grad():
        for place in (2, 4, 6):
            classifier.module[place].weight *= 1e20
    (symptom,) = diagnose(classifier, data).symptoms
    assert "rows are not finite, from layer 4 on" in symptom.said


def test_an_infinity_that_a_network_only_remembers_is_none_of_its_weights() -> None:
    module, data = stack(nn.ReLU, 1), cases("tabular", 2)
    module.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
    assert "not finite" not in kinds(diagnose(Classifier.wrap(module, schema=data.schema, classes=data.classes), data))


def test_a_network_that_only_knows_the_shares_is_uninformed() -> None:
    module = stack(nn.ReLU, 1)
    with torch.no_grad():
        module[-1].weight.zero_()
        module[-1].bias[:] = torch.tensor([0.0, 1.0])
    found = diagnosed(module)
    assert kinds(found) == {"untrained", "uninformed"}
    assert found.decided == (0.0, 1.0)


class Functional(nn.Module):
    """Activation functions that are no layers, two of them in one place."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(7, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.first(x).relu()).relu())


def test_activation_functions_that_are_no_layers_are_seen_one_by_one() -> None:
    found = diagnosed(Functional())
    assert [(layer.name, layer.kind) for layer in found.layers] == [
        ("first", "Linear"),
        ("(network):1", "ReLU"),
        ("(network)", "tanh"),
        ("(network):2", "ReLU"),
        ("last", "Linear"),
    ]


def test_weights_gradients_and_activations_are_those_of_autograd(monkeypatch) -> None:
    module, data = stack(nn.ReLU, 2), cases("tabular", 2)
    classifier = Classifier.wrap(module, schema=data.schema, classes=data.classes)
    before = classifier.digest
    whole = diagnose(classifier, data)
    monkeypatch.setattr(diagnosing, "ELEMENTS", 100)
    parts = diagnose(classifier, data.inputs, data.labels)
    cross_entropy(module(data.inputs), data.labels).backward()
    layer, gradients = whole.layers[2], [module[2].weight.grad, module[2].bias.grad]
    assert layer.name == "2"
    assert layer.weight_gradient == pytest.approx(float(torch.cat([part.flatten() for part in gradients]).norm()), rel=1e-5)
    assert layer.weight == pytest.approx(torch.cat([part.detach().flatten() for part in module[2].parameters()]).norm().item(), rel=1e-5)
    assert layer.relative_gradient == pytest.approx(layer.weight_gradient / layer.weight)
    hidden = module[:3](data.inputs)
    assert (layer.mean, layer.deviation) == pytest.approx((hidden.mean().item(), hidden.std(correction=0).item()), rel=1e-4)
    for one, other in zip(whole.layers, parts.layers, strict=True):
        assert (one.name, one.units, one.dead) == (other.name, other.units, other.dead)
        assert one.gradient == pytest.approx(other.gradient, rel=1e-4) if one.gradient is not None else other.gradient is None
    assert Classifier.wrap(classifier.module, schema=data.schema, classes=data.classes).digest == before
    assert all(parameter.grad is None for parameter in classifier.module.parameters())
    assert len(whole.to_frame()) == len(whole.layers)


def test_labels_are_asked_for_and_checked(classifier: Classifier, black_box: Classifier, x: Tensor) -> None:
    with pytest.raises(ConfigurationError, match="needs labels"):
        diagnose(classifier, x)
    with pytest.raises(ConfigurationError, match="one class index for each of the 5 inputs"):
        diagnose(classifier, x, torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ConfigurationError, match="must lie in 0 to 1, got 0 to 2"):
        diagnose(classifier, x, torch.tensor([0, 1, 2, 0, 0]))
    with pytest.raises(NotApplicableError, match="black box"):
        diagnose(black_box, x, torch.zeros(5, dtype=torch.int64))
