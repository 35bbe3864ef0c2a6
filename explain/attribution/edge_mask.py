"""Edge mask: the few edges that suffice for a class, learned (GNNExplainer; Ying et al., 2019, arXiv:1903.03894)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from classifier.chunks import ELEMENTS, chunk_size
from classifier.errors import ConfigurationError
from classifier.progress import progress_bar
from classifier.seeds import Seed
from explain.graph_edges import graphs_of, lay_over_edges, require_edges, without_edges
from explain.method import METHODS, Law, Method, Need, Quantity, Scores, Task

# Elements of masked graphs that go forwards and back at once on a processor: attention takes dozens of numbers for each.
_CACHED = 2**14
# Masks start around this logit, most of the graph, and differ by this much between starts.
_START, _SCATTER = 1.0, 0.5


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class EdgeMask(Method):
    """Learn a weight between 0 and 1 for each edge that is there, such that the masked graph keeps the class explained.

    Minimises ``-log p(class) + size * sum(m) + entropy * mean H(m)`` over the weights m with Adam, for all
    graphs and all starts at once. An edge's weight is the mean over several random starts, since different small sets of edges
    may do. An edge that the output never felt has weight 0.

    The class is the one explained, of two the event: for a graph that is classified otherwise, the weights show what speaks
    for the event and not what decided. They have no unit, and no sign: an edge that speaks against the class is left out.

    Args:
        starts: Random starts; their number divides the variance and multiplies the cost.
        steps: Steps of Adam; each costs a forward and a backward pass.
        learning_rate: Of Adam.
        size: What a whole edge costs, in nats.
        entropy: What edges that are neither in nor out cost, in nats.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradient"})
    modalities: ClassVar[frozenset[str]] = frozenset({"graph"})
    quantity: ClassVar[Quantity] = "weight"
    laws: ClassVar[frozenset[Law]] = frozenset({"dummy"})

    starts: int = 5
    steps: int = 60
    learning_rate: float = 0.2
    size: float = 0.05
    entropy: float = 0.1

    def __post_init__(self) -> None:
        if self.starts < 2:
            raise ConfigurationError(f"starts must be at least 2, for a standard error, got {self.starts}")
        if self.steps < 1:
            raise ConfigurationError(f"steps must be at least 1, got {self.steps}")
        if not self.learning_rate > 0:
            raise ConfigurationError(f"learning_rate must be greater than 0, got {self.learning_rate}")
        for name, value in (("size", self.size), ("entropy", self.entropy)):
            if not value >= 0:
                raise ConfigurationError(f"{name} must be at least 0, got {value}")

    def __call__(self, task: Task, seed: Seed) -> Scores:
        modality = graphs_of(task.modality)
        masks = self._learn(task, seed)
        halves = (masks + masks.mT).sum(3) / 2
        errors = masks.std(0) / self.starts**0.5
        return Scores(
            lay_over_edges(modality, task.x, masks.mean(0)),
            standard_error=halves.std(0) / self.starts**0.5,
            element_error=lay_over_edges(modality, task.x, errors),
            notes=(f"weights are means over {self.starts} random starts; the standard error of an edge's is at most {errors.max():.2g}",),
        )

    def _learn(self, task: Task, seed: Seed) -> Tensor:
        """The weight of each edge, from each start ``(starts, N, n, n)``, float64, above the diagonal.

        Raises:
            NotApplicableError: If a graph has no edges.
        """
        there = require_edges(task)
        nodes = there.shape[1]
        # The same for every graph, so that one alone gets what it gets among others.
        noise = [torch.randn(nodes, nodes, generator=seed.child("start", start).torch()) for start in range(self.starts)]
        first = _START + _SCATTER * torch.stack(noise).to(task.x.device)
        masks = torch.empty(self.starts, *there.shape, dtype=torch.float64, device=task.x.device)
        pairs = torch.cartesian_prod(torch.arange(self.starts), torch.arange(len(there))).to(task.x.device)
        elements = _CACHED if task.x.device.type == "cpu" else ELEMENTS
        parts = torch.split(pairs, chunk_size(tuple(task.x.shape[1:]), elements=elements))
        with progress_bar("edge masks", self.steps * len(parts)) as advance:
            for part in parts:
                start, row = part.T
                logits = first[start]
                felt = self._descend(task, row, there[row], logits, lambda: advance(""))
                masks[start, row] = (logits.sigmoid() * (felt & there[row])).double()
        return masks

    def _descend(self, task: Task, rows: Tensor, there: Tensor, logits: Tensor, advance: Callable[[], None]) -> Tensor:
        """Move the masks' logits ``(B, n, n)`` in place to where the loss is low; which edges the output felt on the way."""
        modality, x, target = graphs_of(task.modality), task.x[rows], task.target[rows]
        count = there.sum((1, 2))
        felt = torch.zeros_like(there)
        optimizer = torch.optim.Adam([logits.requires_grad_()], lr=self.learning_rate)
        for _ in range(self.steps):
            with torch.enable_grad():
                mask = logits.sigmoid()
                masked = without_edges(modality, x, (1 - mask) * there)
                fit = -task.classifier.logits(masked).log_softmax(1).gather(1, target[:, None])
                # A mean entropy an input; that of a logit z is softplus(z) - z sigmoid(z).
                unsure = torch.nn.functional.softplus(logits) - logits * mask
                price = (there * (self.size * mask + self.entropy * unsure / count[:, None, None])).sum()
                (pull,) = torch.autograd.grad(fit.sum(), logits, retain_graph=True)
                (logits.grad,) = torch.autograd.grad(price, logits)
            felt |= pull != 0
            logits.grad += pull
            optimizer.step()
            advance()
        logits.requires_grad_(False)
        return felt
