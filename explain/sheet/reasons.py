"""Reasons: the features that spoke against a person clearly more than all others did, or why none can be named (12 CFR 1002.9)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Any, Literal

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError
from classifier.modality import modality_of
from classifier.seeds import Seed
from explain.availability import available
from explain.sheet.weighing import answers_for_a_case, samples_for, set_against

#: Official comment 9(b)(2)-1 to 12 CFR 1002.9: more than four reasons are not likely to help.
MOST = 4
#: A reason has at least this share of all that speaks against the person.
LEAST = 0.05
#: The lightest reason is so many times as heavy as the heaviest feature that is not named. Where features weigh nearly alike,
#: other cases to compare with would set them in another order.
MARGIN = 1.5
#: And heavier by so many standard errors, which tell how far other cases may move the two. Of several gaps between features
#: that are as wide the clearest cuts, since that is where other cases would cut too.
ERRORS = 3.0
#: Comparisons with cases of their own, as many with those decided favourably as with all.
COMPARISONS = 40
#: Answers of the classifier that they take at most, half of them for each kind of comparison.
EVALUATIONS = 2**19
# A case for each comparison of a kind; and what rounding leaves of a sum, as a share of the largest number.
_FEWEST, _ROUNDING = COMPARISONS // 2, 1e-6

Refusal = Literal["not_a_table", "few_cases", "nothing", "slight", "unsteady", "protected"]


@dataclass(frozen=True)
class Reason:
    """A feature that spoke against the person.

    Args:
        feature: Its name.
        value: Its value in natural units, in words.
        share: Its share of all that spoke against the person, on average over both kinds of comparison.
    """

    feature: str
    value: str
    share: float


@dataclass(frozen=True)
class Reasons:
    """The reasons for one decision, the heaviest first, or why there are none.

    Args:
        reasons: At most four; empty where `refusal` says why.
        refusal: ``"not_a_table"``; ``"few_cases"`` to compare with; ``"nothing"`` spoke against the person; ``"slight"``: no
            feature has `LEAST` of it; ``"unsteady"``: no feature, and no few of them, stand out by the margins;
            ``"protected"``: a protected feature has `LEAST` of it, which the others would hide.
        method: The attribution method.
        cases: How many cases there were to compare with, and how many of those decided favourably.
    """

    reasons: tuple[Reason, ...]
    refusal: Refusal | None
    method: str = ""
    cases: tuple[int, int] = (0, 0)


def find_reasons(
    classifier: Classifier, x: Tensor, background: Tensor, *, decided: int, favourable: Tensor, seed: Seed, wanted: int | None = None
) -> Reasons:
    """The reasons for which one input was decided as it was, as far as other cases to compare with would give the same.

    A Shapley value against a background is the mean of those against its rows, so that it is known as exactly as a mean of
    so many draws. Each comparison has rows and a seed of its own; how far they lie apart tells the standard error of their mean.
    Half of them compare with any cases and half with cases that were decided favourably, and a reason must stand out in both.

    Args:
        classifier: What decided.
        x: The input ``(1, *S)``.
        background: Cases to compare with ``(B, *S)``, the more the better.
        decided: The class that the input was taken for, which the person does not want.
        favourable: Which cases of the background are decided favourably ``(B,)``, bool.
        seed: Where all random numbers come from.
        wanted: The class that the person wants; of two classes the other one.

    Raises:
        ConfigurationError: If there is not exactly one input.
    """
    if len(x) != 1:
        raise ConfigurationError(f"reasons are for one decision, got {len(x)} inputs", remedy="ask for one at a time")
    schema = classifier.schema
    if schema.modality != "tabular":
        return Reasons((), "not_a_table")
    most = max(_FEWEST, EVALUATIONS // 2 // answers_for_a_case(classifier))
    some = torch.randperm(len(background), generator=seed.child("cases").torch()).to(background.device)
    pools = [background[rows[:most]] for rows in (some, some[favourable.to(some.device)[some]])]
    if min(map(len, pools)) < _FEWEST:
        return Reasons((), "few_cases")
    usable = {entry.method for entry in available(classifier, background=len(background)) if entry.applies}
    method = next((name for name in ("additive_terms", "tree_shap") if name in usable), "kernel_shap")
    other = 1 - decided if wanted is None else wanted
    against = [_comparisons(classifier, x, pool, method, decided, other, seed.child(f"kind {kind}")) for kind, pool in enumerate(pools)]
    told = Reasons((), None, method, (len(pools[0]), len(pools[1])))
    named, refusal = _choose(against, torch.tensor([feature.protected for feature in schema.features]))
    words, shares = modality_of(schema).words(x)[0], torch.stack([_shares(values) for values in against]).mean(0)
    found = tuple(Reason(name := schema.names[i], words[name], float(shares[i])) for i in named)
    return replace(told, reasons=found, refusal=refusal)


def _choose(against: list[Tensor], protected: Tensor) -> tuple[list[int], Refusal | None]:
    """The features to name, the heaviest first, of both kinds of comparison ``(C, P)``; or why there are none."""
    shares = torch.stack([_shares(values) for values in against])
    if (shares[:, protected] >= LEAST).any():
        return [], "protected"
    if not (shares > 0).all(0).any():
        return [], "nothing"
    if not (shares >= LEAST).all(0).any():
        return [], "slight"
    order = shares.mean(0).argsort(descending=True, stable=True)
    gaps = {
        count: min(_gap(values, order[:count], order[count:]) for values in against)
        for count in range(1, min(MOST, len(order)) + 1)
        if (shares[:, order[:count]] >= LEAST).all()
    }
    # Other cases move every gap a little; the clearest is the one that they leave.
    clearest = max(gaps, key=lambda count: (gaps[count], count), default=0)
    if not clearest or gaps[clearest] < ERRORS:
        return [], "unsteady"
    return order[:clearest].tolist(), None


def _comparisons(classifier: Classifier, x: Tensor, pool: Tensor, method: str, decided: int, other: int, seed: Seed) -> Tensor:
    """What each feature added to the decision in each of half the comparisons ``(C, P)``, no case in two of them."""
    options: dict[str, Any] = {"samples": samples_for(len(classifier.schema.names))} if method == "kernel_shap" else {}
    parts = torch.tensor_split(pool, COMPARISONS // 2)
    return torch.cat(
        [
            set_against(
                classifier, x, method, baseline=part, decided=decided, other=other, seed=seed.child(str(number)).integer(), **options
            ).by_feature()
            for number, part in enumerate(parts)
        ]
    )


def _shares(values: Tensor) -> Tensor:
    """Each feature's share of all that speaks against the person on average ``(P,)``; 0 for one that speaks for them."""
    against = values.mean(0)
    # What rounding leaves of a sum is nothing.
    against = torch.where(against > _ROUNDING * values.abs().max(), against, 0.0)
    return against / against.sum().clamp_min(_ROUNDING)


def _gap(values: Tensor, named: Tensor, rest: Tensor) -> float:
    """By how many standard errors the lightest of the features named outweighs the heaviest of the rest; 0 where not by `MARGIN`."""
    mean = values.mean(0)
    lightest = values[:, named[mean[named].argmin()]]
    heaviest = values[:, rest[mean[rest].argmax()]] if len(rest) else torch.zeros_like(lightest)
    if heaviest.mean() <= 0:
        heaviest = torch.zeros_like(lightest)
    ahead = lightest - heaviest
    if ahead.mean() <= 0 or lightest.mean() < MARGIN * heaviest.mean():
        return 0.0
    error = ahead.std() / len(ahead) ** 0.5
    return float(ahead.mean() / error) if error > 0 else inf
