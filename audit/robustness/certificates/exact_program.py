"""One row's question as a mixed-integer program (Tjeng et al., 2019, arXiv:1711.07356), solved by HiGHS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from audit.robustness.certificates.exact_bounds import NeuronBounds
from audit.robustness.certificates.exact_network import DenseNetwork
from audit.robustness.certificates.exact_region import LawfulRegion
from classifier.modalities.tabular import TOLERANCE

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Solved:
    """What the solver said of one margin.

    Args:
        least: Proven lower bound of the margin; infinite where none is at most the ceiling, and minus infinite where nothing is proven.
        point: The input at which the solver found its best margin ``(D,)``, ``None`` where it found none.
        nodes: Nodes of its search tree.
    """

    least: float
    point: Array | None
    nodes: int


class Program:
    """The margins of one row over its region.

    Args:
        network: The network.
        region: The region, of this row alone.
        bounds: Bounds of its neurons.
        row: The row's place in `bounds`.
        slack: Whether relations may be missed by as much as a valid row may.
    """

    def __init__(self, network: DenseNetwork, region: LawfulRegion, bounds: NeuronBounds, row: int, *, slack: bool) -> None:
        self._network, self._size = network, region.lower.shape[1]
        self._lows = [low[row].numpy() for low in bounds.lower]
        self._highs = [high[row].numpy() for high in bounds.upper]
        self._low: list[Array] = [region.lower[0].numpy()]
        self._high: list[Array] = [region.upper[0].numpy()]
        self._whole: list[NDArray[np.int64]] = [np.zeros(self._size, dtype=np.int64)]
        self._count = self._size
        self._rows: list[tuple[sparse.csr_array, Array, Array]] = []
        self._constrain(region, slack)
        self._last = self._layers()

    def least_margin(self, label: int, other: int, *, ceiling: float, nodes: int, first: bool) -> Solved:
        """The least margin of the label over another class.

        Args:
            label: The label.
            other: The other class.
            ceiling: No margin above this is looked for.
            nodes: Nodes of the search tree at most.
            first: Whether any point below the ceiling will do, which takes far less than the least.
        """
        weight, bias = self._network.weights[-1].numpy(), self._network.biases[-1].numpy()
        objective = np.zeros(self._count)
        objective[self._last] = weight[label] - weight[other]
        constant = float(bias[label] - bias[other])
        whole = np.concatenate(self._whole)
        rows = [*self._rows, (sparse.csr_array(objective[None]), np.array([-np.inf]), np.array([ceiling - constant]))]
        answer = milp(
            objective,
            integrality=whole,
            bounds=Bounds(np.concatenate(self._low), np.concatenate(self._high)),
            constraints=[LinearConstraint(sparse.vstack([r[0] for r in rows]), *(np.concatenate([r[i] for r in rows]) for i in (1, 2)))],
            options={"node_limit": nodes, "mip_rel_gap": 1e9 if first else 0.0},
        )
        if answer.status == 2:
            return Solved(np.inf, None, int(answer.mip_node_count or 0))
        proven = answer.mip_dual_bound if answer.mip_dual_bound is not None else answer.fun if answer.status == 0 else None
        least = -np.inf if proven is None or not np.isfinite(proven) else float(proven) + constant
        return Solved(least, None if answer.x is None else answer.x[: self._size], int(answer.mip_node_count or 0))

    def _add(self, low: Array, high: Array, *, whole: bool = False) -> NDArray[np.int64]:
        """New variables between their bounds, and their places."""
        self._low.append(low)
        self._high.append(high)
        self._whole.append(np.full(len(low), int(whole), dtype=np.int64))
        self._count += len(low)
        return np.arange(self._count - len(low), self._count)

    def _require(self, parts: list[tuple[NDArray[np.int64], Array]], low: Array, high: Array) -> None:
        """Rows of constraints: the sum of each part's matrix ``(r, n)`` times its variables lies between `low` and `high`."""
        data = np.concatenate([matrix.ravel() for _, matrix in parts])
        columns = np.concatenate([np.tile(places, len(matrix)) for places, matrix in parts])
        rows = np.concatenate([np.repeat(np.arange(len(matrix)), matrix.shape[1]) for _, matrix in parts])
        kept = data != 0
        # Wide enough for any variable that is still to come; widened to all of them once they are known.
        matrix = sparse.csr_array((data[kept], (rows[kept], columns[kept])), shape=(len(low), self._count))
        self._rows.append((matrix, low, high))

    def _constrain(self, region: LawfulRegion, slack: bool) -> None:
        """The ball of L1, the grids of whole numbers, one-hot groups and relations."""
        inputs, law = np.arange(self._size), region.law
        if region.ball.norm == "L1":
            away = region.ball.eps * np.ones(self._size)
            up, down = self._add(np.zeros(self._size), away), self._add(np.zeros(self._size), away)
            scale, centre = np.diag(region.ball.scale.numpy()), region.ball.centre[0].numpy()
            self._require([(inputs, np.eye(self._size)), (up, -scale), (down, scale)], centre, centre)
            one = np.ones((1, self._size))
            self._require([(up, one), (down, one)], np.array([0.0]), np.array([region.ball.eps]))
        free = (law.whole & (region.lower[0] < region.upper[0])).numpy()
        if free.any():
            origin, step = law.origin.numpy()[free], law.step.numpy()[free]
            numbers = [((side[0].numpy()[free] - origin) / step).round() for side in (region.lower, region.upper)]
            count = self._add(*numbers, whole=True)
            self._require([(inputs[free], np.eye(len(count))), (count, -np.diag(step))], origin, origin)
        for group in law.groups:
            if free[group].any():
                self._require([(inputs[group], np.ones((1, len(inputs[group]))))], np.array([1.0]), np.array([1.0]))
        if len(law.values):
            weights, values = law.relations.numpy(), law.values.numpy()
            widest = torch.maximum(region.lower[0].abs(), region.upper[0].abs()).numpy()
            missed = TOLERANCE * (1 + law.offsets.numpy() + np.abs(weights) @ widest) if slack else np.zeros(len(values))
            low = np.where(law.equal.numpy(), values - missed, -np.inf)
            self._require([(inputs, weights)], low, values + missed)

    def _layers(self) -> NDArray[np.int64]:
        """The activations; the places of the last layer's inputs."""
        before = np.arange(self._size)
        for layer, leak in enumerate(self._network.slopes):
            weight, bias = self._network.weights[layer].numpy(), self._network.biases[layer].numpy()
            low, high = self._lows[layer], self._highs[layer]
            after = self._add(np.where(low < 0, leak * low, low), np.where(high < 0, leak * high, high))
            both = (low < 0) & (high > 0)
            slope = np.where(low >= 0, 1.0, leak)
            fixed = ~both
            one = np.eye(len(low))
            # Where the corner lies outside the bounds the activation is a straight line.
            self._require([(after, one[fixed]), (before, -slope[fixed, None] * weight[fixed])], *[slope[fixed] * bias[fixed]] * 2)
            if both.any():
                w, b, lo, hi, eye = weight[both], bias[both], low[both], high[both], one[both]
                side = self._add(np.zeros(len(lo)), np.ones(len(lo)), whole=True)
                endless = np.full(len(lo), np.inf)
                switch = np.eye(len(lo))
                # z >= a, z >= s a, z <= a - (1 - s) l (1 - d), z <= s a + (1 - s) u d, with a = w x + b and d the side.
                self._require([(after, eye), (before, -w)], b, endless)
                self._require([(after, eye), (before, -leak * w)], leak * b, endless)
                self._require([(after, eye), (before, -w), (side, -(1 - leak) * lo[:, None] * switch)], -endless, b - (1 - leak) * lo)
                self._require([(after, eye), (before, -leak * w), (side, -(1 - leak) * hi[:, None] * switch)], -endless, leak * b)
            before = after
        self._rows = [(self._widened(matrix), low, high) for matrix, low, high in self._rows]
        return before

    def _widened(self, matrix: sparse.csr_array) -> sparse.csr_array:
        return sparse.csr_array((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], self._count))
