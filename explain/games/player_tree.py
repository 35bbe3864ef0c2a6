"""Hierarchy: which players go together, as a tree; of a table by correlation, of other inputs by where they lie."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.modalities.image import Image
from classifier.modalities.sequence import Series
from classifier.modality import Modality
from explain.games.coalitions import Game

#: A player by its number, or two branches.
Tree: TypeAlias = "int | tuple[Tree, Tree]"
# Fewer rows tell nothing about which features go together; more tell it no better, and take longer.
LEAST_ROWS, _MOST_ROWS = 10, 2000


def why_no_hierarchy(classifier: Classifier, *, background: int) -> str:
    """Why nothing tells which players go together; empty where something does."""
    modality = classifier.schema.modality
    if modality == "graph":
        return "the nodes of different graphs have no order that tells which go together"
    if modality == "tabular" and background < LEAST_ROWS:
        return f"which features go together is told by a background of {LEAST_ROWS} rows or more, got {background}"
    return ""


def hierarchy(game: Game) -> Tree:
    """The players of a game as a tree, whose leaves are their places in the game.

    Features of a table are joined by the correlation of their columns in the background, the closest first (average
    linkage). Other inputs are halved: an image along its longer side, a series by variables and then in
    time, a text where it has its middle.
    """
    modality = game.task.modality
    if len(game.players) == 1:
        return 0
    if modality.schema.modality == "tabular":
        return _joined(_distances(game))
    return _halved(torch.arange(len(game.players)), _places(modality)[game.players], first=isinstance(modality, Series))


def leaves(tree: Tree) -> list[int]:
    """The players below a branch."""
    return [tree] if isinstance(tree, int) else [leaf for branch in tree for leaf in leaves(branch)]


def branches(tree: Tree, count: int) -> list[list[int]]:
    """About `count` branches, that have all players between them: the largest is divided until there are as many."""
    parts = [tree]
    while len(parts) < count:
        largest = max(range(len(parts)), key=lambda i: len(leaves(parts[i])))
        part = parts[largest]
        if isinstance(part, int):
            break
        parts[largest : largest + 1] = part
    return [leaves(part) for part in parts]


def _places(modality: Modality) -> Tensor:
    """Where each player lies ``(P, 2)`` or ``(P, 1)``."""
    count = len(modality.players)
    width = modality.grid[1] if isinstance(modality, Image) else len(modality.stretches) if isinstance(modality, Series) else 0
    place = torch.arange(count)
    return torch.stack([place // width, place % width], 1) if width else place[:, None]


def _halved(players: Tensor, places: Tensor, *, first: bool) -> Tree:
    """Halve players along the longest side of where they lie ``(n, k)``, or along the first side that has any length."""
    if len(players) == 1:
        return int(players)
    extent = places.amax(0) - places.amin(0)
    side = int((extent > 0).nonzero()[0]) if first else int(extent.argmax())
    order = places[:, side].argsort(stable=True)
    values = places[order, side]
    # The cut between two places that is nearest to the middle.
    cuts = (values.diff() > 0).nonzero()[:, 0] + 1
    cut = int(cuts[(cuts - len(players) / 2).abs().argmin()])
    lower, upper = order[:cut], order[cut:]
    return _halved(players[lower], places[lower], first=first), _halved(players[upper], places[upper], first=first)


def _distances(game: Game) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """How little two features have to do with each other ``(Q, Q)``: 1 less the largest correlation of their columns."""
    background = game.task.baseline[:_MOST_ROWS].double().cpu()
    centred = background - background.mean(0)
    size = centred.square().sum(0).sqrt()
    correlation = (centred.T @ centred / torch.outer(size, size).clamp_min(1e-12)).abs()
    owner = game.task.modality.membership
    count = len(game.task.modality.players)
    largest = torch.zeros(count, count, dtype=torch.float64)
    index = (owner[:, None] * count + owner).flatten()
    largest.view(-1).scatter_reduce_(0, index, correlation.flatten(), "amax")
    return (1 - largest[game.players][:, game.players]).clamp(0, 1).numpy()


def _joined(distances: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Tree:
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    trees: list[Tree] = list(range(len(distances)))
    np.fill_diagonal(distances, 0)
    for one, other, *_ in linkage(squareform(distances, checks=False), "average"):
        trees.append((trees[int(one)], trees[int(other)]))
    return trees[-1]
