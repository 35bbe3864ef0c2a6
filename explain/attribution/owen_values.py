"""Owen values: Shapley values of groups, divided within each group (Owen, 1977, doi:10.1007/978-3-642-45494-3_7)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, combinations
from math import factorial
from typing import ClassVar

import torch

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError, did_you_mean
from classifier.modality import Modality
from classifier.seeds import Seed
from explain.games.arrivals import shares_of_orders
from explain.games.coalitions import Game, Shares, play
from explain.games.marginals import Marginals, union
from explain.games.player_tree import branches, hierarchy, why_no_hierarchy
from explain.method import METHODS, Law, Method, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class OwenValues(Method):
    """Let players arrive group by group, and average what each adds over all such orders.

    A group gets the Shapley value that it has as a single player. Players are compared within their group alone, so
    that features which stand for each other share what their group gets. Exact where the coalitions that count
    fit into the budget, else sampled, each order walked forwards and backwards.

    Args:
        groups: Names of the players of each group; one that no group names is a group of its own. Left out, the
            branches of the players' tree are the groups, about as many as the root of their number.
        samples: Coalitions evaluated for each input and background row at most.
    """

    spelling: ClassVar[str] = "Owen values"
    takes_background: ClassVar[bool] = True
    laws: ClassVar[frozenset[Law]] = frozenset({"dummy", "linearity", "linear"})

    groups: tuple[tuple[str, ...], ...] = ()
    samples: int = 2048

    def __post_init__(self) -> None:
        named = [name for group in self.groups for name in group]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ConfigurationError(f"each player is in one group, and {', '.join(twice)} in several")
        if not all(self.groups):
            raise ConfigurationError("each group needs a player, got one without any")
        if self.samples < 8:
            raise ConfigurationError(f"samples must be at least 8, got {self.samples}")

    def obstacle(self, classifier: Classifier, *, rows: int, background: int, players: int | None = None) -> str:
        reason = super().obstacle(classifier, rows=rows, background=background, players=players)
        if reason or self.groups:
            return reason
        reason = why_no_hierarchy(classifier, background=background)
        return f"it needs groups of players, as in groups=(('age', 'income'), ('home',)); left out, {reason}" if reason else ""

    def __call__(self, task: Task, seed: Seed) -> Scores:
        stated = self._stated(task.modality)
        return play(task, lambda game: self._divide(game, stated, seed))

    def _stated(self, modality: Modality) -> list[list[int]]:
        """The stated groups, by the players' numbers."""
        for name in chain(*self.groups):
            if name not in modality.players:
                raise ConfigurationError(f"there is no player {name!r}", remedy=did_you_mean(name, modality.players))
        return [[modality.players.index(name) for name in group] for group in self.groups]

    def _divide(self, game: Game, stated: list[list[int]], seed: Seed) -> Shares:
        players = game.players.tolist()
        if stated:
            here = [[players.index(player) for player in group if player in players] for group in stated]
            alone = set(range(len(players))) - set(chain(*here))
            groups = [*filter(None, here), *([player] for player in sorted(alone))]
        else:
            groups = branches(hierarchy(game), round(len(players) ** 0.5))
        if sum(2 ** (len(groups) - 1 + len(group)) for group in groups) <= self.samples:
            return _enumerated(groups, len(players)).shares(game)
        pairs = self.samples // (2 * len(players))
        if pairs < 2:
            raise NotApplicableError(f"{len(players)} players need samples={4 * len(players)} or more, got {self.samples}")
        generator = seed.child("orders").torch()
        # Groups come in a random order, and so do the players within each.
        group_of = torch.empty(len(players), dtype=torch.int64)
        for number, group in enumerate(groups):
            group_of[group] = number
        turn = torch.rand(pairs, len(groups), generator=generator).argsort(1).argsort(1)[:, group_of]
        return shares_of_orders(game, (turn + torch.rand(pairs, len(players), generator=generator)).argsort(1))


def _enumerated(groups: list[list[int]], players: int) -> Marginals:
    """What each player adds to any groups before its own and any players of its own before it (equation 6 of Owen, 1977)."""
    marginals = Marginals(players)
    for group in groups:
        others = [union(other) for other in groups if other is not group]
        for before in _subsets(others):
            outer = _share(len(before), len(groups))
            for player in group:
                for inside in _subsets([1 << other for other in group if other != player]):
                    marginals.add(sum(before) + sum(inside), [player], outer * _share(len(inside), len(group)))
    return marginals


def _share(earlier: int, count: int) -> float:
    """The share of orders of `count` in which just these `earlier` ones come before one of them."""
    return factorial(earlier) * factorial(count - earlier - 1) / factorial(count)


def _subsets(members: list[int]) -> list[tuple[int, ...]]:
    return [*chain(*(combinations(members, size) for size in range(len(members) + 1)))]
