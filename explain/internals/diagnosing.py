"""Diagnosing: why a network does not learn, by activations and gradients (Glorot and Bengio, 2010; Lu et al., arXiv:1903.06733)."""

from __future__ import annotations

import copy
from math import prod

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from classifier.chunks import ELEMENTS
from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError
from explain.inputs import checked_batch
from explain.internals.diagnosis import MANY, Diagnosis, LayerHealth, Symptom
from explain.internals.layers import list_layers, require_network, run_network
from explain.internals.vital_signs import VitalSigns

# How far gradients may shrink or grow from the last layer to the first.
_RATIO = 1e3
# Probabilities that differ by less over all rows are the same.
_ALIKE = 0.01


def diagnose(classifier: Classifier, data: Dataset | Tensor, labels: Tensor | None = None) -> Diagnosis:
    """Look for what keeps a network from learning: dead and saturated units, gradients that vanish or explode, constant answers.

    The network is run as it decides: without dropout, and with the running statistics of its normalisation. The
    gradients are those of the cross-entropy. A network at the end of its training has small gradients everywhere, so that
    only their ratio from layer to layer counts.

    Args:
        classifier: One with a network.
        data: Rows with their labels, or inputs ``(N, *S)``; some hundred are enough.
        labels: Class of each input ``(N,)``, where `data` are inputs.

    Raises:
        NotApplicableError: If the classifier is a black box, or its network learned nothing by gradients.
        ConfigurationError: If there are no labels, or not one for each row.
    """
    x, y = labelled(classifier, data, labels)
    require_network(classifier)
    # A copy, since gradients are remembered in the weights that they are of.
    copied = Classifier(copy.deepcopy(require_network(classifier)).requires_grad_(), classifier.description)
    signs = VitalSigns(require_network(copied))
    if not any(weight.is_floating_point() for weight in signs.module.parameters()):
        raise NotApplicableError(
            "the network has no weights that gradients could change", remedy="diagnose one that was trained by gradients"
        )
    widest = max(prod(layer.shape) for layer in list_layers(classifier, x) if layer.shape is not None)
    logits = []
    for rows, some in zip(*(torch.split(part, max(1, ELEMENTS // max(widest, prod(x.shape[1:])))) for part in (x, y)), strict=True):
        with signs.watching(len(x)), torch.enable_grad():
            answer = copied.logits_of(run_network(copied, rows))
            torch.autograd.backward(cross_entropy(answer, some, reduction="sum") / len(x))
        logits.append(answer.detach())
    return _judged(classifier, signs.layers(), torch.cat(logits).double(), y)


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


def _judged(classifier: Classifier, layers: tuple[LayerHealth, ...], logits: Tensor, labels: Tensor) -> Diagnosis:
    count = len(labels)
    probabilities = logits.softmax(1)
    shares = torch.bincount(labels, minlength=logits.shape[1]).double() / count
    decided = torch.bincount(logits.argmax(1), minlength=logits.shape[1]).double() / count
    found = Diagnosis(
        layers=layers,
        symptoms=(),
        rows=count,
        loss=float(cross_entropy(logits, labels)),
        guess=float(-torch.special.xlogy(shares, shares).sum()),
        entropy=float(-torch.special.xlogy(probabilities, probabilities).sum(1).mean()),
        decided=tuple(decided.tolist()),
        classes=classifier.classes,
    )
    if not logits.isfinite().all():
        wrong = int((~logits.isfinite()).any(1).sum())
        said = f"the answers to {wrong} of {count} rows are not finite"
        symptoms = [Symptom("not finite", said, "lower the learning rate, and clip gradients; start again from weights that are finite")]
    else:
        symptoms = [*_of_units(layers, count), *_of_gradients(found), *_of_answers(found, probabilities, labels)]
    return Diagnosis(**{**vars(found), "symptoms": tuple(symptoms)})


def _of_units(layers: tuple[LayerHealth, ...], rows: int) -> list[Symptom]:
    symptoms = []
    for layer in layers:
        if layer.units and layer.dead is not None and layer.dead >= MANY * layer.units:
            said = f"{layer.name}: {layer.dead} of {layer.units} units are dead, 0 for all {rows} rows"
            symptoms.append(Symptom("dead", said, "lower the learning rate, or start again with smaller biases or a leaky activation"))
        if layer.units and layer.saturated is not None and layer.saturated >= MANY * layer.units:
            said = f"{layer.name}: {layer.saturated} of {layer.units} units of {layer.kind} are saturated, and pass on hardly any gradient"
            symptoms.append(Symptom("saturated", said, "standardize the inputs, start with smaller weights, or take ReLU"))
    return symptoms


def _of_gradients(found: Diagnosis) -> list[Symptom]:
    learned = [(layer.name, layer.gradient) for layer in found.layers if layer.gradient is not None]
    if not all(np.isfinite(size) for _, size in learned):
        names = ", ".join(name for name, size in learned if not np.isfinite(size))
        return [Symptom("not finite", f"the gradients at {names} are not finite", "lower the learning rate, and clip gradients")]
    ratio = found.gradient_ratio
    if ratio is None:
        return []
    (first, begin), (last, end) = learned[0], learned[-1]
    measured = f"the gradient at {first} is {begin:.2g}, at {last} {end:.2g}"
    if ratio < 1 / _RATIO:
        reached = "none reaches it" if not ratio else f"{1 / ratio:,.0f} times smaller"
        remedy = "take ReLU, a normalisation or ways around the layers, or fewer of them"
        return [Symptom("vanishing", f"gradients vanish: {measured}, {reached}", remedy)]
    if ratio > _RATIO:
        remedy = "start with smaller weights, clip gradients, or take a normalisation"
        return [Symptom("exploding", f"gradients explode: {measured}, {ratio:,.0f} times larger", remedy)]
    return []


def _of_answers(found: Diagnosis, probabilities: Tensor, labels: Tensor) -> list[Symptom]:
    symptoms = []
    spread = float((probabilities.amax(0) - probabilities.amin(0)).max())
    most = int(np.argmax(found.decided))
    several = bool((labels != labels[0]).any())
    if found.rows > 1 and spread < _ALIKE:
        said = f"all {found.rows} rows get the same answer, to within {spread:.2g} in every probability"
        symptoms.append(Symptom("constant", said, "see whether the inputs differ, and at which layer they stop to"))
    elif found.rows > 1 and several and found.decided[most] == 1:
        said = f"all {found.rows} rows are decided as {found.classes[most]}"
        symptoms.append(Symptom("constant", said, "train longer, or weigh the classes by how rare they are"))
    if several and found.loss >= found.guess:
        said = f"the loss is {found.loss:.3g}, and {found.guess:.3g} for one who always answers with the shares of the classes"
        symptoms.append(Symptom("uninformed", said, "train longer, see whether labels and inputs belong together"))
    return symptoms
