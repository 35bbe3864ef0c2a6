"""Symptoms: what keeps a network from learning, told from what was measured in it."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from classifier.classifier import Classifier
from explain.internals.diagnosis import Diagnosis, LayerHealth, Symptom
from explain.internals.layers import own_weights, require_network
from explain.internals.lost_gradients import Cause, find_lost_gradients
from explain.internals.resting_weights import rest_of
from explain.internals.vital_signs import how_far_apart

# How far gradients may shrink or grow from the last layer to the first.
_RATIO = 1e3
# Probabilities that differ by less over all rows are the same.
_ALIKE = 0.01
# Rows whose values differ by less than this share of their size are the same to the layers that follow.
_STANDING = 1e-3
# Layers that are named; of more, how many there are.
_NAMED = 4
_ABOVE = "see to what was found above"
# Activation functions whose slope is well under 1 nearly everywhere.
_FLATTENING = {"sigmoid", "tanh", "softsign", "Hardsigmoid", "Hardtanh"}
_LOST: dict[Cause, tuple[str, str]] = {
    "cut": (
        "what is learned there changes the answer, and nothing connects it with the loss",
        "look after {last} for detach, no_grad, .data, argmax or a comparison",
    ),
    "flat": (
        "what is learned there changes the answer, but through a function without a slope",
        "look after {last} for round, sign, floor or clamp",
    ),
    "idle": (
        "whatever is learned there, the answer is the same",
        "look after {last} for a multiplication by 0, or for a softmax or normalisation of a single number",
    ),
    "dead": ("all units of {at} are dead", "see to {at} first"),
    "dying": ("most units of {at} are dead, and nothing passes the others", "see to {at} first"),
    "saturated": ("{at} is saturated throughout", "see to {at} first"),
}


def symptoms_of(found: Diagnosis, classifier: Classifier, x: Tensor, logits: Tensor, labels: Tensor, *, pulled: bool) -> list[Symptom]:
    """What speaks against a network's learning.

    Args:
        found: What was measured, as yet without symptoms.
        classifier: The network, whose weights have the gradients of the loss.
        x: Its inputs ``(N, *S)``.
        logits: What it answers ``(N, K)``, float64.
        labels: What it should answer ``(N,)``.
        pulled: Whether the loss has a gradient by the answers at all; a network that is sure and right has none.
    """
    module = require_network(classifier)
    broken = _not_finite(found, module, logits)
    if broken:
        return broken
    weights = _of_weights(found.layers, module)
    standing = _standing_from(found.layers, logits)
    units = _of_units(found, standing, every=not weights)
    gradients = _of_gradients(found, classifier, x) if pulled else []
    inside = [*weights, *units, *gradients]
    above = _ABOVE if inside else ""
    return [*inside, *_of_answers(found, logits, labels, _why_alike(found.layers, module, x, standing, above), above)]


def frozen_layers(network: nn.Module, layers: tuple[LayerHealth, ...]) -> list[Symptom]:
    """The layers of a network, as it is trained, whose weights training leaves as they are."""
    learned = [layer.name for layer in layers if layer.gradient is not None]
    frozen = [name for name in learned if not any(weight.requires_grad for weight in own_weights(network.get_submodule(name)))]
    if not frozen:
        return []
    said = f"{len(frozen)} of {len(learned)} layers are frozen, and do not learn: {_named(frozen)}"
    return [Symptom("frozen", said, "call requires_grad_() on them, unless they are to stay as they are")]


def _not_finite(found: Diagnosis, module: nn.Module, logits: Tensor) -> list[Symptom]:
    names = [name for name, weight in module.named_parameters() if not weight.isfinite().all()]
    # What a network only remembers may hold an infinity on purpose, as the mask of an attention does.
    names += [name for name, value in module.named_buffers() if value.is_floating_point() and value.isnan().any()]
    wrong = int((~logits.isfinite()).any(1).sum())
    answers = f"the answers to {wrong} of {found.rows} rows are not finite"
    remedy = "lower the learning rate, and clip gradients"
    if names:
        said = f"there are weights that are not finite, in {_named(names)}" + (f", and {answers}" if wrong else "")
        return [Symptom("not finite", said, f"{remedy}; start again, since such weights stay so")]
    if wrong:
        first = next((layer.name for layer in found.layers if not np.isfinite([layer.mean, layer.deviation]).all()), None)
        begin = f", from layer {first} on" if first else ""
        return [Symptom("not finite", f"{answers}{begin}", f"{remedy}, and see whether the inputs are of the size that it expects")]
    learned = [layer for layer in found.layers if layer.gradient is not None]
    endless = [layer.name for layer in learned if not np.isfinite(layer.gradient or 0.0)]
    return [Symptom("not finite", f"the gradients at {_named(endless)} are not finite", remedy)] if endless else []


def _of_weights(layers: tuple[LayerHealth, ...], module: nn.Module) -> list[Symptom]:
    rests = {layer.name: rest_of(module.get_submodule(layer.name)) for layer in layers if layer.gradient is not None}
    zero, equal = ([name for name, rest in rests.items() if rest == kind] for kind in ("zero", "equal"))
    symptoms = []
    if zero:
        said = f"the weights of {_named(zero)} are all 0, and no gradient changes them"
        symptoms.append(Symptom("zero weights", said, "start again from random weights"))
    if equal:
        said = f"all units of {_named(equal)} have the same weights and the same gradient, so that they learn as one"
        symptoms.append(Symptom("equal weights", said, "start again from random weights"))
    return symptoms


def _of_units(found: Diagnosis, standing: int | None, *, every: bool) -> list[Symptom]:
    symptoms = []
    for place, layer in enumerate(found.layers):
        # Where all rows look the same, each unit is on for all or off for all, and none of them has died.
        own = every and (standing is None or place < standing or layer.dead == layer.units)
        if layer.mostly_dead and own:
            said = f"{layer.name}: {layer.dead} of {layer.units} units are dead, 0 for all {found.rows} rows"
            symptoms.append(Symptom("dead", said, "lower the learning rate, or start again with smaller biases or a leaky activation"))
        if layer.mostly_saturated:
            share = f"{layer.name}: {layer.saturation or 0.0:.0%} of what {layer.kind} gives is saturated"
            said = f"{share}, {layer.saturated} of {layer.units} units nearly always, and passes on hardly any gradient"
            symptoms.append(Symptom("saturated", said, "standardize the inputs, start with smaller weights, or take ReLU"))
    return symptoms


def _of_gradients(found: Diagnosis, classifier: Classifier, x: Tensor) -> list[Symptom]:
    lost, symptoms = find_lost_gradients(classifier, found.layers, x), []
    for (cause, at), names in lost.items():
        if cause != "shrunk":
            said, remedy = (part.format(at=at, last=names[-1]) for part in _LOST[cause])
            symptoms.append(Symptom("no gradient", f"no gradient reaches {_named(names)}: {said}", remedy))
    learned = [(layer.name, layer.gradient) for layer in found.layers if layer.gradient]
    if len(learned) < 2:
        return symptoms
    (first, begin), (last, end) = learned[0], learned[-1]
    measured = f"the gradient at {first} is {begin:.2g}, at {last} {end:.2g}"
    equal = rest_of(require_network(classifier).get_submodule(first)) == "equal"
    if begin * _RATIO < end and not equal:
        beyond = next((f", and none is left at {_named(names)}" for (cause, _), names in lost.items() if cause == "shrunk"), "")
        said = f"gradients vanish: {measured}, {_times(end / begin)} smaller{beyond}"
        flattening = sorted({layer.kind for layer in found.layers} & _FLATTENING)
        instead = f"ReLU in place of {' and '.join(flattening)}, " if flattening else "larger weights to start from, "
        symptoms.append(Symptom("vanishing", said, f"take {instead}a normalisation or ways around the layers, or fewer of them"))
    if begin > _RATIO * end:
        said = f"gradients explode: {measured}, {_times(begin / end)} larger"
        symptoms.append(Symptom("exploding", said, "start with smaller weights, clip gradients, or take a normalisation"))
    return symptoms


def _standing_from(layers: tuple[LayerHealth, ...], logits: Tensor) -> int | None:
    """The place of the layer from which on all rows look the same; ``None`` where their answers differ."""
    # What is added to all logits of a row is no part of its answer.
    if len(logits) < 2 or how_far_apart(logits - logits.mean(1, keepdim=True)) >= _STANDING:
        return None
    first = len(layers)
    for place in reversed(range(len(layers))):
        apart = layers[place].apart
        if apart is not None and apart >= _STANDING:
            break
        first = place if apart is not None else first
    return first


def _why_alike(layers: tuple[LayerHealth, ...], module: nn.Module, x: Tensor, standing: int | None, above: str) -> Symptom | None:
    """Why all rows get the same answer, as a symptom to which the measurement is added; ``None`` where they do not."""
    if standing is None:
        return None
    learned = [layer.name for layer in layers if layer.gradient is not None]
    started = [name for name in learned if rest_of(module.get_submodule(name)) == "start"]
    if started and not above:
        said = f": the weights of {_named(started)} are all 0, as they may be before training"
        return Symptom("untrained", said, "train it, since they have a gradient")
    if how_far_apart(x) < _STANDING:
        return Symptom("constant", ": the inputs themselves hardly differ", "see whether they were read as they should be")
    if standing == len(layers):
        return Symptom("constant", "", above or "see what the network does after its last layer")
    name = layers[standing].name
    scale = f"standardize the inputs, which are small beside the biases of {name}"
    remedy = above or (scale if name == learned[0] else f"take a normalisation before {name}")
    return Symptom("constant", f": from {name} on they differ by less than 0.1 % of their size", remedy)


def _of_answers(found: Diagnosis, logits: Tensor, labels: Tensor, why: Symptom | None, above: str) -> list[Symptom]:
    symptoms = []
    probabilities = logits.softmax(1)
    spread = float((probabilities.amax(0) - probabilities.amin(0)).max())
    most = int(np.argmax(found.decided))
    several = bool((labels != labels[0]).any())
    uninformed = several and found.loss >= found.guess
    same = f"all {found.rows} rows get the same answer, to within {spread:.2g} in every probability"
    rare = "train longer, or weigh the classes by how rare they are"
    if why is not None and spread < _ALIKE:
        symptoms.append(Symptom(why.kind, f"{same}{why.said}", why.remedy))
    # One that did not learn at all may well answer all rows nearly alike, and that it did not is said below.
    elif several and spread < _ALIKE and not uninformed:
        symptoms.append(Symptom("uninformed", f"{same}, though its layers tell them apart", rare))
    elif several and found.decided[most] == 1 and not uninformed:
        symptoms.append(Symptom("constant", f"all {found.rows} rows are decided as {found.classes[most]}", rare))
    if uninformed:
        said = f"the loss is {found.loss:.3g}, and {found.guess:.3g} for one who always answers with the shares of the classes"
        symptoms.append(Symptom("uninformed", said, above or "train longer, and see whether labels and inputs belong together"))
    return symptoms


def _named(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio < 1e6 else f"{ratio:.0e} times"
