"""Flags: signs that attacks failed for another reason than that the classifier is robust.

Gradients that are masked, and attacks that were too weak, show in how the attacks compare with each other (Carlini et
al., 2019, arXiv:1902.06705; Pintor et al., 2022, arXiv:2106.09947; Croce and Hein, 2020, arXiv:2003.01690).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from audit.robustness.attacks.apgd import APGD
from audit.robustness.attacks.pgd import PGD
from audit.robustness.attempt import Attempt
from audit.robustness.campaign import Campaign
from audit.robustness.forward import Forward, decided
from audit.robustness.losses import cross_entropy
from audit.robustness.result import Flag
from classifier.perturbation import PerturbationSet
from classifier.seeds import Seed

# Rows that the questions below are asked of.
_ASKED = 256
# How far two answers to the same rows may round apart, as a share of the logits' size.
_ROUNDING = 1e-4
# A share of the rows from which on a sign counts, and how many rows it must be at least.
_SHARE, _ROWS = 0.02, 3
# Of gradients of exactly 0: a sure network has some few.
_FLAT = 0.1
# Of rows that a longer ascent would break, among those that stand.
_UNFINISHED = 0.1
# By how much wider the ball is in which what fell must fall again.
_WIDER = 1.5
# Rows that each row is compared with, to see whether it is wrong anywhere.
_OTHERS = 16
# Small steps, and how far they go together, in radii.
_STEPS, _CROSSED = 10, 2.5


def find_flags(campaign: Campaign, forward: Forward, *, gradient: bool, only_valid: bool, seed: Seed) -> tuple[Flag, ...]:
    """The signs that there are.

    Args:
        campaign: What the attacks found.
        forward: What they asked.
        gradient: Whether there are gradients.
        only_valid: Whether only valid rows counted; gradients then know less than what is asked, and lose to searches honestly.
        seed: Where random numbers come from.
    """
    asked = campaign.attacked.nonzero()[:, 0]
    if len(asked) == 0 or campaign.allowed.eps == 0:
        return ()
    asked = asked[:: -(-len(asked) // _ASKED)]
    allowed, labels = campaign.allowed[asked], campaign.labels[asked]
    flags = [*_random_answers(forward, allowed.centre), *_stronger_without(campaign, only_valid=only_valid)]
    if gradient:
        flags += [
            *_slopes(forward, allowed, labels, asked, ~campaign.proven[asked]),
            *_unfinished(campaign),
            *_not_monotone(forward, campaign, asked, seed, only_valid=only_valid),
            *_unbounded(forward, allowed, labels, asked, seed, campaign),
        ]
    return tuple(flags)


def _random_answers(forward: Forward, x: Tensor) -> Iterator[Flag]:
    first, second = forward(x), forward(x)
    apart = float((first - second).abs().max())
    if apart > _ROUNDING * (1 + float(first.abs().max())):
        yield Flag(
            "random_answers",
            f"the same rows are answered otherwise the second time (logits differ by {apart:.2g}); attack the mean of many answers instead",
        )


def _slopes(forward: Forward, allowed: PerturbationSet, labels: Tensor, names: Tensor, open_: Tensor) -> Iterator[Flag]:
    """Rows without a slope, and rows that a single large step breaks and that many small ones do not."""
    single, rows = _attempt(forward, allowed, labels, names)
    u = single.allowed.centre
    _, _, slope = single.climb(u, rows, cross_entropy, labels)
    # Of a row that is proven to stand nobody needs to know the way.
    flat = (slope == 0).flatten(1).all(1)[open_]
    if _many(flat, _FLAT):
        yield Flag("zero_gradients", f"the gradient of cross-entropy is exactly 0 at {_of(flat)}: it shows no way to any change")
    alone = single.submit(single.allowed.step(u, slope, allowed.eps), rows).clone()
    many, _ = _attempt(forward, allowed, labels, names)
    for _ in range(_STEPS):
        if not _many(alone, _SHARE):
            return
        u = many.allowed.step(u, slope, _CROSSED / _STEPS * allowed.eps)
        rows = alone.nonzero()[:, 0]
        logits, _, slope[rows] = many.climb(u[rows], rows, cross_entropy, labels)
        alone[rows] = ~many.submit(u[rows], rows, logits)
    if _many(alone, _SHARE):
        yield Flag("one_step_wins", f"one step broke {_of(alone)} that {_STEPS} small ones left standing")


def _stronger_without(campaign: Campaign, *, only_valid: bool) -> Iterator[Flag]:
    """Rows that withstood gradients and fell to an attack without any."""
    if only_valid:
        return
    after_gradients = False
    for place, attack in enumerate(campaign.attacks):
        name = attack.id
        if attack.gradient:
            after_gradients = True
        elif after_gradients:
            fell = (campaign.broken_by == place)[campaign.attacked]
            if _many(fell, _SHARE):
                sign, what = (
                    ("transfer_wins", "a surrogate's changes")
                    if name == "transfer"
                    else ("search_wins", f"{name}, which needs no gradients,")
                )
                yield Flag(sign, f"{what} broke {_of(fell)} that gradients had left standing")


def _unfinished(campaign: Campaign) -> Iterator[Flag]:
    standing = campaign.standing & ~campaign.proven
    unfinished = campaign.improving[standing]
    if standing.any() and _many(unfinished, _UNFINISHED) and unfinished.sum() > _SHARE * campaign.attacked.sum():
        yield Flag(
            "still_improving",
            f"at the rate of its last steps the ascent would break {_of(unfinished)} that stand with as many steps again",
        )


def _not_monotone(forward: Forward, campaign: Campaign, asked: Tensor, seed: Seed, *, only_valid: bool) -> Iterator[Flag]:
    """Rows that fell, and do not fall to the same kind of attack where more may change."""
    fell = asked[campaign.broken_by[asked] == 0]
    if only_valid or len(fell) == 0 or not isinstance(campaign.attacks[0], APGD | PGD):
        return
    wider = replace(campaign.allowed[fell], eps=_WIDER * campaign.allowed.eps)
    attempt, _ = _attempt(forward, wider, campaign.labels[fell], fell)
    campaign.attacks[0](attempt, seed.child("wider"))
    if _many(~attempt.broken, _SHARE):
        yield Flag("not_monotone", f"of the rows that fell, {_of(~attempt.broken)} do not fall to the same attack with {_WIDER} eps")


def _unbounded(forward: Forward, allowed: PerturbationSet, labels: Tensor, names: Tensor, seed: Seed, campaign: Campaign) -> Iterator[Flag]:
    """Rows that stand even where everything may change that can."""
    span = ((allowed.upper - allowed.lower) / allowed.scale).flatten(1)
    if not bool(span.isfinite().all()):
        return
    everything = replace(allowed, norm="Linf", eps=float(span.amax().clamp_min(1.0)))
    attempt, _ = _attempt(forward, everything, labels, names)
    for attack in (PGD(steps=_STEPS), PGD(restarts=2), APGD(loss="dlr")):
        attack(attempt, seed.child("everything"))
        stands = ~attempt.broken & ~campaign.proven[names]
        if not _many(stands, _SHARE):
            return
    # Only a row that is wrong somewhere can be reproached for standing: with what another row has, as far as it may change.
    wrong = torch.zeros_like(stands)
    for other in range(1, min(len(labels), _OTHERS + 1)):
        there = torch.minimum(torch.maximum(allowed.centre.roll(other, 0), allowed.lower), allowed.upper)
        wrong |= decided(forward(there)) != labels
    if _many(stands & wrong, _SHARE):
        yield Flag(
            "unbounded_fails",
            f"{_of(stands & wrong)} stand where all may change that can, and yet are wrong somewhere: the attack has failed",
        )


def _attempt(forward: Forward, allowed: PerturbationSet, labels: Tensor, names: Tensor) -> tuple[Attempt, Tensor]:
    return Attempt(forward, allowed, labels, names), torch.arange(len(labels), device=labels.device)


def _many(hits: Tensor, share: float) -> bool:
    return int(hits.sum()) >= max(_ROWS, share * len(hits))


def _of(hits: Tensor) -> str:
    return f"{int(hits.sum())} of {len(hits)} rows"
