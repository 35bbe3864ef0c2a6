"""Attention flow: how much could flow through attention from each token (Abnar and Zuidema, 2020, arXiv:2005.00928)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.progress import progress_bar
from explain.attribution._attention import AttentionMethod, mean_step
from explain.attribution.attention_rollout import require_residual
from explain.internals.attention_tap import Attended
from explain.internals.attention_view import AttentionView
from explain.method import METHODS, Task

# Flows are whole numbers of 32 bits. What leaves the answer is at most so many, and no sum along the way exceeds it.
_WHOLE = 2**30


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class AttentionFlow(AttentionMethod):
    """The largest flow from the answer to each part of the input, where attention weights are the widths of pipes (section 3).

    A pipe leads from each token of a layer to each of the layer before, as wide as the share that rollout moves.
    Unlike rollout it does not multiply shares: one narrow place on a way is no narrower for another. Each part has its
    flow to itself, so the flows of all exceed what any of them leaves for the others; they are scaled to sum to 1. The
    cost is a maximum flow for each part of each input; with hundreds of tokens and ten layers take rollout.

    Args:
        residual: The share that stays where it is, from 0 to 1.
    """

    residual: float = 0.5

    def __post_init__(self) -> None:
        require_residual(self.residual)

    def weigh(self, view: AttentionView, found: Attended, task: Task) -> Tensor:
        steps = torch.stack([mean_step(view.weights[:, layer], self.residual) for layer in range(view.layers)], 1)
        arrived = torch.zeros_like(view.there, dtype=steps.dtype)
        with progress_bar("attention flow", len(steps)) as advance:
            for row in range(len(steps)):
                here, wanted = view.there[row], view.parts[row][view.there[row]] >= 0
                asking = here if steps.shape[2] > 1 else slice(None)
                pipes, reads = steps[row][:, asking][:, :, here], view.reads[row][:, asking]
                flows = maximum_flows(pipes.cpu().double().numpy(), reads.cpu().double().numpy(), wanted.cpu().numpy())
                arrived[row, here] = torch.from_numpy(flows).to(arrived)
                advance(f"input {row + 1}")
        return arrived


def maximum_flows(pipes: NDArray[np.float64], reads: NDArray[np.float64], wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The largest flow from the answer to each token ``(T,)``, exact but for widths rounded to 2^-30; 0 where it is not wanted.

    Args:
        pipes: Width of the pipe from token q after a layer to token t before it ``(L, Q, T)``.
        reads: Width of the pipe from the answer to each token after each layer ``(L, Q)``.
        wanted: The tokens whose flow is asked for ``(T,)``.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import maximum_flow

    layers, asking, tokens = pipes.shape
    # The answer is node 0, the tokens of the input come next, and then those after each layer.
    first = 1 + np.concatenate([[0], tokens + asking * np.arange(layers)])
    starts, ends, widths = [np.zeros(layers * asking, dtype=np.int32)], [np.arange(layers * asking) + first[1]], [reads.ravel()]
    for layer in range(layers):
        starts.append(np.repeat(first[layer + 1] + np.arange(asking), tokens))
        ends.append(np.tile(first[layer] + np.arange(tokens), asking))
        widths.append(pipes[layer].ravel())
    count = int(first[-1]) + asking
    capacity = np.round(np.concatenate(widths) * _WHOLE).astype(np.int32)
    graph = coo_array((capacity, (np.concatenate(starts), np.concatenate(ends))), shape=(count, count)).tocsr()
    flows = np.zeros(tokens)
    for token in np.flatnonzero(wanted):
        flows[token] = maximum_flow(graph, 0, int(token) + 1).flow_value / _WHOLE
    return flows
