"""Attention weights of any network that asks torch for attention, and which parts of an input its tokens are."""

from __future__ import annotations

from math import prod
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from classifier.architectures.attention_recurrent import AttentionRecurrentNetwork
from classifier.chunks import ELEMENTS
from classifier.classifier import Classifier
from classifier.errors import AssayError, NotApplicableError
from explain.inputs import checked_batch
from explain.internals.attention_tap import Attended, attend
from explain.internals.attention_tokens import name_tokens, offset_of, reads_of
from explain.internals.attention_view import AttentionView
from explain.internals.layers import probe

_ATTEND = "the architectures attention_table, transformer_text, huggingface, attention_recurrent and graph_attention attend"


def attention_weights(classifier: Classifier, x: Tensor) -> AttentionView:
    """The attention weights of a network, as it uses them.

    Any network is looked into that asks torch for attention (``scaled_dot_product_attention``,
    ``nn.MultiheadAttention``, the models of transformers), and those of this project that attend over
    steps or nodes. Nothing of the classifier is changed.

    Args:
        classifier: One whose network attends.
        x: Inputs ``(N, *S)``.

    Raises:
        NotApplicableError: If the network does not attend; the message says which do.
        ConfigurationError: If there is no input, or of another shape.
    """
    if reason := why_no_attention(classifier):
        raise NotApplicableError(f"there is no attention to look at: {reason}", remedy=_ATTEND)
    x, views = checked_batch(classifier, x), []
    for part in split_rows(classifier, x):
        with torch.enable_grad():
            views.append(view_of(classifier, part, attend(classifier, part)))
    whole = {name: torch.cat([getattr(view, name).cpu() for view in views]) for name in ("weights", "there", "parts", "reads")}
    return AttentionView(tokens=tuple(names for view in views for names in view.tokens), **whole)


def why_no_attention(classifier: Classifier, *, parts: bool = False) -> str:
    """Why there are no attention weights; empty where there are.

    Args:
        classifier: What is to be looked into.
        parts: Whether it must be known which part of the input each token stands for.
    """
    if classifier.module is None:
        return "the classifier is a black box"
    shape, reason = _looked(classifier, classifier.module)
    if not reason and parts and offset_of(classifier, shape[-1]) is None:
        return f"its attention is among {shape[-1]} tokens, and nothing tells which part of the input each stands for"
    return f"{reason}; {_ATTEND}" if reason else ""


def split_rows(classifier: Classifier, x: Tensor) -> tuple[Tensor, ...]:
    """Inputs in pieces whose attention fits in memory, on the classifier's device."""
    shape = (1,) if classifier.module is None else _looked(classifier, classifier.module)[0]
    return torch.split(x.to(classifier.device), max(1, ELEMENTS // prod(shape)))


def view_of(classifier: Classifier, x: Tensor, found: Attended) -> AttentionView:
    """What a pass with gradients attended to.

    Args:
        classifier: One whose network attends.
        x: The inputs of the pass ``(n, *S)``, on the classifier's device.
        found: The pass.
    """
    layers = found.layers
    tokens = name_tokens(classifier, x, layers[0].shape[-1])
    weights = placed(classifier, x, torch.stack(layers, 1).detach(), tokens.there)
    reads = reads_of(classifier, x, found)
    if weights.shape[-2] > 1:
        reads = nn.functional.pad(reads, (0, weights.shape[-1] - reads.shape[-1]))
    return AttentionView(weights=weights, tokens=tokens.names, there=tokens.there, parts=tokens.parts, reads=reads)


def placed(classifier: Classifier, x: Tensor, values: Tensor, there: Tensor) -> Tensor:
    """Values of pairs of tokens as a pass has them, where an input has the tokens.

    Args:
        classifier: One whose network attends.
        x: The inputs of the pass ``(n, *S)``.
        values: Values ``(n, ..., Q, T')``; the longest text of a pass may be shorter than texts may be.
        there: Which tokens each input has ``(n, T)``.

    Returns:
        Values ``(n, ..., Q, T)``, 0 for tokens that an input has not.
    """
    between, missing = (1,) * (values.dim() - 3), there.shape[1] - values.shape[-1]
    if isinstance(classifier.module, AttentionRecurrentNetwork):
        # It reads the observed steps first.
        order = (classifier.module.standardize.observed(x) <= 0.5).byte().argsort(dim=1, stable=True)
        values = torch.zeros_like(values).scatter(-1, order.reshape(len(x), *between, 1, -1).expand_as(values), values)
    answers = there.reshape(len(x), *between, 1, -1)
    if values.shape[-2] == 1:
        return nn.functional.pad(values, (0, missing)) * answers
    return nn.functional.pad(values, (0, missing, 0, missing)) * answers * answers.mT


_LOOKED: WeakKeyDictionary[nn.Module, tuple[tuple[int, ...], str]] = WeakKeyDictionary()


def _looked(classifier: Classifier, module: nn.Module) -> tuple[tuple[int, ...], str]:
    """The shape ``(L, H, Q, T)`` of a network's attention, and why there is none to look at; it is run only once for that."""
    if module not in _LOOKED:
        _LOOKED[module] = _look(classifier)
    return _LOOKED[module]


def _look(classifier: Classifier) -> tuple[tuple[int, ...], str]:
    x = probe(classifier)
    try:
        with torch.no_grad():
            found = attend(classifier, x)
    except (AssayError, RuntimeError, ValueError, TypeError) as error:
        return (1,), f"the network cannot be looked into: {error}"
    if not found.weights:
        return (1,), "the network does not attend"
    shapes = {tuple(weights.shape) for weights in found.layers}
    *_, asking, tokens = shape = shapes.pop()
    if shapes or len(shape) != 4 or shape[0] != len(x) or asking not in (1, tokens) or (asking == 1 and len(found.weights) > 1):
        said = ", ".join(sorted({str(tuple(weights.shape)) for weights in found.weights}))
        return (1,), f"its attention has the shapes {said}, which do not lead from layer to layer among the same tokens"
    return (len(found.weights), *shape[1:]), ""
