"""A module of one's own, as a classifier: whether it answers with logits or probabilities, and of which class each."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from classifier.adapters._answers import Ordered, class_order
from classifier.adapters._equality import sample_inputs
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, ModelError
from classifier.schema import Schema


def from_module(
    module: nn.Module,
    *,
    schema: Schema,
    classes: Sequence[str],
    output: Literal["logits", "probabilities"] | None = None,
    output_classes: Sequence[str] = (),
) -> Classifier:
    """Make a classifier of a module, which is differentiable.

    Unlike `Classifier.wrap`, which takes logits, it looks at what the module answers: probabilities taken for logits
    would be squeezed into a narrow range without a word.

    Args:
        module: From ``(N, *S)`` to ``(N, K)`` or, of two classes, ``(N, 1)``.
        schema: What the inputs mean.
        classes: Name of each class; of two, the second is the event.
        output: What the outputs are. Without it they are probabilities where they look like some on a sample and the last
            layer is a softmax or sigmoid, and logits where they do not look so.
        output_classes: The class of each output, in the module's order; by default `classes`.

    Raises:
        ConfigurationError: If neither values nor layers tell what the outputs are.
        ModelError: If it does not answer with one output a class, or knows other classes.
    """
    order = class_order(tuple(output_classes) or tuple(classes), classes, what="the module")
    body = copy.deepcopy(module).eval()
    try:
        with torch.no_grad():
            raw = body(sample_inputs(schema))
    except (RuntimeError, ValueError, TypeError, IndexError):
        raw = None  # the classifier refuses it, and says what is required
    probable = isinstance(raw, Tensor) and _probable(body, raw.reshape(len(raw), -1), output)
    if probable and (open_ended := _without_closing(body)) is not None:
        # Gradients through a saturated softmax and its logarithm vanish; those of its inputs are the same function's.
        body, probable = open_ended, False
    if probable or order != list(range(len(order))):
        body = Ordered(body, order, probabilities=probable)
    card = {"output_order": tuple(output_classes) or tuple(classes)}
    return Classifier.wrap(body, schema=schema, classes=list(classes), card=card)


def _probable(body: nn.Module, raw: Tensor, stated: str | None) -> bool:
    """Whether outputs ``(N, K)`` are probabilities."""
    inside = bool((raw >= -1e-6).all() and (raw <= 1 + 1e-6).all())
    looks = inside and (raw.shape[1] == 1 or bool(((raw.double().sum(1) - 1).abs() < 1e-3).all()))
    if stated == "probabilities" and not looks:
        raise ModelError("the module's outputs are said to be probabilities, and are not: at least 0, and 1 in sum for each row")
    if stated is not None:
        return stated == "probabilities"
    closing = isinstance(_last_layer(body), nn.Softmax | nn.Sigmoid)
    if looks and closing:
        return True
    if looks or (inside and closing):
        # One logit may lie between 0 and 1 in each row by chance, and a module does not tell what it ends with.
        summed = ", and sum to 1 in each row" if raw.shape[1] > 1 and looks else ""
        raise ConfigurationError(
            f"the module's outputs lie between 0 and 1{summed}, which does not tell whether they are logits or probabilities",
            remedy='state [model] output = "logits" or "probabilities"',
        )
    return False


def _last_layer(module: nn.Module) -> nn.Module:
    children = list(module.children())
    return _last_layer(children[-1]) if children else module


def _without_closing(module: nn.Module) -> nn.Module | None:
    """A sequence of layers without its closing softmax over the classes, or its closing sigmoid."""
    if type(module) is not nn.Sequential or len(module) < 2:
        return None
    last = module[-1]
    if isinstance(last, nn.Sigmoid) or (isinstance(last, nn.Softmax) and last.dim in (-1, 1)):
        return module[:-1]
    return None
