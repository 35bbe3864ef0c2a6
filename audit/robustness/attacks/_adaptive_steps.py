"""Projected gradient ascent with momentum whose step halves where it no longer helps (Croce and Hein, 2020,
arXiv:2003.01690, section 3; of L1 as in Croce and Hein, 2021, arXiv:2103.01208, section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from audit.robustness.attempt import Attempt
from audit.robustness.losses import Loss, cross_entropy
from audit.robustness.tables.valid_rows import ValidRows
from classifier.perturbation import PerturbationSet

# First stretch before the step may halve, by how much each is shorter than the last, and the shortest: shares of all steps.
_FIRST, _SHORTER, _SHORTEST = 0.22, 0.03, 0.06
# Least share of a stretch's steps that must have gone up, and weight of the new step against the last one.
_RISING, _NEW = 0.75, 0.75
# Of L1: steps of a stretch as a share of all, the share of elements moved at first, by what the changed ones are divided to get
# the next share, and the step where they no longer become fewer; its least share of eps, and from what ratio on they do not.
_STRETCH, _MOVED, _FEWER, _SMALLER, _LEAST, _SETTLED = 0.04, 0.2, 1.5, 1.5, 0.1, 0.95
# The last steps, as a share of all, whose gain tells whether as many steps again would have broken the row.
_TAIL = 0.1


@dataclass
class _Jobs:
    """Ascents side by side, one a row of each tensor ``(m, ...)``."""

    rows: Tensor
    aims: Tensor
    allowed: PerturbationSet
    x: Tensor
    before: Tensor
    gradient: Tensor
    best: Tensor
    best_gradient: Tensor
    best_loss: Tensor
    loss: Tensor
    step: Tensor
    #: Steps of this stretch that went up, the best loss at its start, and whether the step had been halved there.
    rises: Tensor
    best_then: Tensor
    halved: Tensor
    #: Of L1: the share of elements that a step moves, and how many were changed at the last look.
    share: Tensor
    changed: Tensor
    #: The best loss some steps before the end.
    best_at_tail: Tensor

    def keep(self, these: Tensor) -> None:
        """Drop all others."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[these])


def ascend(attempt: Attempt, rows: Tensor, aims: Tensor, start: Tensor, loss: Loss, steps: int, law: ValidRows | None = None) -> None:
    """Climb `loss` from `start`; jobs of broken rows leave.

    Args:
        attempt: The rows, and what is found of them; marked as improving are those that as many steps again would break
            at the rate of the last ones, where no law stands between where they are and what is submitted. What an earlier
            ascent marked is forgotten.
        rows: Row of each job ``(m,)``; a row may have several.
        aims: The class that each job aims at ``(m,)``.
        start: Where each begins, in units of change ``(m, *S)``.
        loss: What is climbed; above 0 a row is broken, unless it is cross-entropy.
        steps: How many steps.
        law: What valid rows keep, where only they count: every step goes to where relations hold, and the valid row near it
            is submitted. The next step starts from before it was made valid, or small ones would be lost to rounding.
    """
    allowed = (attempt if law is None else law).allowed[rows]
    attempt.improving[rows] = False
    if allowed.norm != "L1" or law is not None:
        jobs = _begin(attempt, rows, aims, start, loss, allowed, law)
        _climb(attempt, jobs, loss, steps, law)
    else:
        # In wider balls first, from each of which the next one starts (section 4.2 of the later paper).
        for times, share in ((3, 0.3), (2, 0.3), (1, 0.4)):
            here = replace(allowed, eps=times * allowed.eps)
            jobs = _begin(attempt, rows, aims, here.project(start), loss, here, None)
            _climb(attempt, jobs, loss, max(1, round(share * steps)), None)
            rows, aims, start, allowed = jobs.rows, jobs.aims, jobs.best, attempt.allowed[jobs.rows]
            if len(rows) == 0:
                return
    if loss is not cross_entropy and law is None:
        further = jobs.best_loss + (jobs.best_loss - jobs.best_at_tail) / _TAIL
        attempt.improving[jobs.rows[further > 0]] = True


def _begin(attempt: Attempt, rows: Tensor, aims: Tensor, x: Tensor, loss: Loss, allowed: PerturbationSet, law: ValidRows | None) -> _Jobs:
    logits, value, gradient = attempt.climb(x, rows, loss, aims)
    gone = _submit(attempt, x, rows, logits, law)
    size = (1.0 if allowed.norm == "L1" else 2.0) * allowed.eps
    jobs = _Jobs(
        rows=rows, aims=aims, allowed=allowed, x=x, before=x, gradient=gradient, best=x, best_gradient=gradient, best_loss=value,
        loss=value, step=torch.full_like(value, size).reshape(-1, *[1] * (x.dim() - 1)), rises=torch.zeros_like(value), best_then=value,
        halved=torch.ones_like(value, dtype=torch.bool), share=torch.full_like(value, _MOVED),
        changed=torch.full_like(value, x[:1].numel()), best_at_tail=value,
    )  # fmt: skip
    jobs.keep(~gone)
    return jobs


def _climb(attempt: Attempt, jobs: _Jobs, loss: Loss, steps: int, law: ValidRows | None) -> None:
    sparse = jobs.allowed.norm == "L1"
    looks = dict(_looks(steps, sparse))
    for step in range(steps):
        if len(jobs.rows) == 0:
            return
        if step == steps - max(1, int(_TAIL * steps)):
            jobs.best_at_tail = jobs.best_loss
        x = _moved(jobs, 1.0 if step == 0 or sparse else _NEW, law)
        logits, value, gradient = attempt.climb(x, jobs.rows, loss, jobs.aims)
        gone = _submit(attempt, x, jobs.rows, logits, law)
        jobs.before, jobs.x, jobs.gradient = jobs.x, x, gradient
        jobs.rises = jobs.rises + (value > jobs.loss)
        jobs.loss = value
        wide = (value > jobs.best_loss).reshape(jobs.step.shape)
        jobs.best, jobs.best_gradient = torch.where(wide, x, jobs.best), torch.where(wide, gradient, jobs.best_gradient)
        jobs.best_loss = torch.maximum(value, jobs.best_loss)
        if gone.any():
            jobs.keep(~gone)
        if step in looks:
            (_look_l1 if sparse else _look)(jobs, looks[step])


def _submit(attempt: Attempt, x: Tensor, rows: Tensor, logits: Tensor, law: ValidRows | None) -> Tensor:
    if law is None:
        return attempt.submit(x, rows, logits)
    settled, good = law.settle(x, rows)
    if good.any():
        attempt.submit(settled[good], rows[good])
    return attempt.broken[rows]


def _moved(jobs: _Jobs, new: float, law: ValidRows | None) -> Tensor:
    there = jobs.allowed.step(jobs.x, jobs.gradient, jobs.step, share=jobs.share)
    if law is not None:
        there = law.project(there, jobs.rows)
    if new == 1:
        return there
    ahead = torch.lerp(jobs.x, there, new) + (1 - new) * (jobs.x - jobs.before)
    return jobs.allowed.project(ahead) if law is None else law.project(ahead, jobs.rows)


def _looks(steps: int, sparse: bool) -> Iterator[tuple[int, int]]:
    """After which steps one looks whether they were too long, and how many there were since the last look."""
    stretch = max(1, int((_STRETCH if sparse else _FIRST) * steps))
    done = 0
    while done + stretch <= steps:
        done += stretch
        yield done - 1, stretch
        if not sparse:
            stretch = max(stretch - max(1, int(_SHORTER * steps)), max(1, int(_SHORTEST * steps)))


def _look(jobs: _Jobs, stretch: int) -> None:
    """Halve the step, and go back to the best place, where too few steps went up or a whole stretch gained nothing."""
    halve = (jobs.rises <= _RISING * stretch) | (~jobs.halved & (jobs.best_then >= jobs.best_loss))
    jobs.halved, jobs.best_then, jobs.rises = halve, jobs.best_loss, torch.zeros_like(jobs.rises)
    wide = halve.reshape(jobs.step.shape)
    jobs.step = torch.where(wide, jobs.step / 2, jobs.step)
    jobs.x, jobs.gradient = torch.where(wide, jobs.best, jobs.x), torch.where(wide, jobs.best_gradient, jobs.gradient)


def _look_l1(jobs: _Jobs, stretch: int) -> None:
    """Move fewer elements as the changed ones become fewer; where they no longer do, take smaller steps."""
    changed = (jobs.best != jobs.allowed.centre).flatten(1).sum(1).to(jobs.loss)
    fewer = changed / jobs.changed < _SETTLED
    jobs.share, jobs.changed = changed / jobs.x[:1].numel() / _FEWER, changed.clamp_min(1)
    wide = fewer.reshape(jobs.step.shape)
    jobs.step = torch.where(wide, jobs.allowed.eps, (jobs.step / _SMALLER).clamp_min(_LEAST * jobs.allowed.eps))
    jobs.x, jobs.gradient = torch.where(wide, jobs.best, jobs.x), torch.where(wide, jobs.best_gradient, jobs.gradient)
