"""The nearest wrong row that attacks find of each row: how far its decision is from turning, at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor

from audit.robustness.attempt import Attempt
from audit.robustness.forward import decided, decided_logits
from audit.robustness.labelled_rows import require_labelled
from audit.robustness.method import ATTACKS, Attack
from classifier.chunks import chunk_size
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.modality import modality_of
from classifier.perturbation import Norm, PerturbationSet
from classifier.seeds import Seed

# Jobs that an attack may have of each row, so that a part of the rows fits in memory with all of them.
_JOBS = 16


@dataclass(frozen=True)
class Nearest:
    """The nearest wrong row that was found of each.

    Args:
        distance: How far it is, in units of change ``(N,)``: an upper bound of the true least distance. 0 for a row that is
            wrong as it is, infinite where none was found.
        adversarial: That row ``(N, *S)``; the row itself where it is wrong or none was found.
        found_by: Id of the attack that found it ``(N,)``; empty where none was found, ``"clean"`` for a row that is wrong as it is.
        queries: Rows that went through the classifier for each ``(N,)``.
    """

    distance: Tensor
    adversarial: Tensor
    found_by: tuple[str, ...]
    queries: Tensor


def nearest_wrong(
    classifier: Classifier,
    inputs: Tensor,
    labels: Tensor,
    *,
    norm: Norm = "Linf",
    attacks: Sequence[Attack] = (),
    constrained: bool = False,
    threshold: float = 0.5,
    seed: int = 0,
) -> Nearest:
    """Look for the nearest wrong row of each row, with attacks of least change.

    Args:
        classifier: What is attacked.
        inputs: Rows ``(N, *S)``.
        labels: Their classes ``(N,)``.
        norm: ``"Linf"``, ``"L2"`` or ``"L1"``.
        attacks: What looks for them; by default FMN and FAB, and HopSkipJump where there are no gradients.
        constrained: Whether the changed rows must be valid and respect what cannot be changed.
        threshold: Of two classes, the probability of the event at which it is presumed.
        seed: Where random numbers come from.

    Raises:
        NotApplicableError: If the inputs cannot change by a little, or an attack asks for gradients where there are none.
        ConfigurationError: If an attack does not know the norm.
        DataError: If there are no rows, a label is no class, or the classifier's answer is not finite.
    """
    chosen = tuple(attacks) or minimum_attacks(classifier, norm)
    _require(classifier, chosen, norm)
    require_labelled("an attack", len(inputs), labels, classifier)
    x, y = inputs.to(classifier.device), labels.to(classifier.device)
    forward, modality = decided_logits(classifier, threshold), modality_of(classifier.schema) if constrained else None
    logits = forward(x)
    if not logits.isfinite().all():
        raise DataError("the classifier answers with values that are not finite", remedy="check its weights and its inputs")
    right = decided(logits) == y
    distance, adversarial, queries = torch.where(right, inf, 0.0), x.clone(), torch.ones_like(y)
    by = torch.full_like(y, -1)
    # Random numbers are the rows' own, by their names, so that the size of a part changes nothing.
    for rows in _parts(right.nonzero()[:, 0], max(1, chunk_size(tuple(x.shape[1:])) // _JOBS)):
        allowed = PerturbationSet.around(x[rows], classifier.schema, eps=inf, norm=norm, constrained=constrained)
        attempt = Attempt(forward, allowed, y[rows], rows, modality)
        for place, attack in enumerate(chosen):
            before = attempt.distance.clone()
            attack(attempt, Seed(seed, ("nearest", attack.id)))
            by[rows[attempt.distance < before]] = place
        distance[rows], adversarial[rows], queries[rows] = attempt.distance, attempt.adversarial, queries[rows] + attempt.queries
    names = [attack.id for attack in chosen]
    found_by = tuple(names[place] if place >= 0 else "" if ok else "clean" for place, ok in zip(by.tolist(), right.tolist(), strict=True))
    return Nearest(distance.cpu(), adversarial.cpu(), found_by, queries.cpu())


def minimum_attacks(classifier: Classifier, norm: Norm) -> tuple[Attack, ...]:
    """The attacks of least change that fit a classifier: FMN and FAB, or HopSkipJump where there are no gradients.

    Raises:
        NotApplicableError: If there are none for this norm.
    """
    if classifier.differentiable:
        return ATTACKS["fmn"](), ATTACKS["fab"]()
    attack = ATTACKS["hop_skip_jump"]()
    if norm not in attack.norms:
        raise NotApplicableError(
            f"{classifier.why_no_gradients}, and no attack without them knows {norm}", remedy='take norm="Linf" or "L2"'
        )
    return (attack,)


def _require(classifier: Classifier, attacks: Sequence[Attack], norm: Norm) -> None:
    if not modality_of(classifier.schema).continuous:
        raise NotApplicableError(
            f"the inputs of a {classifier.schema.modality} classifier are discrete: none is a little away from another"
        )
    for attack in attacks:
        if attack.gradient and not classifier.differentiable:
            raise NotApplicableError(f"{classifier.why_no_gradients}, and {attack.id} needs gradients")
        if norm not in attack.norms:
            raise ConfigurationError(f"{attack.id} knows no changes in {norm}", remedy=f"take norm={attack.norms[0]!r}")


def _parts(rows: Tensor, size: int) -> tuple[Tensor, ...]:
    return torch.split(rows, size) if len(rows) else ()
