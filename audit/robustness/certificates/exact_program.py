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

# The solver drops coefficients below 1e-9 without a word. Smaller ones than this are left out, and what they could add is let in.
_LEAST = 1e-8


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

    The solver misses constraints by absolute numbers and drops small coefficients, so each variable runs from -1 to 1 over the
    range that its bounds leave, a whole number from 0, and each row is divided by its largest coefficient.

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
        # Of each variable the value that stands for 0, and how far it goes from there for a change of 1.
        self._middle, self._reach = np.zeros(0), np.zeros(0)
        self._low, self._high, self._whole = np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64)
        self._rows: list[tuple[sparse.csr_array, Array, Array]] = []
        self._inputs = self._add(region.lower[0].numpy(), region.upper[0].numpy())
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
        difference = weight[label] - weight[other]
        worth = difference * self._reach[self._last]
        size = float(np.abs(worth).max(initial=0.0)) or 1.0
        constant = float(bias[label] - bias[other] + difference @ self._middle[self._last])
        kept = np.abs(worth) >= _LEAST * size
        # What is left out of the objective could have made it this much smaller.
        constant -= float(np.abs(worth[~kept]).sum())
        count = len(self._middle)
        objective = np.zeros(count)
        objective[self._last] = np.where(kept, worth / size, 0.0)
        rows = [*self._rows, (sparse.csr_array(objective[None]), np.array([-np.inf]), np.array([(ceiling - constant) / size]))]
        whole = sparse.vstack([sparse.csr_array((m.data, m.indices, m.indptr), shape=(m.shape[0], count)) for m, _, _ in rows])
        answer = milp(
            objective,
            integrality=self._whole,
            bounds=Bounds(self._low, self._high),
            constraints=[LinearConstraint(whole, *(np.concatenate([row[i] for row in rows]) for i in (1, 2)))],
            options={"node_limit": nodes, "mip_rel_gap": 1e9 if first else 0.0},
        )
        if answer.status == 2:
            return Solved(np.inf, None, int(answer.mip_node_count or 0))
        proven = answer.mip_dual_bound if answer.mip_dual_bound is not None else answer.fun if answer.status == 0 else None
        least = -np.inf if proven is None or not np.isfinite(proven) else float(proven) * size + constant
        point = None if answer.x is None else (self._middle + self._reach * answer.x)[: self._size]
        return Solved(least, point, int(answer.mip_node_count or 0))

    def _add(self, low: Array, high: Array, *, whole: bool = False) -> NDArray[np.int64]:
        """New variables between their bounds, and their places. Whole ones count from `low`."""
        middle, reach = (low, np.ones(len(low))) if whole else ((low + high) / 2, (high - low) / 2)
        start = len(self._middle)
        self._middle, self._reach = np.concatenate([self._middle, middle]), np.concatenate([self._reach, reach])
        self._low = np.concatenate([self._low, np.zeros(len(low)) if whole else np.where(reach > 0, -1.0, 0.0)])
        self._high = np.concatenate([self._high, high - low if whole else np.where(reach > 0, 1.0, 0.0)])
        self._whole = np.concatenate([self._whole, np.full(len(low), int(whole), dtype=np.int64)])
        return np.arange(start, start + len(low))

    def _require(self, parts: list[tuple[NDArray[np.int64], Array]], low: Array, high: Array) -> None:
        """Rows of constraints: the sum of each part's matrix ``(r, n)`` times its variables lies between `low` and `high`."""
        places = np.concatenate([columns for columns, _ in parts])
        matrix = np.concatenate([part for _, part in parts], axis=1)
        moved = matrix @ self._middle[places]
        matrix = matrix * self._reach[places]
        size = np.abs(matrix).max(axis=1, initial=0.0)
        size = np.where(size > 0, size, 1.0)
        matrix, low, high = matrix / size[:, None], (low - moved) / size, (high - moved) / size
        kept = np.abs(matrix) >= _LEAST
        most = np.maximum(np.abs(self._low[places]), np.abs(self._high[places]))
        missed = np.where(kept, 0.0, np.abs(matrix)) @ most
        rows, columns = kept.nonzero()
        some = sparse.csr_array((matrix[kept], (rows, places[columns])), shape=(len(low), len(self._middle)))
        self._rows.append((some, low - missed, high + missed))

    def _constrain(self, region: LawfulRegion, slack: bool) -> None:
        """The ball of L1, the grids of whole numbers, one-hot groups and relations."""
        inputs, law = self._inputs, region.law
        if region.ball.norm == "L1":
            away = region.ball.eps * np.ones(self._size)
            up, down = self._add(np.zeros(self._size), away), self._add(np.zeros(self._size), away)
            scale, centre = np.diag(region.ball.scale.numpy()), region.ball.centre[0].numpy()
            self._require([(inputs, np.eye(self._size)), (up, -scale), (down, scale)], centre, centre)
            one = np.ones((1, self._size))
            self._require([(up, one), (down, one)], np.array([-np.inf]), np.array([region.ball.eps]))
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
        before = self._inputs
        for layer, leak in enumerate(self._network.slopes):
            weight, bias = self._network.weights[layer].numpy(), self._network.biases[layer].numpy()
            low, high = self._lows[layer], self._highs[layer]
            after = self._add(np.where(low < 0, leak * low, low), np.where(high < 0, leak * high, high))
            both = (low < 0) & (high > 0)
            slope = np.where(low >= 0, 1.0, leak)
            # Where the corner lies outside the bounds the activation is a straight line; one of slope 0 is a number.
            fixed = ~both & (slope > 0)
            one = np.eye(len(low))
            if fixed.any():
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
        return before
