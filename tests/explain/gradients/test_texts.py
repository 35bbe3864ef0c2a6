"""Gradients of texts run through the embeddings of their tokens."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from cases import OPTIONS, cases
from torch import Tensor, nn

from classifier import Classifier, Splits
from classifier.errors import ModelError
from explain import attribute
from trainer import Recipe, train

NETWORKS = {
    "transformer": Recipe("transformer_text", options={"width": 8, "buckets": 64}, epochs=3),
    "BERT": Recipe("huggingface", options=OPTIONS["huggingface"], epochs=1),
}


@cache
def classifier(network: str) -> Classifier:
    if network == "BERT":
        pytest.importorskip("transformers")
    data = cases("text", 2)
    return train(Splits(data, data, data), NETWORKS[network], progress=False)


def texts() -> Tensor:
    return cases("text", 2).inputs[:4]


@pytest.mark.parametrize("network", NETWORKS)
def test_integrated_gradients_are_complete_with_many_steps(network: str) -> None:
    errors = [attribute(classifier(network), texts(), "integrated_gradients", steps=steps).completeness_error.max() for steps in (2, 200)]
    assert errors[1] < 1e-3
    assert errors[1] < errors[0]


@pytest.mark.parametrize("network", NETWORKS)
def test_expected_gradients_over_texts_are_the_mean_of_integrated_gradients(network: str) -> None:
    background = cases("text", 2).inputs[4:7]
    drawn = attribute(classifier(network), texts(), "expected_gradients", baseline=background, samples=3 * 64)
    each = [attribute(classifier(network), texts(), "integrated_gradients", baseline=row, steps=64).attributions for row in background]
    assert drawn.standard_error is not None
    assert ((drawn.attributions - torch.stack(each).mean(0)).abs() <= 5 * drawn.standard_error + 1e-4).all()


def test_input_x_gradient_is_the_product_with_the_embedding() -> None:
    model, x = classifier("transformer"), texts()
    network = model.module
    assert network is not None
    points = network.embed(x).detach().requires_grad_()
    logits = model.logits_of(network.classify(points, x))
    (slope,) = torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), points)
    explanation = attribute(model, x, "input_x_gradient")
    assert torch.allclose(explanation.attributions.float(), (points * slope).sum(-1), atol=1e-5)
    assert (explanation.attributions[~explanation.modality.present(x)].abs() < 1e-5)[x[~explanation.modality.present(x)] == 0].all()


def test_smooth_grad_of_little_noise_is_saliency() -> None:
    model = classifier("transformer")
    smooth, plain = (attribute(model, texts(), "smooth_grad", noise=1e-3), attribute(model, texts(), "saliency"))
    assert torch.allclose(smooth.attributions, plain.attributions, atol=1e-3 * float(plain.attributions.max()))
    assert (smooth.attributions >= 0).all()


class Forgetful(nn.Module):
    """A network whose answer to embeddings leaves something out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x) + torch.tensor([0.0, 0.5])

    def embed(self, x: Tensor) -> Tensor:
        return self.network.embed(x)

    def classify(self, embeddings: Tensor, x: Tensor) -> Tensor:
        return self.network.classify(embeddings, x)


@pytest.mark.parametrize("method", ["saliency", "integrated_gradients", "expected_gradients", "smooth_grad", "input_x_gradient"])
def test_a_network_that_answers_otherwise_to_embeddings_is_refused(method: str) -> None:
    whole = classifier("transformer")
    assert whole.module is not None
    other = Classifier.wrap(Forgetful(whole.module), schema=whole.schema, classes=whole.classes)
    with pytest.raises(ModelError, match="embeddings") as refusal:
        attribute(other, texts(), method)
    assert "kernel_shap" in refusal.value.remedy
