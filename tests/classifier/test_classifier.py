"""A classifier is a function to logits that keeps what it is: its weights, its meaning, its digest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from classifier import Classifier, Feature, Schema
from classifier.architecture import ARCHITECTURES, Architecture
from classifier.architectures.logistic import Logistic
from classifier.architectures.mlp import MLP
from classifier.description import METADATA
from classifier.errors import ConfigurationError, IntegrityError, ModelError
from classifier.seeds import Seed

CLASSES = ("good", "bad")


def inputs(schema: Schema, rows: int = 12) -> Tensor:
    return torch.rand(rows, *schema.shape, generator=Seed(0, ("inputs",)).torch())


def trained(schema: Schema, architecture: Architecture, classes: tuple[str, ...] = CLASSES, **options: Any) -> Classifier:
    """A classifier of an architecture, with weights drawn from a seed."""
    module = architecture.build(schema, len(classes))
    generator = Seed(1, ("weights",)).torch()
    for tensor in module.state_dict().values():
        tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
    return Classifier.wrap(module, schema=schema, classes=classes, factory=architecture, **options)


def test_logits_probabilities_and_predictions_agree(linear_classifier: Classifier, mixed_schema: Schema) -> None:
    x = inputs(mixed_schema)
    layer = linear_classifier.module
    assert isinstance(layer, nn.Linear)
    logits = x @ layer.weight.T + layer.bias
    assert torch.allclose(linear_classifier.logits(x), logits, atol=1e-6)
    assert torch.allclose(linear_classifier.probabilities(x), logits.softmax(1), atol=1e-6)
    assert torch.equal(linear_classifier.predict(x), logits.argmax(1))


def test_gradients_are_those_of_the_module(linear_classifier: Classifier, mixed_schema: Schema) -> None:
    x = inputs(mixed_schema).requires_grad_()
    linear_classifier.logits(x)[:, 1].sum().backward()  # type: ignore[no-untyped-call]
    assert isinstance(linear_classifier.module, nn.Linear)
    assert x.grad is not None
    assert torch.allclose(x.grad, linear_classifier.module.weight[1].expand_as(x))
    assert linear_classifier.differentiable
    assert not linear_classifier.logits(x.detach()).requires_grad


def test_a_later_change_to_the_module_does_not_reach_the_classifier(mixed_schema: Schema) -> None:
    layer = nn.Linear(8, 2)
    module = nn.Sequential(layer, nn.Dropout(0.9))
    classifier = Classifier.wrap(module.train(), schema=mixed_schema, classes=CLASSES)
    before, digest = classifier.logits(inputs(mixed_schema)), classifier.digest
    with torch.no_grad():
        layer.weight.add_(1.0)
    assert torch.equal(classifier.logits(inputs(mixed_schema)), before)
    assert Classifier.wrap(module, schema=mixed_schema, classes=CLASSES).digest != digest
    assert module.training
    assert all(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize("flat", [True, False])
def test_a_single_logit_becomes_half_of_itself_on_either_side(mixed_schema: Schema, flat: bool) -> None:
    layer = nn.Linear(8, 1)
    module = nn.Sequential(layer, nn.Flatten(0)) if flat else layer
    classifier = Classifier.wrap(module, schema=mixed_schema, classes=CLASSES)
    x = inputs(mixed_schema)
    z = layer(x).detach()
    assert torch.allclose(classifier.logits(x), torch.cat([-z / 2, z / 2], 1), atol=1e-6)
    assert torch.allclose(classifier.probabilities(x)[:, 1:], z.sigmoid(), atol=1e-6)


@pytest.mark.parametrize("shape", ["two columns", "one column", "flat"])
def test_probabilities_become_their_logarithm_clipped(mixed_schema: Schema, shape: str) -> None:
    def function(x: Tensor) -> Any:
        event = np.where(x[:, 0].numpy() > 0.5, 1.0, x[:, 0].numpy().astype(float))
        return {"flat": event, "one column": event[:, None], "two columns": np.stack([1 - event, event], 1)}[shape]

    classifier = Classifier.wrap(function, schema=mixed_schema, classes=CLASSES)
    x = torch.zeros(3, 8)
    x[:, 0] = torch.tensor([0.2, 0.9, 0.0])
    expected = np.log(np.maximum([[0.8, 0.2], [0.0, 1.0], [1.0, 0.0]], 1e-12))
    assert classifier.logits(x).numpy() == pytest.approx(expected, abs=1e-5)
    assert not classifier.differentiable
    assert classifier.module is None


@pytest.mark.parametrize("answer", [[0.5, 0.6], [-0.1, 1.1], [float("nan"), 1.0], [0.0, 0.0], [3.0, -2.0]])
def test_what_is_no_probability_is_refused(mixed_schema: Schema, answer: list[float]) -> None:
    with pytest.raises(ModelError, match="must return probabilities: at least 0, and 1 in sum"):
        Classifier.wrap(lambda x: torch.tensor([answer] * len(x)), schema=mixed_schema, classes=CLASSES)


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x[:, :2], x


@pytest.mark.parametrize(
    ("model", "classes", "message"),
    [
        (nn.Linear(8, 3), CLASSES, r"answers 2 inputs with shape \(2, 3\), required is \(2, 2\); name as many classes"),
        (nn.Linear(8, 2), ("a", "b", "c"), r"shape \(2, 2\), required is \(2, 3\)"),
        (nn.Linear(8, 1), ("a", "b", "c"), r"shape \(2, 1\), required is \(2, 3\)"),
        (nn.Linear(7, 2), CLASSES, r"does not take inputs of shape \(2, 8\)"),
        (Pair(), CLASSES, r"answers with a tuple, required are logits \(N, K\)"),
        (nn.Linear(8, 2), ("a",), "at least 2 classes, got 1"),
        (nn.Linear(8, 2), ("a", "a"), "classes must have different names, got a, a"),
        (lambda x: torch.full((len(x), 3), 1 / 3), CLASSES, r"shape \(2, 3\), required is \(2, 2\)"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(mixed_schema: Schema, model: Any, classes: tuple[str, ...], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Classifier.wrap(model, schema=mixed_schema, classes=classes)


def test_weights_that_are_not_finite_are_refused(mixed_schema: Schema) -> None:
    module = nn.Linear(8, 2)
    nn.init.constant_(module.weight, float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        Classifier.wrap(module, schema=mixed_schema, classes=CLASSES)


def test_a_model_is_tried_inside_its_bounds() -> None:
    schema = Schema("tabular", (Feature("income", "continuous", low=100.0, high=9000.0),), encoding="natural")

    class LogOfIncome(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.log()

    classifier = Classifier.wrap(LogOfIncome(), schema=schema, classes=CLASSES)
    assert classifier.logits(torch.tensor([[1000.0]]))[0, 1].item() == pytest.approx(np.log(1000) / 2)


ARCHITECTURES_TRIED = [Logistic(), MLP(), MLP(hidden=(5, 3), activation="tanh", dropout=0.5)]


@pytest.mark.parametrize("architecture", ARCHITECTURES_TRIED)
@pytest.mark.parametrize("classes", [CLASSES, tuple("abcdefghij")])
def test_a_saved_classifier_is_the_same(tmp_path: Path, mixed_schema: Schema, architecture: Architecture, classes: tuple[str, ...]) -> None:
    classifier = trained(mixed_schema, architecture, classes, card={"epochs": 3})
    classifier.save(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["classifier.json", "weights.safetensors"]
    for again in (Classifier.load(tmp_path / "model"), Classifier.from_tensors(classifier.tensors(), {METADATA: classifier.described()})):
        assert again.digest == classifier.digest
        assert again.description == replace(classifier.description, options=again.description.options)
        assert again.card == {"epochs": 3}
        assert torch.equal(again.logits(inputs(mixed_schema)), classifier.logits(inputs(mixed_schema)))
        assert again.module is not None
        assert not again.module.training


def test_double_precision_survives_being_saved(mixed_schema: Schema) -> None:
    architecture = Logistic()

    class FromSingle(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return self[2](self[1](self[0](x.double())))

    def factory(schema: Schema, outputs: int) -> nn.Module:
        return FromSingle(*architecture.build(schema, outputs).children())

    classifier = Classifier.wrap(FromSingle(*architecture.build(mixed_schema, 2).double().children()), schema=mixed_schema, classes=CLASSES)
    again = Classifier.from_tensors(classifier.tensors(), {METADATA: classifier.described()}, factory=factory)
    assert again.digest == classifier.digest
    assert torch.equal(again.logits(inputs(mixed_schema)), classifier.logits(inputs(mixed_schema)))


def test_weights_that_two_layers_share_survive_being_saved(mixed_schema: Schema) -> None:
    def factory(schema: Schema, outputs: int) -> nn.Module:
        shared = nn.Linear(8, 8)
        return nn.Sequential(shared, nn.ReLU(), shared, nn.Linear(8, outputs))

    classifier = Classifier.wrap(factory(mixed_schema, 2), schema=mixed_schema, classes=CLASSES)
    again = Classifier.from_tensors(classifier.tensors(), {METADATA: classifier.described()}, factory=factory)
    assert again.digest == classifier.digest
    assert torch.equal(again.logits(inputs(mixed_schema)), classifier.logits(inputs(mixed_schema)))


def test_every_weight_is_in_the_digest(mixed_schema: Schema) -> None:
    classifier = trained(mixed_schema, MLP(hidden=(3,)))
    digests = {classifier.digest}
    assert classifier.module is not None
    names = list(classifier.module.state_dict())
    for name in names:
        changed = Classifier(classifier.to("cpu").module, classifier.description)  # type: ignore[arg-type]
        assert changed.digest == classifier.digest
        changed = Classifier(classifier.to("cpu").module, classifier.description)  # type: ignore[arg-type]
        tensor = changed.module.state_dict()[name].view(-1)  # type: ignore[union-attr]
        tensor[-1] = torch.nextafter(tensor[-1], torch.tensor(9.0))
        digests.add(changed.digest)
    assert len(digests) == 1 + len(names)


def test_what_the_numbers_mean_is_in_the_digest(mixed_schema: Schema) -> None:
    classifier = trained(mixed_schema, MLP(hidden=(3,)))
    first, *others = mixed_schema.features
    changed: list[dict[str, Any]] = [
        {"classes": ("good", "worse")},
        {"classes": ("bad", "good")},
        {"schema": replace(mixed_schema, features=(replace(first, high=3.5), *others))},
        {"schema": replace(mixed_schema, features=(replace(first, mutable=False), *others))},
        {"architecture": None},
        {"options": {"hidden": (3,), "activation": "gelu", "dropout": 0.0}},
    ]
    assert classifier.module is not None
    digests = {Classifier(classifier.module, replace(classifier.description, **change)).digest for change in changed}
    assert len(digests | {classifier.digest}) == 1 + len(changed)
    told = replace(classifier.description, card={"told": "otherwise"})
    assert Classifier(classifier.module, told).digest == classifier.digest


@pytest.mark.parametrize(
    "tensor", [torch.tensor(3.0), torch.tensor(3.0, dtype=torch.bfloat16), torch.zeros(0), torch.zeros(3, 2).T, torch.tensor([True])]
)
def test_any_tensor_has_a_digest(mixed_schema: Schema, tensor: Tensor) -> None:
    module = nn.Linear(8, 2)
    module.register_buffer("extra", tensor)
    classifier = Classifier.wrap(module, schema=mixed_schema, classes=CLASSES)
    module.register_buffer("extra", torch.cat([tensor.reshape(-1), tensor.new_ones(1)]))
    assert Classifier.wrap(module, schema=mixed_schema, classes=CLASSES).digest != classifier.digest


def test_a_module_of_no_architecture_needs_its_factory(tmp_path: Path, linear_classifier: Classifier, mixed_schema: Schema) -> None:
    linear_classifier.save(tmp_path / "model")
    with pytest.raises(ModelError, match="of no registered architecture; give the factory that builds its module"):
        Classifier.load(tmp_path / "model")
    again = Classifier.load(tmp_path / "model", factory=lambda schema, outputs: nn.Linear(schema.shape[0], outputs))
    assert again.digest == linear_classifier.digest
    with pytest.raises(ModelError, match="the weights do not fit the architecture"):
        Classifier.load(tmp_path / "model", factory=lambda schema, outputs: nn.Linear(7, outputs))


def test_a_black_box_cannot_be_saved(tmp_path: Path, mixed_schema: Schema) -> None:
    black_box = Classifier.wrap(lambda x: torch.full((len(x), 2), 0.5), schema=mixed_schema, classes=CLASSES)
    with pytest.raises(ModelError, match="a black box has no weights to save"):
        black_box.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def damaged(folder: Path, damage: str) -> None:
    weights, document = folder / "weights.safetensors", folder / "classifier.json"
    match damage:
        case "no weights":
            weights.unlink()
        case "no document":
            document.unlink()
        case "cut weights":
            weights.write_bytes(weights.read_bytes()[:-5])
        case "cut document":
            document.write_bytes(document.read_bytes()[:-20])
        case "a field more":
            document.write_bytes(document.read_bytes().replace(b'{"architecture"', b'{"run":"me","architecture"'))


@pytest.mark.parametrize("damage", ["no weights", "no document", "cut weights", "cut document", "a field more"])
def test_a_damaged_folder_is_refused(tmp_path: Path, mixed_schema: Schema, damage: str) -> None:
    trained(mixed_schema, Logistic()).save(tmp_path / "model")
    damaged(tmp_path / "model", damage)
    with pytest.raises(IntegrityError, match=r"is missing|does not hold a Description|is no safetensors file"):
        Classifier.load(tmp_path / "model")


def test_a_file_that_names_another_architecture_is_refused(tmp_path: Path, mixed_schema: Schema) -> None:
    trained(mixed_schema, MLP(hidden=(3,))).save(tmp_path / "model")
    document = tmp_path / "model" / "classifier.json"
    saved = document.read_bytes()
    document.write_bytes(saved.replace(b'"architecture":"mlp"', b'"architecture":"os.system"'))
    with pytest.raises(ConfigurationError, match=r"there is no architecture 'os\.system'"):
        Classifier.load(tmp_path / "model")
    document.write_bytes(saved.replace(b'"dropout":0.0', b'"drop":0.0'))
    with pytest.raises(ModelError, match="the options do not fit the architecture 'mlp'"):
        Classifier.load(tmp_path / "model")
    # A width that no memory holds is refused like any other that the weights do not have.
    for width in (b"4", b"9000000000000"):
        document.write_bytes(saved.replace(b'"hidden":[3]', b'"hidden":[' + width + b"]"))
        with pytest.raises(ModelError, match="the weights do not fit the architecture"):
            Classifier.load(tmp_path / "model")


def test_tensors_without_a_description_are_no_classifier() -> None:
    with pytest.raises(ModelError, match="no description of a classifier"):
        Classifier.from_tensors({"w": torch.zeros(2)}, {})


def test_logits_in_chunks_are_those_at_once(monkeypatch: pytest.MonkeyPatch, mixed_schema: Schema) -> None:
    classifier = trained(mixed_schema, MLP(hidden=(16,)))
    x = inputs(mixed_schema, 1000)
    at_once = classifier.logits(x)
    sizes: list[int] = []
    assert classifier.module is not None
    classifier.module.register_forward_pre_hook(lambda module, arguments: sizes.append(len(arguments[0])))
    monkeypatch.setattr("classifier.classifier.in_chunks", lambda function, x: chunked(function, x, size=7))
    assert torch.allclose(classifier.logits(x), at_once, rtol=1e-5, atol=1e-5)
    assert sizes == [7] * 142 + [6]


def chunked(function: Callable[[Tensor], Tensor], x: Tensor, *, size: int) -> Tensor:
    from classifier.chunks import in_chunks

    return in_chunks(function, x, size=size)


@pytest.mark.parametrize("architecture", ARCHITECTURES_TRIED)
def test_an_architecture_standardizes_numbers_and_leaves_categories(mixed_schema: Schema, architecture: Architecture) -> None:
    module = architecture.build(mixed_schema, 2)
    x = inputs(mixed_schema, 50)
    x[:, 1] = 0.25
    module.get_submodule("0").fit(x)  # type: ignore[operator]
    standardized = module.get_submodule("0")(x)
    assert torch.allclose(standardized[:, :2].mean(0), torch.zeros(2), atol=1e-5)
    assert torch.allclose(standardized[:, :2].std(0, correction=0), torch.tensor([1.0, 0.0]), atol=1e-5)
    assert torch.equal(standardized[:, 2:], x[:, 2:])
    classifier = Classifier.wrap(module, schema=mixed_schema, classes=CLASSES, factory=architecture)
    assert torch.equal(Classifier.from_tensors(classifier.tensors(), {METADATA: classifier.described()}).logits(x), classifier.logits(x))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": ()}, "widths of at least 1"),
        ({"hidden": (4, 0)}, "widths of at least 1"),
        ({"activation": "rellu"}, r"no activation 'rellu'; did you mean 'relu'\?"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
    ],
)
def test_an_impossible_network_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ARCHITECTURES["mlp"](**options)
