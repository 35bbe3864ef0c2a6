"""Diagnosing: why a network does not learn, by activations and gradients (Glorot and Bengio, 2010; Lu et al., arXiv:1903.06733)."""

from __future__ import annotations

import copy
from dataclasses import replace
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from classifier.chunks import ELEMENTS
from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError
from explain.inputs import checked_batch
from explain.internals.diagnosis import Diagnosis, LayerHealth
from explain.internals.layers import list_layers, require_network, run_network
from explain.internals.symptoms import frozen_layers, symptoms_of
from explain.internals.vital_signs import VitalSigns

# A network whose probabilities are no further from the labels is sure and right, and its gradients are rounding.
_ROUNDING = 1e-6


def diagnose(
    classifier: Classifier, data: Dataset | Tensor, labels: Tensor | None = None, *, network: nn.Module | None = None
) -> Diagnosis:
    """Look for what keeps a network from learning: dead and saturated units, lost and vanishing gradients, constant answers.

    The network is run as it decides: without dropout, with the running statistics of its normalisation, and without a
    calibration, which came after it had learned. The gradients are those of the cross-entropy. A network at the end of its
    training has small gradients everywhere, so that only their ratio from layer to layer counts.

    Args:
        classifier: One with a network.
        data: Rows with their labels, or inputs ``(N, *S)``; some hundred are enough.
        labels: Class of each input ``(N,)``, where `data` are inputs.
        network: The module as it is trained, to see which of its layers are frozen. The classifier cannot tell: it holds a copy,
            all of which is frozen.

    Raises:
        NotApplicableError: If the classifier is a black box, or its network learned nothing by gradients.
        ConfigurationError: If there are no labels, or not one for each row, or `network` is another one.
    """
    x, y = labelled(classifier, data, labels)
    module = copy.deepcopy(require_network(classifier)).requires_grad_()
    if network is not None and {name for name, _ in network.named_parameters()} != {name for name, _ in module.named_parameters()}:
        raise ConfigurationError("network has other weights than the classifier", remedy="give the module that was wrapped")
    if not any(weight.is_floating_point() for weight in module.parameters()):
        raise NotApplicableError(
            "the network has no weights that gradients could change", remedy="diagnose one that was trained by gradients"
        )
    # A copy, since gradients are remembered in the weights that they are of.
    copied = Classifier(module, replace(classifier.description, calibration=None))
    signs, logits, pulls = VitalSigns(module), list[Tensor](), list[float]()
    widest = max((prod(layer.shape) for layer in list_layers(classifier, x) if layer.shape is not None), default=1)
    for rows, some in zip(*(torch.split(part, max(1, ELEMENTS // max(widest, prod(x.shape[1:])))) for part in (x, y)), strict=True):
        with signs.watching(len(x), len(rows)), torch.enable_grad():
            answer = copied.logits_of(run_network(copied, rows))
            # A network that ends in detach has no gradient to go back by.
            if answer.requires_grad:
                answer.register_hook(lambda slope: pulls.append(float(slope.abs().max()) * len(x)))  # type: ignore[no-untyped-call]  # torch leaves it so
                torch.autograd.backward(cross_entropy(answer, some, reduction="sum") / len(x))
        logits.append(answer.detach())
    whole = torch.cat(logits).double()
    found = _summed_up(classifier, signs.layers(), whole, y)
    symptoms = symptoms_of(found, copied, x, whole, y, pulled=not pulls or max(pulls) > _ROUNDING)
    if network is not None:
        symptoms = [*frozen_layers(network, found.layers), *symptoms]
    return replace(found, symptoms=tuple(symptoms))


def labelled(classifier: Classifier, data: Dataset | Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    """Inputs ``(N, *S)`` and labels ``(N,)`` on the classifier's device, of a dataset or as they are given.

    Raises:
        ConfigurationError: If there are no labels, or not one for each row, or of no class.
    """
    if isinstance(data, Dataset):
        inputs, labels = data.inputs, data.labels
    elif labels is None:
        raise ConfigurationError("the loss needs labels", remedy="give a dataset, or inputs and labels")
    else:
        inputs = data
    x, y = checked_batch(classifier, inputs), torch.as_tensor(labels, device=classifier.device)
    if y.shape != (len(x),) or y.is_floating_point() or y.dtype == torch.bool:
        raise ConfigurationError(f"labels must be one class index for each of the {len(x)} inputs, got {tuple(y.shape)} of {y.dtype}")
    if ((y < 0) | (y >= len(classifier.classes))).any():
        raise ConfigurationError(f"labels must lie in 0 to {len(classifier.classes) - 1}, got {int(y.min())} to {int(y.max())}")
    return x, y.to(torch.int64)


def _summed_up(classifier: Classifier, layers: tuple[LayerHealth, ...], logits: Tensor, labels: Tensor) -> Diagnosis:
    """What was measured, as yet without symptoms."""
    count = len(labels)
    probabilities = logits.softmax(1)
    shares = torch.bincount(labels, minlength=logits.shape[1]).double() / count
    decided = torch.bincount(logits.argmax(1), minlength=logits.shape[1]).double() / count
    return Diagnosis(
        layers=layers,
        symptoms=(),
        rows=count,
        loss=float(cross_entropy(logits, labels)),
        guess=float(-torch.special.xlogy(shares, shares).sum()),
        entropy=float(-torch.special.xlogy(probabilities, probabilities).sum(1).mean()),
        decided=tuple(decided.tolist()),
        classes=classifier.classes,
    )
