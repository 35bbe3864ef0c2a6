"""A module's outputs are taken for what they are, or somebody is asked."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from classifier import Feature, Schema
from classifier.adapters.module import from_module
from classifier.adapters.reordering import reordered
from classifier.calibration import Calibration
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, ModelError
from classifier.seeds import Seed

SCHEMA = Schema("tabular", tuple(Feature(name, "continuous", low=0, high=1) for name in ("income", "debt")))
CLASSES = ("no", "yes")
X = torch.rand(20, 2, generator=Seed(0).torch())


class Hidden(nn.Module):
    """Ends with a function that is no layer."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2, outputs)

    def forward(self, x: Tensor) -> Tensor:
        z = self.linear(x) * 5
        return z.softmax(1) if z.shape[1] > 1 else z.sigmoid()


def layers(outputs: int, *closing: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, outputs), *closing)


def probabilities(module: nn.Module) -> Tensor:
    answer = module(X).detach()
    return answer if answer.shape[1] > 1 else torch.cat([1 - answer, answer], dim=1)


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_closing_softmax_or_sigmoid_makes_probabilities(outputs: int) -> None:
    module = layers(outputs, nn.Softmax(1) if outputs > 1 else nn.Sigmoid())
    for closed in (module, nn.ModuleList([module])[0]):
        classifier = from_module(closed, schema=SCHEMA, classes=CLASSES)
        assert classifier.differentiable
        torch.testing.assert_close(classifier.probabilities(X), probabilities(module))


@pytest.mark.parametrize("outputs", [1, 2])
def test_probabilities_that_no_layer_makes_are_asked_about(outputs: int) -> None:
    torch.manual_seed(0)
    module = Hidden(outputs)
    with pytest.raises(ConfigurationError, match=r"lie between 0 and 1.*state .model. output"):
        from_module(module, schema=SCHEMA, classes=CLASSES)
    stated = from_module(module, schema=SCHEMA, classes=CLASSES, output="probabilities")
    torch.testing.assert_close(stated.probabilities(X), probabilities(module), atol=1e-6, rtol=1e-5)
    assert stated.digest != from_module(module, schema=SCHEMA, classes=CLASSES, output="logits").digest


def test_a_sigmoid_a_class_is_asked_about() -> None:
    with pytest.raises(ConfigurationError, match="lie between 0 and 1, which does not tell"):
        from_module(layers(2, nn.Sigmoid()), schema=SCHEMA, classes=CLASSES)


def test_logits_stay_as_they_are() -> None:
    module = layers(2)
    classifier = from_module(module, schema=SCHEMA, classes=CLASSES)
    torch.testing.assert_close(classifier.logits(X), module(X).detach())
    assert classifier.digest == Classifier.wrap(module, schema=SCHEMA, classes=CLASSES).digest
    with pytest.raises(ModelError, match="said to be probabilities, and are not"):
        from_module(module, schema=SCHEMA, classes=CLASSES, output="probabilities")


def test_outputs_of_another_order_are_put_in_that_of_the_classes() -> None:
    module = layers(2)
    turned = from_module(module, schema=SCHEMA, classes=CLASSES, output_classes=("yes", "no"))
    torch.testing.assert_close(turned.logits(X), module(X).detach()[:, [1, 0]])
    assert turned.digest != from_module(module, schema=SCHEMA, classes=CLASSES).digest


def test_a_classifier_whose_event_comes_first_is_turned_round() -> None:
    own = Classifier.wrap(layers(2), schema=SCHEMA, classes=("yes", "no"))
    own = own.calibrated(Calibration(kind="bias_corrected", temperature=2.0, bias=(0.5, -0.5)))
    turned = reordered(own, CLASSES)
    assert turned.classes == CLASSES
    assert turned.differentiable
    torch.testing.assert_close(turned.logits(X), own.logits(X)[:, [1, 0]])
    assert turned.digest != own.digest
    assert reordered(own, ("yes", "no")) is own
    with pytest.raises(ModelError, match="the classifier knows the classes yes, no, the data have a, b"):
        reordered(own, ("a", "b"))


def test_a_black_box_is_turned_round_too() -> None:
    own = Classifier.wrap(lambda x: x[:, 0], schema=SCHEMA, classes=("yes", "no"))
    torch.testing.assert_close(reordered(own, CLASSES).probabilities(X), own.probabilities(X)[:, [1, 0]])
