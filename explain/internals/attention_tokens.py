"""Tokens of attention: what each stands for in the input, and which of them the answer reads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from classifier.architectures.attention_table import FeatureTransformer
from classifier.architectures.graph_attention import GraphAttentionNetwork
from classifier.architectures.transformer_text import TextTransformer
from classifier.classifier import Classifier
from classifier.modalities.sequence import Series
from classifier.modalities.text import Text
from classifier.modality import modality_of
from explain.internals.attention_tap import Attended, as_layer

# A gradient that is smaller than this share of the largest is rounding: nothing reads there.
_NOTHING = 1e-6


@dataclass(frozen=True, eq=False)
class Tokens:
    """What the tokens of some inputs are; see `AttentionView`.

    Args:
        names: What each is ``(N, T)``.
        there: Which an input has ``(N, T)``.
        parts: The part of the input that each stands for, or -1 ``(N, T)``.
    """

    names: tuple[tuple[str, ...], ...]
    there: Tensor
    parts: Tensor


def offset_of(classifier: Classifier, tokens: int) -> int | None:
    """How many tokens stand before those of the parts of an input; ``None`` where nothing tells which those are.

    Args:
        classifier: One whose network attends.
        tokens: Among how many.
    """
    schema = classifier.schema
    if isinstance(classifier.module, FeatureTransformer):
        return 1
    if schema.modality == "text":
        return 0 if tokens <= schema.size[0] else None
    return 0 if schema.modality in ("sequence", "graph") and tokens == schema.size[0] else None


def name_tokens(classifier: Classifier, x: Tensor, tokens: int) -> Tokens:
    """What each token stands for; a text's are as many as the longest may have, however long these are.

    Args:
        classifier: One whose network attends.
        x: Inputs ``(n, *S)``.
        tokens: Among how many tokens it attends.
    """
    offset, modality = offset_of(classifier, tokens), modality_of(classifier.schema)
    if offset is None:
        names = tuple(f"token {token + 1}" for token in range(tokens))
        nowhere = torch.full((len(x), tokens), -1, device=x.device)
        return Tokens((names,) * len(x), nowhere < 0, nowhere)
    if isinstance(modality, Text):
        there, present = x != modality.tokenizer.padding, modality.present(x)
        words = [tuple(row.values()) for row in modality.words(x.cpu())]
    elif isinstance(modality, Series):
        there = present = modality.observed(x) > 0.5
        words = [tuple(f"step {step + 1}" for step in range(there.shape[1]))] * len(x)
    else:
        there = present = modality.present(x)
        words = [("(asks)",) * offset + modality.players] * len(x)
    parts = torch.where(present, torch.arange(present.shape[1], device=x.device), -1)
    return Tokens(tuple(words), nn.functional.pad(there, (offset, 0), value=True), nn.functional.pad(parts, (offset, 0), value=-1))


def reads_of(classifier: Classifier, x: Tensor, found: Attended) -> Tensor:
    """How much the answer reads of each token after each layer ``(n, L, Q)``; see `AttentionView`.

    The nodes of a graph are read after all layers. Otherwise a token is read after the last one if the answer has a
    gradient by what it took there; all that are read count alike, unless the network pools with weights of its own.

    Args:
        classifier: One whose network attends.
        x: The inputs of a pass with gradients ``(n, *S)``.
        found: The pass.
    """
    logits, layers = found.logits, len(found.weights)
    rows, _, asking, _ = found.layers[0].shape
    reads = torch.zeros(rows, layers, asking, dtype=found.layers[0].dtype, device=x.device)
    network = classifier.module
    if asking == 1:
        reads[:] = 1
    elif isinstance(network, GraphAttentionNetwork):
        here = network.standardize.observed(x[..., : network.width])
        reads[:] = (here / here.sum(1, keepdim=True).clamp_min(1) / layers)[:, None]
    elif isinstance(network, TextTransformer):
        with torch.no_grad():
            reads[:, -1] = network.shares(x)[:, :asking]
    else:
        # No two logits may cancel, as they would in a sum.
        mixture = (logits * torch.arange(1, logits.shape[1] + 1, device=x.device).sqrt()).sum()
        (slope,) = torch.autograd.grad(mixture, found.weights[-1], retain_graph=True, allow_unused=True)
        size = torch.zeros(rows, asking, device=x.device) if slope is None else as_layer(slope).abs().amax((1, 3))
        read = (size > _NOTHING * size.amax(1, keepdim=True)).to(reads)
        reads[:, -1] = read / read.sum(1, keepdim=True).clamp_min(1)
    return reads
