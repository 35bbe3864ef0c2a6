"""Known answers of the attribution methods: what each must give where the truth has a closed form."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.known_answer import KnownAnswer
from classifier.schema import Feature, Schema
from classifier.seeds import Seed
from explain.attributing import attribute

_FEATURES, _ROWS = 8, 16


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """Run the methods on a linear classifier and on a small random network.

    Args:
        seed: Decides the weights and the rows.
    """
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", 0.0, 1.0) for i in range(_FEATURES)))
    generator = seed.child("known_answers").torch()
    x = torch.rand(_ROWS, _FEATURES, generator=generator)
    baseline = torch.rand(_FEATURES, generator=generator)
    linear = _classifier(nn.Linear(_FEATURES, 2), schema, generator)
    network = _classifier(nn.Sequential(nn.Linear(_FEATURES, 16), nn.ReLU(), nn.Linear(16, 2)), schema, generator)

    def scores(classifier: Classifier, method: str) -> Tensor:
        return attribute(classifier, x, method, baseline=baseline, seed=seed.value).attributions

    assert isinstance(linear.module, nn.Linear)
    slope = (linear.module.weight[1] - linear.module.weight[0]).double()
    truth = slope * (x - baseline).double()
    answers = [
        _no_difference(
            f"explanation.linear_{method}",
            f"On a linear classifier, {method.replace('_', ' ')} gives each feature its weight times its distance from the baseline.",
            scores(linear, method) - truth,
        )
        for method in ("integrated_gradients", "exact_shapley", "kernel_shap")
    ]
    enumerated = scores(network, "exact_shapley")
    answers.append(
        _no_difference(
            "explanation.kernel_shap_enumerated",
            "With all coalitions, kernel SHAP gives the Shapley values of a network that enumeration gives.",
            scores(network, "kernel_shap") - enumerated,
        )
    )
    difference = network.logits(torch.cat([x, baseline[None]])).double() @ torch.tensor([-1.0, 1.0], dtype=torch.float64)
    answers.append(
        _no_difference(
            "explanation.completeness",
            "Shapley values of a network sum to its output less its output at the baseline.",
            enumerated.sum(1) - (difference[:-1] - difference[-1]),
        )
    )
    return answers


def _classifier(module: nn.Module, schema: Schema, generator: torch.Generator) -> Classifier:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return Classifier.wrap(module, schema=schema, classes=("no", "yes"))


def _no_difference(identifier: str, statement: str, difference: Tensor) -> KnownAnswer:
    return KnownAnswer(identifier, statement, 0.0, float(difference.abs().max()), 1e-5)
