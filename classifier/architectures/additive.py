"""Neural additive model: one curve a feature (Agarwal et al., 2021, arXiv:2004.13912), and chosen pairs (Lou et al., 2013)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from classifier.architecture import ARCHITECTURES, Architecture
from classifier.architectures._layers import Standardize
from classifier.architectures._terms import AdditiveNetwork, TermNetworks
from classifier.architectures.mlp import ACTIVATIONS
from classifier.chunks import sum_in_chunks
from classifier.errors import ConfigurationError, did_you_mean
from classifier.schema import Schema


@ARCHITECTURES.register
@dataclass(frozen=True, kw_only=True)
class Additive(Architecture):
    """Logits that are a bias plus one curve a feature, and a surface for each chosen pair.

    A number has a small network of its own; a category or a binary has a table of values, one for each. Once
    trained, every term has mean 0 over the training rows, so that a curve shows what a value adds to an average row.

    Args:
        hidden: Width of each hidden layer of each network.
        activation: ``"relu"``, ``"sigmoid"``, ``"tanh"`` or ``"gelu"``; relu draws broken lines, the others smooth ones.
        dropout: Share of hidden units left out at each training step.
        term_dropout: Share of terms left out at each training step, so that features that tell the same share the credit.
        pairs: Pairs of feature names that have a term together; none are chosen by themselves.
    """

    hidden: tuple[int, ...] = (32, 16)
    activation: str = "relu"
    dropout: float = 0.0
    term_dropout: float = 0.0
    pairs: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise ConfigurationError(f"hidden must hold widths of at least 1, got {list(self.hidden)}")
        if self.activation not in ACTIVATIONS:
            raise ConfigurationError(f"there is no activation {self.activation!r}", remedy=did_you_mean(self.activation, ACTIVATIONS))
        for name in ("dropout", "term_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must lie in [0, 1), got {getattr(self, name)}")
        # A file of settings or of a saved classifier gives lists.
        object.__setattr__(self, "pairs", tuple(tuple(pair) if isinstance(pair, (list, tuple)) else (pair,) for pair in self.pairs))
        for pair in self.pairs:
            if len(pair) != 2 or pair[0] == pair[1]:
                raise ConfigurationError(
                    f"pairs must hold two different features each, got {list(pair)}", remedy='write pairs = [["a", "b"]]'
                )
        if len({frozenset(pair) for pair in self.pairs}) < len(self.pairs):
            raise ConfigurationError("pairs names the same two features twice")

    def build(self, schema: Schema, outputs: int) -> nn.Module:
        for pair in self.pairs:
            for name in pair:
                schema[name]  # an unknown name is refused, with the nearest one
        return NeuralAdditiveNetwork(self, schema, outputs)


class NeuralAdditiveNetwork(AdditiveNetwork):
    """The network of :class:`Additive`.

    Args:
        options: Its options.
        schema: What the inputs are.
        outputs: How many logits it gives.
    """

    centre: Tensor

    def __init__(self, options: Additive, schema: Schema, outputs: int) -> None:
        super().__init__([*((name,) for name in schema.names), *options.pairs], outputs)
        columns = {name: list(range(group.start, group.stop)) for name, group in schema.groups.items()}
        numbers = [feature.name for feature in schema.features if feature.kind in ("continuous", "integer")]
        tables = [name for name in schema.names if name not in numbers]
        self.standardize = Standardize(schema.shape, columns=[columns[name][0] for name in numbers])
        activation = ACTIVATIONS[options.activation]

        def networks(inputs: Sequence[Sequence[int]], hidden: Sequence[int]) -> list[TermNetworks]:
            return [TermNetworks(inputs, hidden, activation, options.dropout, outputs)] if inputs else []

        self.parts = nn.ModuleList(
            networks([columns[name] for name in numbers], options.hidden)
            + networks([columns[name] for name in tables], ())
            + networks([columns[first] + columns[second] for first, second in options.pairs], options.hidden)
        )
        place = {name: index for index, name in enumerate([*numbers, *tables])}
        self.order = [*(place[name] for name in schema.names), *range(len(place), len(self.terms))]
        self.register_buffer("centre", torch.zeros(len(self.terms), outputs))
        self.term_dropout = nn.Dropout1d(options.term_dropout)

    def contributions(self, x: Tensor) -> Tensor:
        scaled = self.standardize(x)
        raw = torch.cat([part(scaled) for part in self.parts], 1)[:, self.order]
        return self.term_dropout(raw - self.centre)

    @torch.no_grad()
    def settle(self, x: Tensor) -> None:
        """Move the mean of each term over training inputs ``(N, D)`` to the bias; the logits stay."""
        training = self.training
        self.eval()
        mean = (sum_in_chunks(lambda part: self.contributions(part).double().sum(0), x) / len(x)).to(x.dtype)
        self.centre.add_(mean)
        self.bias.add_(mean.sum(0))
        self.train(training)
