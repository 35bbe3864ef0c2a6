"""A transformer over tokens (Vaswani et al., 2017, arXiv:1706.03762), beside its n-grams (Cheng et al., 2016, arXiv:1606.07792)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from classifier.architecture import ARCHITECTURES, Architecture
from classifier.errors import ConfigurationError, did_you_mean
from classifier.modalities.text import tokenizer_of
from classifier.schema import Schema

POOLINGS = ("mean", "attention")
# One learning rate serves both: what an n-gram says, met in few texts, moves so many times as far in a step.
_STRIDE = 30.0
# A batch is cut into so many parts by length, so that short texts are not padded to the longest.
_LENGTHS = 4
_PRIME, _MODULUS = 1_000_003, 2**31 - 1


@ARCHITECTURES.register
@dataclass(frozen=True, kw_only=True)
class TransformerText(Architecture):
    """Logits that are the sum of two parts: a transformer over the tokens, and what each n-gram says by itself.

    The n-grams learn fast from few texts, and the transformer tells what depends on the rest of the text. In
    training, some tokens are masked: the network then knows texts from which tokens are left out, which
    explanations ask about.

    Args:
        width: Length of a token's vector.
        layers: Layers of attention, each normalised before and not after (Xiong et al., 2020, arXiv:2002.04745).
        heads: Heads of each layer; they divide the width.
        pooling: ``"mean"`` over the tokens, or ``"attention"``: a mean with learned weights.
        ngrams: The longest n-grams that speak by themselves.
        buckets: Numbers that n-grams are hashed to; two with the same say the same.
        dropout: Share of hidden units left out at each training step.
        token_dropout: Share of tokens masked at each training step.
    """

    modalities: ClassVar[frozenset[str]] = frozenset({"text"})

    width: int = 32
    layers: int = 1
    heads: int = 4
    pooling: str = "mean"
    ngrams: int = 3
    buckets: int = 2**17
    dropout: float = 0.3
    token_dropout: float = 0.1

    def __post_init__(self) -> None:
        for name, least in (("width", 1), ("layers", 0), ("heads", 1), ("ngrams", 1), ("buckets", 1)):
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.width % self.heads:
            raise ConfigurationError(f"heads must divide the width {self.width}, got {self.heads}")
        if self.pooling not in POOLINGS:
            raise ConfigurationError(f"there is no pooling {self.pooling!r}", remedy=did_you_mean(self.pooling, POOLINGS))
        for name in ("dropout", "token_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must lie in [0, 1), got {getattr(self, name)}")

    def build(self, schema: Schema, outputs: int) -> nn.Module:
        return TextTransformer(self, schema, outputs)


class TextTransformer(nn.Module):
    """The network of :class:`TransformerText`: :meth:`embed`, then :meth:`classify`.

    Args:
        options: Its options.
        schema: What the texts are.
        outputs: How many logits it gives.
    """

    def __init__(self, options: TransformerText, schema: Schema, outputs: int) -> None:
        super().__init__()
        tokenizer, width = tokenizer_of(schema.features[0]), options.width
        self.options, self.padding, self.masked = options, tokenizer.padding, tokenizer.mask
        self.structure = list(tokenizer.structure)
        self.tokens = nn.Embedding(tokenizer.size, width)
        nn.init.normal_(self.tokens.weight, std=0.1)
        self.grams = nn.Embedding(options.buckets, outputs)
        nn.init.zeros_(self.grams.weight)
        self.positions = nn.Parameter(torch.zeros(schema.size[0], width))
        self.blocks = nn.ModuleList(_Block(width, options.heads, options.dropout) for _ in range(options.layers))
        self.normal = nn.LayerNorm(width)
        self.weights = nn.Linear(width, 1) if options.pooling == "attention" else None
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(width, outputs)

    def embed(self, x: Tensor) -> Tensor:
        """What the tokens are, and what the n-grams that begin at them say ``(N, T, W + K)``.

        An n-gram with a masked token says nothing.

        Args:
            x: Numbers of tokens ``(N, T)``.
        """
        said = torch.zeros(*x.shape, self.grams.embedding_dim, device=x.device, dtype=self.grams.weight.dtype)
        whole, code = torch.ones_like(x, dtype=torch.bool), torch.zeros_like(x)
        for n in range(1, self.options.ngrams + 1):
            following = nn.functional.pad(x, (0, n - 1), value=self.padding)[:, n - 1 :]
            whole = whole & (following != self.padding) & (following != self.masked)
            code = (code * _PRIME + following + n) % _MODULUS
            said = said + self.grams(code % self.options.buckets) * whole[..., None]
        return torch.cat([self.tokens(x), _STRIDE * said], dim=2)

    def classify(self, embeddings: Tensor, x: Tensor) -> Tensor:
        """Logits ``(N, K)`` of embedded tokens.

        Args:
            embeddings: What :meth:`embed` returns ``(N, T, W + K)``.
            x: Numbers of the tokens, which tell where the texts end ``(N, T)``.
        """
        here = x != self.padding
        said = embeddings[..., self.options.width :]
        values = self._values(embeddings, here)
        pooled = (self._share(values, here)[..., None] * values).sum(1)
        said = (said * here[..., None]).sum(1) / here.sum(1, keepdim=True).clamp_min(1).sqrt()
        return self.head(self.dropout(pooled)) + said

    def shares(self, x: Tensor) -> Tensor:
        """How much each token weighs in the mean over a text ``(N, T)``; of each text they sum to 1.

        Args:
            x: Numbers of tokens ``(N, T)``.
        """
        here = x != self.padding
        return self._share(self._values(self.embed(x), here), here)

    def _values(self, embeddings: Tensor, here: Tensor) -> Tensor:
        """The vectors of the tokens after all layers ``(N, T, W)``."""
        values = self.dropout(embeddings[..., : self.options.width] + self.positions[: here.shape[1]])
        for block in self.blocks:
            values = block(values, here)
        return self.normal(values)

    def _share(self, values: Tensor, here: Tensor) -> Tensor:
        scores = torch.zeros_like(values[..., 0]) if self.weights is None else self.weights(values)[..., 0]
        return scores.masked_fill(~here, torch.finfo(scores.dtype).min).softmax(1)

    def forward(self, x: Tensor) -> Tensor:
        lengths = (x != self.padding).sum(1)
        if self.training:
            chosen = torch.rand(x.shape, device=x.device) < self.options.token_dropout
            x = torch.where(chosen & ~torch.isin(x, torch.tensor(self.structure, device=x.device)), self.masked, x)
        order = lengths.argsort(stable=True)
        parts = [x[rows, : max(1, int(lengths[rows].max()))] for rows in order.chunk(_LENGTHS)]
        logits = torch.cat([self.classify(self.embed(part), part) for part in parts])
        return torch.empty_like(logits).index_copy(0, order, logits)


class _Block(nn.Module):
    """Attention among the tokens of a text, and two layers on each; from ``(N, T, W)`` to ``(N, T, W)``."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.normal = nn.ModuleList((nn.LayerNorm(width), nn.LayerNorm(width)))
        self.project, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.each = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor, here: Tensor) -> Tensor:
        rows, extent, width = values.shape
        query, key, value = self.project(self.normal[0](values)).reshape(rows, extent, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=here[:, None, None])
        values = values + self.dropout(self.merge(seen.transpose(1, 2).reshape(rows, extent, width)))
        return values + self.dropout(self.each(self.normal[1](values)))
