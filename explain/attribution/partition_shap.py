"""Owen values of a hierarchy of players (Winter, 1989, doi:10.1007/BF01753900; SHAP's PartitionExplainer)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError
from classifier.seeds import Seed
from explain.games.coalitions import Game, Shares, play
from explain.games.marginals import Marginals, union
from explain.games.player_tree import Tree, hierarchy, leaves, why_no_hierarchy
from explain.method import METHODS, Law, Method, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class PartitionSHAP(Method):
    """Divide what a branch of the players' tree is worth between its two sides, and so on down to single players.

    A side gets the mean of what it adds before and after its sibling, under everything that was decided above it.
    With a whole tree the values are exact, and equal those of SHAP's PartitionExplainer with as many evaluations as
    it takes. Where the budget is smaller, the tree is cut off at a depth, and the players below share
    alike; a note says so. The tree is the same for all inputs with the same players.

    Args:
        samples: Coalitions evaluated at most for each input and background row.
    """

    spelling: ClassVar[str] = "PartitionSHAP"
    takes_background: ClassVar[bool] = True
    modalities: ClassVar[frozenset[str]] = frozenset({"tabular", "image", "text", "sequence"})
    laws: ClassVar[frozenset[Law]] = frozenset({"dummy", "linearity", "linear"})

    samples: int = 2048

    def __post_init__(self) -> None:
        if self.samples < 4:
            raise ConfigurationError(f"samples must be at least 4, got {self.samples}")

    def obstacle(self, classifier: Classifier, *, rows: int, background: int, players: int | None = None) -> str:
        return super().obstacle(classifier, rows=rows, background=background, players=players) or why_no_hierarchy(
            classifier, background=background
        )

    def __call__(self, task: Task, seed: Seed) -> Scores:
        return play(task, self._divide)

    def _divide(self, game: Game) -> Shares:
        tree = hierarchy(game)
        depth = _height(tree)
        while depth > 1 and _cost(tree, depth) > self.samples:
            depth -= 1
        marginals = Marginals(len(game.players))
        most = _descend(marginals, tree, [], depth)
        shares = marginals.shares(game)
        if most == 1:
            return shares
        return replace(shares, note=f"up to {most} neighbours share alike; a larger samples tells them apart")


def _height(tree: Tree) -> int:
    """How many branchings the longest way to a player has."""
    return 0 if isinstance(tree, int) else 1 + max(map(_height, tree))


def _cost(tree: Tree, depth: int) -> int:
    """How many marginals it takes to go down to a depth."""
    return 1 if isinstance(tree, int) or depth == 0 else 2 * sum(_cost(branch, depth - 1) for branch in tree)


def _descend(marginals: Marginals, tree: Tree, siblings: list[int], depth: int) -> int:
    """Add the marginals of a branch, whose siblings on the way down are coalitions; how many players share alike at most."""
    if not isinstance(tree, int) and depth > 0:
        sides = [union(leaves(branch)) for branch in tree]
        return max(_descend(marginals, branch, [*siblings, other], depth - 1) for branch, other in zip(tree, sides[::-1], strict=True))
    unit = leaves(tree)
    before = [0]
    for sibling in siblings:
        before += [coalition | sibling for coalition in before]
    for coalition in before:
        marginals.add(coalition, unit, 1 / (len(before) * len(unit)))
    return len(unit)
