"""Forward: what an attack asks, the logits whose largest one is what is decided, as fast as the machine gives them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError

#: From inputs ``(m, *S)`` to logits ``(m, K)``.
Forward = Callable[[Tensor], Tensor]

# How far two ways through the same layers may round apart, as a share of the logits' size.
_ALIKE = 1e-4


def decided_logits(classifier: Classifier, threshold: float = 0.5) -> Forward:
    """The logits ``(N, K)``, of two classes shifted so that the larger one is what is decided at `threshold`.

    Raises:
        ConfigurationError: If the threshold is none.
    """
    if not 0 < threshold < 1:
        raise ConfigurationError(f"threshold must lie between 0 and 1, got {threshold}")
    if threshold == 0.5 or len(classifier.classes) > 2:
        return classifier.logits
    shift = torch.tensor([0.0, math.log((1 - threshold) / threshold)], device=classifier.device)
    return lambda x: classifier.logits(x) + shift


def decided(logits: Tensor) -> Tensor:
    """The class that logits ``(m, K)`` stand for ``(m,)``: of the largest one, and of two equal ones of two classes the event."""
    return (logits[:, 1] >= logits[:, 0]).long() if logits.shape[1] == 2 else logits.argmax(1)


def fast_classifier(classifier: Classifier, x: Tensor) -> Classifier:
    """The same classifier, of images with its weights laid out channels last, in which convolution and pooling take half the time.

    A network that cannot take them so, or answers otherwise, stays as it is.

    Args:
        classifier: What is asked.
        x: Some inputs to try it on ``(n, *S)``.
    """
    if classifier.module is None or x.dim() != 4 or not any(isinstance(layer, nn.Conv2d) for layer in classifier.module.modules()):
        return classifier
    module = copy.deepcopy(classifier.module).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub knows devices and types only
    fast = Classifier(module, classifier.description)
    try:
        answer = fast.logits(x)
    except RuntimeError:
        # A network that views memory as it was laid out refuses another layout.
        return classifier
    expected = classifier.logits(x)
    return fast if (answer - expected).abs().max() <= _ALIKE * (1 + expected.abs().max()) else classifier
