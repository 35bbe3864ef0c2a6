"""Attention view: which token of an input took how much of which other, layer by layer and head by head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from torch import Tensor

from classifier.errors import ConfigurationError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: What asks where no token does: the answer itself, of a pooling.
OUTPUT = "(output)"


@dataclass(frozen=True, eq=False, kw_only=True)
class AttentionView:
    """What a network attended to in some inputs, as it used it.

    It says what was looked at, and is no measure of what decided (Jain and Wallace, 2019, arXiv:1902.10186).

    Args:
        weights: How much token q took of token t in each layer and head ``(N, L, H, Q, T)``; each row that is there
            sums to 1. Q = T, or 1 where the answer asks all tokens at once.
        tokens: What each token is, for each input ``(N, T)``.
        there: Which tokens an input has ``(N, T)``; the others fill it up.
        parts: The part of the input that each token stands for, by its number: a word, a step, a node, a feature. -1
            where it stands for none ``(N, T)``: the token that asks, the begin and the end of a text.
        reads: How much the answer reads of token q after each layer ``(N, L, Q)``; of each input they sum to 1, or to
            0 where it reads none.
    """

    weights: Tensor
    tokens: tuple[tuple[str, ...], ...]
    there: Tensor
    parts: Tensor
    reads: Tensor

    @property
    def layers(self) -> int:
        """How many layers attend."""
        return self.weights.shape[1]

    @property
    def heads(self) -> int:
        """How many heads each of them has."""
        return self.weights.shape[2]

    @property
    def pooling(self) -> bool:
        """Whether the answer asks all tokens at once, and no token asks another."""
        return self.weights.shape[3] == 1 < self.weights.shape[4]

    def require(self, row: int, layer: int = 1, head: int | None = None) -> None:
        """Refuse what there is not.

        Args:
            row: An input, from 0.
            layer: A layer, from 1.
            head: A head, from 1; ``None`` for the mean of all.

        Raises:
            ConfigurationError: If one of them does not exist.
        """
        if not 0 <= row < len(self):
            raise ConfigurationError(f"row must lie in 0 to {len(self) - 1}, got {row}")
        if not 1 <= layer <= self.layers:
            raise ConfigurationError(f"layer must lie in 1 to {self.layers}, got {layer}")
        if head is not None and not 1 <= head <= self.heads:
            raise ConfigurationError(f"head must lie in 1 to {self.heads}, got {head}")

    def to_frame(self, row: int = 0) -> pd.DataFrame:
        """One line for each layer, head and pair of tokens of one input: which asks, which answers, and the weight."""
        self.require(row)
        names, here = self.tokens[row], self.there[row].nonzero()[:, 0].tolist()
        lines = [
            (layer + 1, head + 1, OUTPUT if self.pooling else names[q], names[t], float(self.weights[row, layer, head, q, t]))
            for layer in range(self.layers)
            for head in range(self.heads)
            for q in ([0] if self.pooling else here)
            for t in here
        ]
        return pd.DataFrame(lines, columns=["layer", "head", "asks", "answers", "weight"])

    def plot(self, row: int = 0, *, layers: int = 4, heads: int = 4) -> Figure:
        """Draw a matrix for each layer and head of one input; see :func:`draw_attention_heads`."""
        from explain.figures.network.attention_heads import draw_attention_heads

        return draw_attention_heads(self, row, layers=layers, heads=heads)

    def plot_lines(self, row: int = 0, *, layer: int = 1, head: int | None = None, ax: Axes | None = None) -> Axes:
        """Draw one layer of one input as lines between its tokens; see :func:`draw_attention_lines`."""
        from explain.figures.network.attention_lines import draw_attention_lines

        return draw_attention_lines(self, row, layer=layer, head=head, ax=ax)

    def __len__(self) -> int:
        return len(self.weights)

    def __repr__(self) -> str:
        asking, tokens = self.weights.shape[3:]
        return f"AttentionView({len(self)} rows, {self.layers} layers x {self.heads} heads, {asking} x {tokens} tokens)"

    def _repr_html_(self) -> str:
        from html import escape

        frame = self.to_frame().nlargest(10, "weight").round({"weight": 3})
        return f"<p>{escape(repr(self))}; the largest weights of the first row:</p>{frame.to_html(index=False, escape=True)}"
