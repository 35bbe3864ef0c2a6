"""Where nodes are drawn: as far apart as they are in steps (Kamada & Kawai, 1989, majorised as by Gansner et al., 2004)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDS, _STILL = 500, 1e-5


def lay_out(nodes: int, edges: NDArray[np.int64]) -> Array:
    """A place for each node ``(n, 2)``, an edge about 1 long, wider than high; the same for the same graph, without chance.

    Args:
        nodes: How many nodes.
        edges: Pairs of nodes that are joined ``(E, 2)``.
    """
    if nodes == 1:
        return np.zeros((1, 2))
    distance = _steps(nodes, edges)
    drawings = [_settle(start, distance) for start in (_circle(nodes), _projection(distance))]
    best = min(drawings, key=lambda points: _stress(points, distance))
    centred = best - best.mean(0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    # The sign of an axis is arbitrary: the entry of the largest size counts as positive.
    axes = axes[:, ::-1] * np.sign(axes[np.abs(axes).argmax(0), [0, 1]])[::-1]
    return centred @ axes


def _steps(nodes: int, edges: NDArray[np.int64]) -> Array:
    """How many edges lie between two nodes ``(n, n)``; parts that nothing joins lie a little farther apart than they are wide."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import shortest_path

    matrix = coo_array((np.ones(len(edges)), edges.reshape(-1, 2).T), shape=(nodes, nodes)).tocsr()
    steps = shortest_path(matrix, directed=False, unweighted=True)
    apart = np.isinf(steps)
    steps[apart] = min(steps[~apart].max() + 1, 1 + np.sqrt(nodes))
    return np.asarray(steps, dtype=np.float64)


def _circle(nodes: int) -> Array:
    angle = 2 * np.pi * np.arange(nodes) / nodes
    return nodes / (2 * np.pi) * np.stack([np.cos(angle), np.sin(angle)], 1)


def _projection(distance: Array) -> Array:
    """Classical scaling: the plane in which the distances are best kept (Torgerson, 1952)."""
    squares = distance**2
    centred = -(squares - squares.mean(0) - squares.mean(1)[:, None] + squares.mean()) / 2
    values, vectors = np.linalg.eigh(centred)
    # Nodes that would fall on each other are told apart by their number.
    return vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 1e-9)) + 1e-3 * _circle(len(distance))


def _settle(points: Array, distance: Array) -> Array:
    """Majorise the stress, each pair weighted by its distance to the power of -2, until nothing moves."""
    weight = 1 / (distance + np.eye(len(distance))) ** 2 - np.eye(len(distance))
    inverse = np.linalg.pinv(np.diag(weight.sum(1)) - weight)
    for _ in range(_ROUNDS):
        drawn = np.linalg.norm(points[:, None] - points, axis=2)
        pull = -weight * distance / np.maximum(drawn, 1e-9)
        np.fill_diagonal(pull, 0)
        np.fill_diagonal(pull, -pull.sum(1))
        moved = inverse @ pull @ points
        if np.abs(moved - points).max() < _STILL:
            return moved
        points = moved
    return points


def _stress(points: Array, distance: Array) -> float:
    drawn = np.linalg.norm(points[:, None] - points, axis=2)
    return float((((drawn - distance) / (distance + np.eye(len(distance)))) ** 2).sum())
