import pytest
import torch
from cases import cases
from torch import Tensor, nn

from classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from explain.internals import activity
from explain.internals.activity import activations
from explain.internals.kernels import filters
from trainer import Recipe


def fresh(modality: str, architecture: str, **options: object) -> Classifier:
    data = cases(modality, 2)
    torch.manual_seed(0)
    network = Recipe(architecture, options=options).network().build(data.schema, 2)
    return Classifier.wrap(network, schema=data.schema, classes=data.classes)


@pytest.mark.parametrize("elements", [2**22, 40])
def test_activations_are_what_the_layers_compute(classifier: Classifier, x: Tensor, monkeypatch, elements: int) -> None:
    monkeypatch.setattr(activity, "ELEMENTS", elements)
    found = activations(classifier, x, ["0", "1", "4"])
    first = nn.functional.linear(x, classifier.module[0].weight, classifier.module[0].bias)
    torch.testing.assert_close(found["0"], first)
    torch.testing.assert_close(found["1"], first.relu())
    torch.testing.assert_close(found["4"], classifier.logits(x))
    frame = found.to_frame()
    assert frame["zeros"][1] == pytest.approx(float((first <= 0).float().mean()))
    assert frame["mean"][0] == pytest.approx(float(first.mean()), abs=1e-6)


def test_each_use_of_a_layer_has_activations_of_its_own() -> None:
    classifier, x = fresh("sequence", "temporal_cnn", hidden=(4, 4)), cases("sequence", 2).inputs[:3]
    found = activations(classifier, x, ["blocks.0.activation", "blocks.0"])
    assert list(found) == ["blocks.0.activation:1", "blocks.0.activation:2", "blocks.0"]
    assert torch.equal(found["blocks.0.activation:2"], found["blocks.0"])
    assert not torch.equal(found["blocks.0.activation:1"], found["blocks.0.activation:2"])


@pytest.mark.parametrize("size", [1, 24])
def test_texts_of_different_lengths_keep_their_places(monkeypatch, size: int) -> None:
    data = cases("text", 2)
    classifier = fresh("text", "transformer_text", width=8, buckets=64)
    monkeypatch.setattr(activity, "ELEMENTS", size * 144)
    values = activations(classifier, data.inputs, "tokens")["tokens"]
    torch.testing.assert_close(values, classifier.module.tokens(data.inputs))


def test_states_of_a_recurrent_layer_have_the_rows_first(numbers) -> None:
    class Steps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent, self.head = nn.GRU(3, 5), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.recurrent(x.transpose(0, 1))[0][-1])

    data = cases("sequence", 2)
    classifier = Classifier.wrap(Steps(), schema=data.schema, classes=data.classes)
    values = activations(classifier, data.inputs[:7], "recurrent")["recurrent"]
    assert values.shape == (7, 24, 5)
    torch.testing.assert_close(classifier.module.head(values[:, -1]), classifier.logits(data.inputs[:7]))


def test_what_cannot_be_kept_or_is_not_there_is_refused(classifier: Classifier, x: Tensor, monkeypatch) -> None:
    with pytest.raises(ConfigurationError, match="no layer 'relu'"):
        activations(classifier, x, "relu")
    with pytest.raises(ConfigurationError, match="at least one"):
        activations(classifier, x[:0], "0")
    with pytest.raises(ConfigurationError, match="at least one layer"):
        activations(classifier, x, [])
    with pytest.raises(ConfigurationError, match="no activations of '3'"):
        activations(classifier, x, "1")["3"]
    monkeypatch.setattr(activity, "_MOST", 50)
    with pytest.raises(ConfigurationError, match="5 inputs give 120 numbers in 0, at most 50 are kept; give 2 inputs"):
        activations(classifier, x, "0")
    with pytest.raises(NotApplicableError, match="'blocks' is never called by itself"):
        activations(fresh("sequence", "temporal_cnn", hidden=(4,)), cases("sequence", 2).inputs, "blocks")


@pytest.mark.parametrize(
    ("modality", "architecture", "layer", "shape"),
    [
        ("tabular", "mlp", "2", (64, 7)),
        ("image", "mlp", "2", (64, 1, 16, 16)),
        ("image", "cnn", "1", (16, 1, 3, 3)),
        ("sequence", "temporal_cnn", "blocks.0.first", (32, 2, 7)),
    ],
)
def test_filters_are_the_weights(modality: str, architecture: str, layer: str, shape: tuple[int, ...]) -> None:
    classifier = fresh(modality, architecture)
    found = filters(classifier, layer)
    assert found.weights.shape == shape
    assert torch.equal(found.weights.flatten(), classifier.module.get_submodule(layer).weight.flatten())
    assert found.original == (modality != "sequence")
    assert len(found.to_frame()) == shape[0] * shape[1]


def test_weights_of_a_table_are_named_by_its_columns_and_those_of_deeper_layers_by_units() -> None:
    classifier = fresh("tabular", "mlp")
    assert filters(classifier, "2").inputs == classifier.schema.columns
    deeper = filters(classifier, "4")
    assert not deeper.original
    assert deeper.inputs[:2] == ("unit 0", "unit 1")


def test_a_layer_that_mixes_its_inputs_before_is_not_said_to_look_at_them(numbers) -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(x.cumsum(1))

    assert not filters(Classifier.wrap(Mixed(), schema=numbers(8), classes=("a", "b")), "last").original


def test_a_layer_without_filters_is_refused_with_those_that_have_them(classifier: Classifier) -> None:
    with pytest.raises(NotApplicableError, match=r"'1' is of type ReLU.*these have: 0, 2, 4"):
        filters(classifier, "1")
