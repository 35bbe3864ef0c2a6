import pytest
import torch
from torch import Tensor, nn

from classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from explain.internals.layers import layer_module, list_layers, watching


class Twice(nn.Module):
    """A network that uses one activation twice, and a layer never."""

    def __init__(self) -> None:
        super().__init__()
        self.last, self.first = nn.Linear(4, 2), nn.Linear(8, 4)
        self.activation, self.spare = nn.ReLU(), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.last(self.activation(self.first(x))))


def test_layers_come_in_the_order_in_which_they_compute(numbers) -> None:
    layers = list_layers(Classifier.wrap(Twice(), schema=numbers(8), classes=("a", "b")))
    assert [layer.name for layer in layers] == ["first", "activation", "last", "spare"]
    assert [layer.calls for layer in layers] == [1, 2, 1, 0]
    assert [layer.shape for layer in layers] == [(4,), (2,), (2,), None]
    assert [layer.parameters for layer in layers] == [36, 0, 10, 12]
    assert all(layer.leaf for layer in layers)


def test_an_unknown_layer_is_refused_with_the_nearest_name(classifier: Classifier, black_box: Classifier) -> None:
    with pytest.raises(ConfigurationError, match=r"no layer '44'.*did you mean '4'"):
        layer_module(classifier, "44")
    with pytest.raises(ConfigurationError, match="no layer ''"):
        layer_module(classifier, "")
    with pytest.raises(NotApplicableError, match=r"black box.*kernel_shap"):
        list_layers(black_box)


def test_watching_leaves_no_hook_behind(classifier: Classifier, x: Tensor) -> None:
    with pytest.raises(ZeroDivisionError), watching(classifier.module, lambda *_: 1 / 0):
        classifier.logits(x)
    assert classifier.logits(x).isfinite().all()
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in classifier.module.modules())


def test_the_network_is_asked_for_all_texts_at_once_in_their_order() -> None:
    from cases import cases

    from trainer import Recipe

    data = cases("text", 2)
    network = Recipe("transformer_text", options={"width": 8, "buckets": 64}).network().build(data.schema, 2)
    classifier, seen = Classifier.wrap(network, schema=data.schema, classes=data.classes), []
    from explain.internals.layers import run_network

    with torch.no_grad(), watching(classifier.module, lambda *found: seen.append(found[2]), names=["tokens"]):
        answer = run_network(classifier, data.inputs)
    assert [tuple(output.shape[:2]) for output in seen] == [tuple(data.inputs.shape)]
    torch.testing.assert_close(answer, classifier.logits(data.inputs), atol=1e-5, rtol=1e-5)
