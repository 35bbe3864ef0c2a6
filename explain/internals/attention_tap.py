"""Attention tap: one pass of a network with the attention weights that it really uses, and gradients by them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from classifier.architectures._observed import WeightedSoftmax
from classifier.architectures.huggingface import HuggingFaceNetwork
from classifier.classifier import Classifier
from explain.internals.layers import require_network, run_network

_attend = nn.functional.scaled_dot_product_attention
_attend_in_heads = nn.functional.multi_head_attention_forward
_ARGUMENTS = (
    "width", "heads", "in_weight", "in_bias", "bias_k", "bias_v", "add_zero_attn", "dropout_p", "out_weight", "out_bias",
    "training", "key_padding_mask", "need_weights", "attn_mask", "use_separate_proj_weight",
)  # fmt: skip


@dataclass(eq=False)
class Attended:
    """What one pass of a network attended to.

    Args:
        weights: What each place that attends took, in the order of the pass: each ``(N, heads, Q, T)`` from Q tokens
            that ask to T that answer, or as the network has it.
        logits: What the network answered ``(N, K)``.
    """

    weights: list[Tensor] = field(default_factory=list)
    logits: Tensor = field(default_factory=lambda: torch.empty(0))

    @property
    def layers(self) -> list[Tensor]:
        """The weights of each place as ``(N, H, Q, T)``: a pooling asks a single question."""
        return [as_layer(weights) for weights in self.weights]


def as_layer(values: Tensor) -> Tensor:
    """Values of attention weights ``(N, T)``, ``(N, Q, T)`` or ``(N, H, Q, T)`` as the last of these."""
    return values[:, None, None] if values.dim() == 2 else values[:, None] if values.dim() == 3 else values


def attend(classifier: Classifier, x: Tensor) -> Attended:
    """Run a network and keep the attention weights that it used; with gradients by them where gradients are enabled.

    Nothing of the network is changed, and none of its layers needs to know of it: where it asks torch for
    attention, the same is computed in two steps, with the weights between them.

    Args:
        classifier: One with a network.
        x: Inputs ``(N, *S)``, on the classifier's device.
    """
    found = Attended()
    module = require_network(classifier)
    with _tapping(module, found):
        if x.is_floating_point():
            answer = run_network(classifier, x.detach().requires_grad_(torch.is_grad_enabled()))
        else:
            answer = run_network(classifier, x)
    if not found.weights and isinstance(module, HuggingFaceNetwork):
        answer = _ask_library(module, x, found)
    found.logits = classifier.logits_of(answer)
    return found


def _ask_library(network: HuggingFaceNetwork, x: Tensor, found: Attended) -> Tensor:
    """The pass of a model of transformers that computes its attention by itself, and gives it if asked."""
    here = x != network.padding
    extent = max(1, int(here.sum(1).max()))
    vectors = network.embed(x)[:, :extent].detach().requires_grad_(torch.is_grad_enabled())
    given = network.model(inputs_embeds=vectors, attention_mask=here[:, :extent].long(), output_attentions=True)
    found.weights += [weights for weights in given.get("attentions") or () if weights is not None]
    logits: Tensor = given.logits
    return logits


@contextmanager
def _tapping(module: nn.Module, found: Attended) -> Iterator[None]:
    """Keep what is attended to while a network runs."""

    def keep(_layer: nn.Module, _given: Any, output: Tensor) -> None:
        found.weights.append(_tracked(output))

    layers = [layer for layer in module.modules() if isinstance(layer, WeightedSoftmax)]
    handles = [layer.register_forward_hook(keep) for layer in layers]
    # Encoders of torch have a path through C++ that shows nothing of itself.
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with _Tap(found):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for handle in handles:
            handle.remove()


class _Tap(TorchFunctionMode):
    """Computes torch's attention in two steps, and keeps the weights."""

    def __init__(self, found: Attended) -> None:
        super().__init__()
        self.found = found

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is _attend:
            return self._attention(*args, **kwargs)
        if func is _attend_in_heads:
            return self._in_heads(*args, **kwargs)
        return func(*args, **kwargs)

    def _attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        if enable_gqa:
            key, value = (part.repeat_interleave(query.shape[-3] // part.shape[-3], -3) for part in (key, value))
        scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
        if is_causal:
            ahead = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
            scores = scores.masked_fill(ahead, -torch.inf)
        if attn_mask is not None:
            scores = scores.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
        # A token that may look at nothing takes nothing.
        weights = _tracked(scores.softmax(-1).nan_to_num(0.0))
        self.found.weights.append(weights)
        mixed: Tensor = (nn.functional.dropout(weights, dropout_p) if dropout_p else weights) @ value
        return mixed

    def _in_heads(self, query: Tensor, key: Tensor, value: Tensor, *args: Any, **kwargs: Any) -> Any:
        """`nn.MultiheadAttention` of the ordinary kind; any other runs as it is, and is not seen."""
        given = {**dict(zip(_ARGUMENTS, args, strict=False)), **kwargs}
        special = given["bias_k"] is not None or given["add_zero_attn"] or given.get("use_separate_proj_weight") or query.dim() != 3
        if special or given.get("static_k") is not None:
            return _attend_in_heads(query, key, value, *args, **kwargs)
        bias = given["in_bias"]
        biases = (None,) * 3 if bias is None else bias.chunk(3)
        parts = zip((query, key, value), given["in_weight"].chunk(3), biases, strict=True)
        q, k, v = (_in_heads(nn.functional.linear(*part), given["heads"]) for part in parts)
        mask = _joined_masks(given.get("attn_mask"), given.get("key_padding_mask"), given["heads"], q)
        causal = bool(given.get("is_causal")) and mask is None
        mixed = self._attention(q, k, v, mask, given["dropout_p"] if given["training"] else 0.0, causal)
        out = nn.functional.linear(mixed.permute(2, 0, 1, 3).flatten(2), given["out_weight"], given["out_bias"])
        weights = self.found.weights[-1]
        return out, (weights.mean(1) if given.get("average_attn_weights", True) else weights) if given.get("need_weights", True) else None


def _in_heads(values: Tensor, heads: int) -> Tensor:
    """From ``(T, N, W)`` to ``(N, heads, T, W / heads)``."""
    return values.reshape(*values.shape[:2], heads, -1).permute(1, 2, 0, 3)


def _joined_masks(between: Tensor | None, padding: Tensor | None, heads: int, like: Tensor) -> Tensor | None:
    """The masks of `nn.MultiheadAttention`, in which True is left out, as one that is added to the scores."""
    total = None
    for mask in (between, padding):
        if mask is None:
            continue
        added = torch.zeros_like(mask, dtype=like.dtype).masked_fill(mask, -torch.inf) if mask.dtype == torch.bool else mask
        if mask is padding:
            added = added[:, None, None]
        elif added.dim() == 3:
            added = added.reshape(-1, heads, *added.shape[1:])
        total = added if total is None else total + added
    return total


def _tracked(weights: Tensor) -> Tensor:
    """Weights by which gradients are to be had, where gradients are enabled."""
    return weights.requires_grad_() if torch.is_grad_enabled() and not weights.requires_grad else weights
