"""Attacking: the call that looks for small changes that make a classifier wrong."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from audit.robustness.attacks.transfer import Transfer
from audit.robustness.campaign import Campaign
from audit.robustness.flags import find_flags
from audit.robustness.forward import decided, decided_logits, fast_classifier
from audit.robustness.labelled_rows import require_labelled
from audit.robustness.method import Attack
from audit.robustness.proving import unreachable_classes
from audit.robustness.result import Flag, Robustness
from audit.robustness.suites import resolve_suite
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.metric import Metric
from classifier.modality import modality_of
from classifier.perturbation import Norm, PerturbationSet
from classifier.seeds import Seed
from classifier.statistics import proportion
from trainer.imitation import imitate

# Rows on which a faster way through the network is tried.
_TRIED = 16


def attack(
    classifier: Classifier,
    inputs: Tensor,
    labels: Tensor,
    *,
    eps: float,
    norm: Norm = "Linf",
    suite: str | Sequence[Attack] = "standard",
    constrained: bool = True,
    threshold: float = 0.5,
    prove: bool = True,
    seed: int = 0,
) -> Robustness:
    """Look for a small change that makes the classifier wrong.

    The attacks of the suite run one after the other, each on the rows that still stand. Rows that are wrong from the
    start are never attacked, and neither are rows that are proven to stay right.

    Args:
        classifier: What is attacked. Without gradients the suite is of attacks that need none.
        inputs: Rows ``(N, *S)``; those outside the schema's bounds keep their values as bounds.
        labels: Their classes ``(N,)``.
        eps: Radius, as a fraction of each feature's range.
        norm: ``"Linf"``, ``"L2"`` or ``"L1"``.
        suite: ``"quick"``, ``"standard"`` (AutoAttack's attacks and budgets), ``"thorough"``, or attacks.
        constrained: Whether the changed rows must be valid and respect what cannot be changed: whole numbers whole, one
            category a group, immutable features as they were, relations kept.
        threshold: Of two classes, the probability of the event at which it is presumed.
        prove: Whether what is proven never to turn is left alone, and told as certified; the same rows fall either way.
        seed: Where random numbers come from.

    Raises:
        NotApplicableError: If the inputs cannot change by a little, or an attack asks for gradients where there are none.
        ConfigurationError: If eps or the suite is impossible.
        DataError: If there are no rows, a label is no class, or the classifier's answer is not finite.
    """
    x, y = _checked(classifier, inputs, labels, eps)
    modality = modality_of(classifier.schema) if constrained else None
    attacks = resolve_suite(
        suite, gradient=classifier.differentiable, norm=norm, valid_rows=constrained and classifier.schema.modality == "tabular"
    )
    for chosen in attacks:
        if chosen.gradient and not classifier.differentiable:
            raise NotApplicableError(
                f"{classifier.why_no_gradients}, and {chosen.id} needs gradients",
                remedy='take suite="standard": it chooses those that need none',
            )
    forward = decided_logits(classifier, threshold)
    logits = forward(x)
    if not logits.isfinite().all():
        raise DataError("the classifier answers with values that are not finite", remedy="check its weights and its inputs")
    right = decided(logits) == y
    allowed = PerturbationSet.around(x, classifier.schema, eps=eps, norm=norm, constrained=constrained)
    fast = decided_logits(fast_classifier(classifier, x[:_TRIED]), threshold)
    campaign = Campaign(fast, allowed, y, right, modality)
    left_out: list[str] = []
    # Where nothing may change, nothing falls.
    for place, chosen in enumerate(attacks if eps > 0 else ()):
        if prove and place == 1 and len(campaign.left):
            # After the cheapest attack: what it broke needs no proof.
            left = campaign.left
            campaign.leave_out(
                *unreachable_classes(classifier, x[left], y[left], eps=eps, norm=norm, threshold=threshold, constrained=constrained)
            )
        try:
            chosen = _equipped(chosen, classifier, x, threshold, Seed(seed, (str(place), "surrogate")))
        except NotApplicableError as error:
            left_out.append(f"{chosen.id}: {error}")
            continue
        campaign.run(chosen, Seed(seed, (str(place), chosen.id)))
    campaign.confirm(forward)
    flags = find_flags(campaign, fast, gradient=classifier.differentiable, only_valid=constrained, seed=Seed(seed, ("flags",)))
    where: dict[str, str | float | int] = {"eps": eps, "norm": norm, "rows": "valid" if constrained else "any"}
    return _result(campaign, right, where, flags, tuple(left_out))


def _equipped(chosen: Attack, classifier: Classifier, x: Tensor, threshold: float, seed: Seed) -> Attack:
    """The attack, with what it needs beside the rows: a surrogate, trained once for all of them.

    Raises:
        NotApplicableError: If the answers teach nothing, since all are the same.
    """
    if not isinstance(chosen, Transfer) or chosen.surrogate is not None:
        return chosen
    surrogate = imitate(
        classifier, x.cpu(), held_out=x[:1].cpu(), queries=(chosen.queries,), threshold=threshold, seed=seed.integer()
    ).classifier
    return dataclasses.replace(chosen, surrogate=surrogate)


def _checked(classifier: Classifier, inputs: Tensor, labels: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    if not modality_of(classifier.schema).continuous:
        raise NotApplicableError(
            f"the inputs of a {classifier.schema.modality} classifier do not change by a little",
            remedy="audit.robustness.texts.attack_texts edits texts",
        )
    if not 0 <= eps < math.inf:
        raise ConfigurationError(f"eps must be at least 0 and finite, got {eps}", remedy="nearest_wrong looks for the least change")
    shape = classifier.schema.shape
    if tuple(inputs.shape[1:]) != shape:
        raise DataError(f"an attack needs inputs (N, {', '.join(map(str, shape))}), got {tuple(inputs.shape)}")
    require_labelled("an attack", len(inputs), labels, classifier)
    if not inputs.isfinite().all():
        raise DataError(
            f"inputs must be finite, got {int((~inputs.isfinite()).sum())} values that are not", remedy="fill missing values first"
        )
    return inputs.to(classifier.device, modality_of(classifier.schema).dtype), labels.to(classifier.device, torch.int64)


def _result(
    campaign: Campaign, right: Tensor, where: dict[str, str | float | int], flags: tuple[Flag, ...], left_out: tuple[str, ...]
) -> Robustness:
    n = len(right)
    robust, certified = campaign.standing.cpu(), campaign.proven.cpu()
    if right.any():
        accuracy = proportion("robustness.accuracy", robust.numpy(), bound="upper").measured_on(**where)
        accuracy = dataclasses.replace(accuracy, unreliable="; ".join(map(str, flags)))
    else:
        accuracy = Metric.missing("robustness.accuracy", "no row is decided rightly, so that none can be attacked", n=n, where=where)
    names = ("", *(ran.id for ran in campaign.attacks))
    by = tuple(
        names[place + 1] if place >= 0 or ok else "clean" for place, ok in zip(campaign.broken_by.tolist(), right.tolist(), strict=True)
    )
    if campaign.not_provable or campaign.unreachable is None:
        reason = campaign.not_provable or "nothing was tried to be proven"
        proven = Metric.missing("robustness.certified_accuracy", reason, n=n, where=where)
    else:
        proven = proportion("robustness.certified_accuracy", certified.numpy(), bound="lower").measured_on(**where)
    return Robustness(
        clean_accuracy=proportion("robustness.clean_accuracy", right.cpu().numpy()),
        robust_accuracy=accuracy,
        certified_accuracy=proven,
        robust=robust, certified=certified, adversarial=campaign.adversarial.cpu(), distance=campaign.distance.cpu(), broken_by=by,
        queries=campaign.queries.cpu(), gradients=campaign.gradients.cpu(), flags=flags, left_out=left_out,
    )  # fmt: skip
