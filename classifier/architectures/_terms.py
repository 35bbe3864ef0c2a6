"""Additive networks: logits that are a bias plus terms of one or two features (Lou et al., 2013, doi:10.1145/2487575.2487579)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from classifier.errors import ConfigurationError


class AdditiveNetwork(nn.Module, ABC):
    """A network that is exactly its bias plus its terms, so that each term can be drawn and read by itself.

    Args:
        terms: The features that each term looks at, one or two names; it must look at nothing else.
        outputs: How many logits it gives.
    """

    def __init__(self, terms: Sequence[tuple[str, ...]], outputs: int) -> None:
        super().__init__()
        wrong = [term for term in terms if len(set(term)) != len(term) or len(term) not in (1, 2)]
        if wrong:
            raise ConfigurationError(f"a term is of one feature or of two different ones, got {wrong[0]}")
        self.terms = tuple(terms)
        self.bias = nn.Parameter(torch.zeros(outputs))

    @abstractmethod
    def contributions(self, x: Tensor) -> Tensor:
        """What each term adds to each logit.

        Args:
            x: Inputs ``(N, D)``.

        Returns:
            Contributions ``(N, T, K)``; over the terms they sum to the logits less the bias.
        """

    def forward(self, x: Tensor) -> Tensor:
        return self.bias + self.contributions(x).sum(1)


class TermNetworks(nn.Module):
    """Many small networks, each of a few columns, evaluated at once in batched matrix products.

    Args:
        columns: The columns that each network looks at, of T networks.
        hidden: Width of each hidden layer; without one, each network is linear and starts at 0.
        activation: What stands between layers.
        dropout: Share of hidden units left out at each training step.
        outputs: How many numbers each network gives.
    """

    def __init__(
        self, columns: Sequence[Sequence[int]], hidden: Sequence[int], activation: type[nn.Module], dropout: float, outputs: int
    ) -> None:
        super().__init__()
        width = max(map(len, columns))
        # A network of fewer columns looks at a last one, which is always 0, in their place.
        self.columns = [[*own, *[-1] * (width - len(own))] for own in columns]
        widths = (width, *hidden, outputs)
        self.weights = nn.ParameterList(torch.empty(len(columns), before, after) for before, after in pairwise(widths))
        self.biases = nn.ParameterList(torch.empty(len(columns), 1, after) for after in hidden)
        self.between = nn.Sequential(activation(), nn.Dropout(dropout))
        for weight, bias in zip(self.weights, self.biases, strict=False):
            # As in a linear layer of torch.
            nn.init.uniform_(weight, -(weight.shape[1] ** -0.5), weight.shape[1] ** -0.5)
            nn.init.uniform_(bias, -(weight.shape[1] ** -0.5), weight.shape[1] ** -0.5)
        nn.init.zeros_(self.weights[-1])

    def forward(self, x: Tensor) -> Tensor:
        """What each network gives ``(N, T, K)`` for inputs ``(N, D)``."""
        values = nn.functional.pad(x, (0, 1))[:, self.columns].transpose(0, 1)
        for weight, bias in zip(self.weights, self.biases, strict=False):
            values = self.between(torch.baddbmm(bias, values, weight))
        return torch.bmm(values, self.weights[-1]).transpose(0, 1)
