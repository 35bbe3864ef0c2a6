"""The search for the levels of least loss: exact, with what one level shows of others (El Emam et al., 2009; Kohlmayer et al., 2012).

Each quasi-identifier has one level for the whole table; the combinations of levels are the nodes of a lattice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from audit.deidentification.classes import Classes, coarsen
from audit.deidentification.ladder import Ladder
from audit.deidentification.losses import ColumnLoss, table_loss
from audit.deidentification.requirements import Requirements
from classifier.errors import ConfigurationError

Node = tuple[int, ...]

MOST_NODES = 200_000
# Classes that are kept of nodes that were looked at, over all of them: 8 bytes each and quasi-identifier.
_KEPT = 2_000_000


@dataclass(frozen=True)
class Judged:
    """What was found of one node.

    Args:
        levels: The level of each quasi-identifier.
        suppressed: Rows in classes that fail.
        for_good: Rows in classes that fail what merging never takes away.
        loss: Loss of the table, from 0 to 1, with the failing rows left out.
    """

    levels: Node
    suppressed: int
    for_good: int
    loss: float


@dataclass(frozen=True)
class Outcome:
    """What a search found.

    Args:
        best: The node of least loss that holds; ``None`` where none does.
        nearest: The node that leaves out the fewest rows, among those looked at.
        nodes: How many nodes there are.
        judged: How many were looked at; the others follow from these.
    """

    best: Judged | None
    nearest: Judged
    nodes: int
    judged: int


class Lattice:
    """The nodes, and what is known of them.

    Args:
        base: The classes where every quasi-identifier is at level 0.
        ladders: The levels of each.
        losses: What each loses, weighted; the sum is the loss of the table.
        requirements: What must hold of each class.
    """

    def __init__(self, base: Classes, ladders: Sequence[Ladder], losses: Sequence[ColumnLoss], requirements: Requirements) -> None:
        self.ladders, self.losses, self.requirements = ladders, losses, requirements
        self._values = [column.values for column in requirements.sensitive]
        self._base: Node = (0,) * len(ladders)
        self._kept: dict[Node, Classes] = {self._base: base}
        self._up: dict[tuple[int, int, int], NDArray[np.int64]] = {}
        self.judgements: dict[Node, Judged] = {}

    def classes(self, node: Node) -> Classes:
        """The classes of a node, made of the smallest ones at hand that are finer."""
        if node in self._kept:
            return self._kept[node]
        source = min((at for at in self._kept if all(a <= b for a, b in zip(at, node, strict=True))), key=lambda at: len(self._kept[at]))
        up = [self._merge(column, low, high) for column, (low, high) in enumerate(zip(source, node, strict=True))]
        found = coarsen(self._kept[source], up, self._values)
        # What is hardly smaller than what it was made of saves nothing.
        if 2 * len(found) <= len(self._kept[source]):
            self._keep(node, found)
        return found

    def judge(self, node: Node) -> Judged:
        """Look at a node."""
        if node not in self.judgements:
            classes = self.classes(node)
            for_good = int(classes.sizes[self.requirements.failing_for_good(classes)].sum())
            failing = self.requirements.failing(classes)
            loss = table_loss(self.losses, node, classes, failing)
            self.judgements[node] = Judged(node, int(classes.sizes[failing].sum()), for_good, loss)
        return self.judgements[node]

    def least_loss(self, node: Node) -> float:
        """The loss of a node if no row is left out; with rows left out it is never less."""
        return sum(loss.mean[level] for loss, level in zip(self.losses, node, strict=True))

    def _merge(self, column: int, low: int, high: int) -> NDArray[np.int64]:
        place = (column, low, high)
        if place not in self._up:
            self._up[place] = self.ladders[column].between(low, high)
        return self._up[place]

    def _keep(self, node: Node, classes: Classes) -> None:
        self._kept[node] = classes
        while sum(map(len, self._kept.values())) - len(self._kept[self._base]) > _KEPT:
            del self._kept[max((at for at in self._kept if at != self._base), key=lambda at: len(self._kept[at]))]


def find_levels(lattice: Lattice, choices: Sequence[range], budget: int) -> Outcome:
    """The node of least loss in which failing classes hold at most `budget` rows.

    Nodes are taken in the order of the loss that they have at least, and the search ends where that reaches the best found.
    Where a node fails for good, so does every finer one: a path to coarser nodes is halved until the last such one on it is found.

    Args:
        lattice: The nodes.
        choices: The levels that each quasi-identifier may take.
        budget: How many rows may be left out.

    Raises:
        ConfigurationError: If there are more nodes than can be listed.
    """
    count = int(np.prod([len(choice) for choice in choices], dtype=np.float64))
    if count > MOST_NODES:
        raise ConfigurationError(
            f"the quasi-identifiers have {count:,} combinations of levels, at most {MOST_NODES:,} can be searched",
            remedy="give fewer levels, a lowest level, or fix the level of some columns",
        )
    nodes = np.array(list(product(*choices)), dtype=np.int64)
    least = sum((np.array(loss.mean)[nodes[:, column]] for column, loss in enumerate(lattice.losses)), np.zeros(count))
    hopeless = np.zeros(count, dtype=bool)
    best: Judged | None = None

    def fails_for_good(node: Node) -> bool:
        judged = lattice.judge(node)
        if judged.for_good > budget:
            hopeless[(nodes <= np.array(node)).all(axis=1)] = True
        return judged.for_good > budget

    for place in np.argsort(least, kind="stable"):
        # Losses are sums of doubles, and two ways to the same loss differ in their last digits.
        if best is not None and least[place] >= best.loss - 1e-12:
            break
        if hopeless[place]:
            continue
        path = _path(lattice, tuple(nodes[place].tolist()), choices)
        low, high = 0, len(path)
        while low < high:
            middle = (low + high) // 2
            if fails_for_good(path[middle]):
                low = middle + 1
            else:
                high = middle
        for judged in filter(None, map(lattice.judgements.get, path)):
            if judged.suppressed <= budget and (best is None or judged.loss < best.loss):
                best = judged
    nearest = min(lattice.judgements.values(), key=lambda judged: (judged.suppressed, judged.loss, judged.levels))
    return Outcome(best, nearest, count, len(lattice.judgements))


def _path(lattice: Lattice, node: Node, choices: Sequence[range]) -> list[Node]:
    """From a node to the coarsest one, each step the one that adds the least loss."""
    path = [node]
    while True:
        current = path[-1]
        steps = [
            (*current[:column], level + 1, *current[column + 1 :])
            for column, (level, choice) in enumerate(zip(current, choices, strict=True))
            if level + 1 in choice
        ]
        if not steps:
            return path
        path.append(min(steps, key=lattice.least_loss))
