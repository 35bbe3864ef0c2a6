"""Shapley values of an additive network, read off its terms (Lou et al., 2013; Shapley, 1953)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from classifier.architectures._terms import AdditiveNetwork
from classifier.chunks import chunk_size, in_chunks
from classifier.modality import modality_of
from classifier.seeds import Seed
from explain.games.coalitions import spread_over_elements
from explain.method import METHODS, Method, Need, Scores, Task
from explain.output import Kind


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class AdditiveTerms(Method):
    """Give each feature its own terms, less what they are on average over the background.

    These are exact Shapley values, since those of a sum are the sum of those of its terms. A term g of one
    feature is a game of one player, who gets g(x) - g(b). In one of two features, i gets the mean of what it adds
    when it comes first, g(x_i, b_j) - g(b), and when it comes last, g(x) - g(b_i, x_j).
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"terms"})
    outputs: ClassVar[frozenset[Kind]] = frozenset({"log_odds", "logit"})
    takes_background: ClassVar[bool] = True

    def __call__(self, task: Task, seed: Seed) -> Scores:
        network = task.classifier.module
        assert isinstance(network, AdditiveNetwork)
        players = modality_of(task.classifier.schema).players
        terms = [[players.index(name) for name in term] for term in network.terms]
        own = in_chunks(network.contributions, task.x).double()
        base = in_chunks(network.contributions, task.baseline).double().mean(0)
        alone = {i: _alone(task, network, i) for i in {player for term in terms if len(term) == 2 for player in term}}
        credit = torch.zeros(len(own), len(players), own.shape[2], dtype=own.dtype, device=own.device)
        for t, term in enumerate(terms):
            if len(term) == 1:
                credit[:, term[0]] += own[:, t] - base[t]
            else:
                for player, other in (term, term[::-1]):
                    credit[:, player] += (alone[player][:, t] - base[t] + own[:, t] - alone[other][:, t]) / 2
        values = _of_output(task, credit)
        base_value = _of_output(task, (base.sum(0) + network.bias.double()).expand(len(own), 1, -1))[:, 0]
        return Scores(spread_over_elements(task, values), base_value, exact=True)


def _alone(task: Task, network: AdditiveNetwork, player: int) -> Tensor:
    """The terms where only `player` keeps its value, on average over the background ``(N, T, K)``."""
    modality = modality_of(task.classifier.schema)
    present = torch.arange(len(modality.players), device=task.x.device) == player
    background = len(task.baseline)
    height = max(1, chunk_size(tuple(task.x.shape[1:])) // background)
    means = []
    for x in torch.split(task.x, height):
        mixed = modality.mask(x[:, None], present, task.baseline)
        terms = in_chunks(network.contributions, mixed.flatten(0, 1))
        means.append(terms.reshape(len(x), background, *terms.shape[1:]).double().mean(1))
    return torch.cat(means)


def _of_output(task: Task, values: Tensor) -> Tensor:
    """Numbers for each logit ``(N, P, K)`` as numbers for the output that is explained ``(N, P)``."""
    if values.shape[2] == 1:
        values = torch.cat([-values / 2, values / 2], 2)
    index = task.target[:, None, None].expand(-1, values.shape[1], 1)
    chosen = values.gather(2, index)
    if task.output.kind == "log_odds":
        chosen = chosen - values.gather(2, 1 - index)
    return chosen[..., 0]
