"""Reasons: the features that spoke against a person whatever the comparison, or why none can be named (12 CFR 1002.9)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError
from classifier.modality import modality_of
from classifier.seeds import Seed
from explain.attributing import attribute
from explain.availability import available

#: Official comment 9(b)(2)-1 to 12 CFR 1002.9: more than four reasons are not likely to help.
MOST = 4
#: Explanations that a reason must survive, half of them compared with all cases and half with those decided favourably.
TRIALS = 10
#: A reason is among the four largest in at least this share of the trials, and against the person in all of them.
STEADY = 0.8
#: A reason has at least this share of all that speaks against the person.
LEAST = 0.05
_FEWEST = 5

Refusal = Literal["not_a_table", "few_cases", "unsteady", "protected"]


@dataclass(frozen=True)
class Reason:
    """A feature that spoke against the person.

    Args:
        feature: Its name.
        value: Its value in natural units, in words.
        share: Its share of all that spoke against the person, on average over the trials.
        steadiness: The share of the trials in which it was among the four largest.
    """

    feature: str
    value: str
    share: float
    steadiness: float


@dataclass(frozen=True)
class Reasons:
    """The reasons for one decision, the heaviest first, or why there are none.

    Args:
        reasons: At most four; empty where `refusal` says why.
        refusal: ``"not_a_table"``; ``"few_cases"`` to compare with; ``"unsteady"``: no feature is a reason in
            enough of the trials; ``"protected"``: a protected feature is, so that the others would hide it.
        trials: How many explanations the reasons had to survive.
        method: The attribution method.
    """

    reasons: tuple[Reason, ...]
    refusal: Refusal | None
    trials: int = TRIALS
    method: str = ""


def find_reasons(
    classifier: Classifier, x: Tensor, background: Tensor, *, decided: int, favourable: Tensor, seed: Seed, samples: int = 512
) -> Reasons:
    """The reasons for which one input was decided as it was, as far as they hold for every comparison.

    Half of the trials compare with a random half of the background, and half with cases that were decided
    favourably; each has a seed of its own. What changes with those is no reason to tell a person.

    Args:
        classifier: What decided.
        x: The input ``(1, *S)``.
        background: Cases to compare with ``(B, *S)``.
        decided: The class that the input was taken for, which the person does not want.
        favourable: Which cases of the background are decided favourably ``(B,)``, bool.
        seed: Where all random numbers come from.
        samples: Coalitions of each trial, where Shapley values are estimated.

    Raises:
        ConfigurationError: If there is not exactly one input.
    """
    if len(x) != 1:
        raise ConfigurationError(f"reasons are for one decision, got {len(x)} inputs", remedy="ask for one at a time")
    schema = classifier.schema
    if schema.modality != "tabular":
        return Reasons((), "not_a_table")
    pools = (background, background[favourable.to(background.device)])
    if min(map(len, pools)) < _FEWEST:
        return Reasons((), "few_cases")
    usable = {entry.method for entry in available(classifier) if entry.applies}
    method = "additive_terms" if "additive_terms" in usable else "kernel_shap"
    against = torch.cat(
        [
            _trial(classifier, x, pools[trial % 2], method, decided, seed.child(f"trial {trial}"), samples).clamp_min(0)
            for trial in range(TRIALS)
        ]
    )
    among = torch.zeros_like(against).scatter(1, against.topk(min(MOST, against.shape[1]), dim=1).indices, 1.0) * (against > 0)
    share = (against / against.sum(1, keepdim=True).clamp_min(1e-12)).mean(0)
    steadiness = among.mean(0)
    steady = (against > 0).all(0) & (steadiness >= STEADY) & (share >= LEAST)
    words = modality_of(schema).words(x)[0]
    order = [int(player) for player in share.argsort(descending=True) if steady[player]][:MOST]
    found = tuple(Reason(name := schema.names[i], words[name], float(share[i]), float(steadiness[i])) for i in order)
    if any(schema[reason.feature].protected for reason in found):
        return Reasons((), "protected", method=method)
    return Reasons(found, None if found else "unsteady", method=method)


def _trial(classifier: Classifier, x: Tensor, pool: Tensor, method: str, decided: int, seed: Seed, samples: int) -> Tensor:
    """What each feature added to the decision, compared with a random half of the cases ``(1, P)``."""
    some = torch.randperm(len(pool), generator=seed.torch())[: max(_FEWEST, len(pool) // 2)].to(pool.device)
    options: dict[str, Any] = {"samples": max(samples, 4 * len(classifier.schema.names))} if method == "kernel_shap" else {}
    return attribute(classifier, x, method, baseline=pool[some], target=decided, seed=seed.integer(), **options).by_feature()


def require_wording(approved: Collection[str], features: tuple[str, ...]) -> None:
    """Refuse texts for features that there are none of.

    Raises:
        ConfigurationError: If a text is for no feature.
    """
    unknown = sorted(set(approved) - set(features))
    if unknown:
        raise ConfigurationError(
            f"there is a text for {unknown[0]!r}, which is no feature", remedy=f"the features are: {', '.join(features)}"
        )
