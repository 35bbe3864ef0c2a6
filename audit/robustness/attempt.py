"""Attempt: rows under attack, what they may become, and what has been found of each."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from audit.robustness.forward import Forward, decided
from audit.robustness.losses import Loss
from audit.robustness.reach import ROUNDING, with_rounding
from audit.robustness.row_noise import normal_rows, uniform_rows
from classifier.errors import DataError
from classifier.modality import Modality
from classifier.perturbation import PerturbationSet
from classifier.seeds import Seed


class Attempt:
    """The rows that attacks try to break, one attack after the other.

    Attacks work in *units of change* u = x / scale, in which `allowed` has a scale of 1 and eps is a plain radius. They
    ask `logits` or `climb`, and hand what they have to `submit`, which alone decides whether a row is broken: the
    changed row, turned back into an input, is allowed and decided wrongly. A row may stand in a batch several times
    over, once for each class aimed at or each restart.

    Args:
        forward: From inputs ``(m, *S)`` to logits ``(m, K)``, the largest of which is decided.
        allowed: What the rows may become, around inputs ``(n, *S)`` that are decided rightly. An infinite eps asks for the
            nearest wrong row.
        labels: Class of each row ``(n,)``.
        names: What each row is called ``(n,)``, int64: its random numbers come with its name.
        modality: Where only valid rows count, what says which are; ``None`` where any do.
        unreachable: Classes that a row is proven never to be decided for ``(n, K)``, bool, where some are.
    """

    def __init__(
        self,
        forward: Forward,
        allowed: PerturbationSet,
        labels: Tensor,
        names: Tensor,
        modality: Modality | None = None,
        unreachable: Tensor | None = None,
    ) -> None:
        self._forward, self._inputs = forward, allowed
        #: What says which rows are valid, where only valid ones count.
        self.modality = modality
        self._scaled = not bool((allowed.scale == 1).all())
        #: What the rows may become, in units of change.
        self.allowed = allowed.in_units() if self._scaled else allowed
        self.labels, self.names = labels, names
        #: Classes that a row can never be decided for ``(n, K)``, or ``None`` where nothing is known.
        self.unreachable = unreachable
        #: Which rows are broken: a wrong row was found within eps ``(n,)``; with an infinite eps none ever is.
        self.broken = torch.zeros_like(labels, dtype=torch.bool)
        #: The nearest wrong row that was found, as an input ``(n, *S)``; the row itself where there is none.
        self.adversarial = allowed.centre.clone()
        #: How far it is, in units of change ``(n,)``; infinite where there is none.
        self.distance = torch.full(labels.shape, torch.inf, device=labels.device, dtype=allowed.centre.dtype)
        #: Rows whose ascent still gained in its last steps ``(n,)``.
        self.improving = torch.zeros_like(self.broken)
        #: Rows that went through the classifier, forward ``(n,)``.
        self.queries = torch.zeros_like(labels)
        #: Rows whose gradient was computed ``(n,)``.
        self.gradients = torch.zeros_like(labels)

    @property
    def standing(self) -> Tensor:
        """The rows that are not broken ``(m,)``, as indices."""
        return (~self.broken).nonzero()[:, 0]

    @cached_property
    def classes(self) -> int:
        """How many classes there are."""
        return self.logits(self.allowed.centre[:1], torch.zeros_like(self.labels[:1])).shape[1]

    @property
    def only_valid(self) -> bool:
        """Whether a changed row counts only where it is valid."""
        return self.modality is not None

    def logits(self, u: Tensor, rows: Tensor) -> Tensor:
        """Logits ``(m, K)`` of changed rows.

        Args:
            u: Changed rows in units of change ``(m, *S)``.
            rows: Which rows they are of ``(m,)``.
        """
        self._count(rows, self.queries)
        with torch.no_grad():
            return self._finite(self._forward(self._input(u, rows)))

    def climb(self, u: Tensor, rows: Tensor, loss: Loss, aims: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits ``(m, K)``, loss ``(m,)`` and its gradient with respect to `u` ``(m, *S)``.

        Args:
            u: Changed rows in units of change ``(m, *S)``.
            rows: Which rows they are of ``(m,)``.
            loss: What is to grow.
            aims: The class that each aims at ``(m,)``, for a loss that has an aim.
        """
        self._count(rows, self.queries, self.gradients)
        with torch.enable_grad():
            u = u.detach().requires_grad_()
            logits = self._finite(self._forward(self._input(u, rows)))
            values = loss(logits, self.labels[rows], aims)
            # Of a network of steps alone there is no way back to its inputs, and so no slope.
            (gradient,) = torch.autograd.grad(values.sum(), u, allow_unused=True) if values.requires_grad else (None,)
            gradient = torch.zeros_like(u) if gradient is None else gradient
        return logits.detach(), values.detach(), gradient

    def submit(self, u: Tensor, rows: Tensor, logits: Tensor | None = None) -> Tensor:
        """Keep what is wrong, and say which of `rows` are broken now ``(m,)``, bool.

        Args:
            u: Changed rows in units of change ``(m, *S)``.
            rows: Which rows they are of ``(m,)``.
            logits: Theirs, where they are known ``(m, K)``. Where only valid rows count, the valid row next to each is
                asked for instead.
        """
        x = self._input(u, rows)
        if self.modality is not None:
            x = self._valid(x, rows)
            logits = None
        if logits is None:
            self._count(rows, self.queries)
            with torch.no_grad():
                logits = self._finite(self._forward(x))
        wrong = decided(logits) != self.labels[rows]
        if wrong.any():
            self._keep(x[wrong], rows[wrong])
        return self.broken[rows]

    def uniform(self, rows: Tensor, seed: Seed, shape: tuple[int, ...], step: int | Tensor = 0) -> Tensor:
        """Numbers in [0, 1) for each of `rows` ``(m, *shape)``, which are its own at that step of that stream."""
        return uniform_rows(self.names[rows], seed.integer(), shape, step)

    def normal(self, rows: Tensor, seed: Seed, shape: tuple[int, ...], step: int | Tensor = 0) -> Tensor:
        """Standard normal numbers for each of `rows` ``(m, *shape)``; see `uniform`."""
        return normal_rows(self.names[rows], seed.integer(), shape, step)

    def order(self, rows: Tensor) -> Tensor:
        """The other classes of each row, that of the largest logit first, and those out of reach last ``(m, K - 1)``."""
        logits = self.logits(self.allowed.centre[rows], rows)
        if self.unreachable is not None:
            logits = torch.where(self.unreachable[rows], logits - 2 * logits.abs().max() - 1, logits)
        return logits.scatter(1, self.labels[rows][:, None], -torch.inf).argsort(dim=1, descending=True, stable=True)[:, :-1]

    def _input(self, u: Tensor, rows: Tensor) -> Tensor:
        if not self._scaled:
            return u
        x = u * self._inputs.scale
        # Where it is, by the gradient's account; what is asked is the nearest input that may be.
        return x + (self._inputs[rows].rounded_inside(x.detach()) - x.detach())

    def _valid(self, x: Tensor, rows: Tensor) -> Tensor:
        """The valid row next to each, or the row itself where that is none or is not allowed."""
        here = self._inputs[rows]
        assert self.modality is not None
        x = self.modality.repair(x, here.centre).clamp(here.lower, here.upper)
        valid = self.modality.valid(x).reshape(-1, *[1] * (x.dim() - 1))
        return torch.where(valid, x, here.centre)

    def _keep(self, x: Tensor, rows: Tensor) -> None:
        here = self._inputs[rows]
        if self._scaled:
            # What was not changed comes back as it was: x / s * s may round.
            x = torch.where((x - here.centre).abs() <= ROUNDING * self._inputs.scale, here.centre, x)
        distance = here.distance(x)
        # The box and the ball are the attack's to keep; one that did not must not count.
        inside = ((x >= here.lower) & (x <= here.upper)).flatten(1).all(1) & (distance <= with_rounding(here.eps))
        closer = inside & (distance < self.distance[rows])
        x, rows, distance = x[closer], rows[closer], distance[closer]
        self.distance.scatter_reduce_(0, rows, distance, "amin")
        # Of several of one row the nearest, and of equals the first, whatever order a device writes in.
        index = (distance == self.distance[rows]).nonzero()[:, 0]
        first = torch.full_like(self.labels, len(rows)).scatter_reduce(0, rows[index], index, "amin")
        gained = first < len(rows)
        self.adversarial[gained] = x[first[gained]]
        if self.allowed.eps < torch.inf:
            self.broken[gained] = True

    @staticmethod
    def _count(rows: Tensor, *counters: Tensor) -> None:
        counted = torch.bincount(rows, minlength=len(counters[0]))
        for counter in counters:
            counter.add_(counted)

    @staticmethod
    def _finite(logits: Tensor) -> Tensor:
        # A finite sum has no other terms, and is quicker to find out.
        if not logits.sum().isfinite() and not logits.isfinite().all():
            raise DataError("the classifier answers with values that are not finite", remedy="check its weights and its inputs")
        return logits
