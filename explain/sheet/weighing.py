"""Weighing: what each part of one input added to its decision, within a bounded number of the classifier's answers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import NotApplicableError
from classifier.modality import modality_of
from classifier.seeds import Seed
from explain.attributing import attribute
from explain.availability import usable_methods
from explain.explanation import Explanation
from explain.games.coalitions import most_players
from explain.method import METHODS, Task
from explain.output import Output

#: Answers that the weights take at most where the method is left to the sheet: seconds of a small network, a minute of a slow one.
EVALUATIONS = 2**16
#: Other cases that the weights compare with, at most.
CASES = 100
# Coalitions of an estimate, or four for each part where that is more.
_SAMPLES = 512
_EXACT = ("additive_terms", "tree_shap", "exact_shapley")


def require_speaks_of_decisions(method: str) -> None:
    """Refuse a method whose numbers do not say what moved a decision.

    Raises:
        ConfigurationError: If there is no such method.
        NotApplicableError: If it gives slopes or weights.
    """
    if method != "auto" and (quantity := METHODS[method].quantity) not in ("contribution", "effect"):
        raise NotApplicableError(
            f"a sheet says what moved a decision, and {method} gives each part its {quantity}, which says nothing of that",
            remedy='take method="auto", or one that gives contributions or effects',
        )


def weigh(
    classifier: Classifier, x: Tensor, background: Tensor, *, decided: int, other: int, method: str = "auto", seed: int = 0
) -> Explanation:
    """What moved the decision towards the class decided and away from another one.

    Args:
        classifier: What decided.
        x: The input ``(1, *S)``.
        background: Cases to compare with ``(B, *S)``, of which at most `CASES` are taken; their typical input where parts of two
            inputs have nothing in common, or where the method takes one baseline.
        decided: The class that the input was taken for.
        other: The class that it is set against; of two the other one.
        method: The method; ``"auto"`` takes exact values where `EVALUATIONS` allow, else an estimate that they allow.
        seed: Decides what is sampled.

    Raises:
        NotApplicableError: If the method does not hold for this classifier.
    """
    modality = modality_of(classifier.schema)
    baseline = modality.typical(background)
    if modality.aligned and (method == "auto" or METHODS[method].takes_background):
        most = max(1, min(CASES, EVALUATIONS // answers_for_a_case(classifier)))
        order = torch.randperm(len(background), generator=Seed(seed, ("explain", "sheet", "cases")).torch())
        baseline = background[order[:most].sort().values.to(background.device)]
    *first, last = [method] if method != "auto" else _affordable(classifier, x, baseline.reshape(-1, *x.shape[1:]), decided)

    def explained(name: str) -> Explanation:
        options = {"samples": samples_for(len(modality.players))} if name == "kernel_shap" else {}
        return set_against(classifier, x, name, baseline=baseline, decided=decided, other=other, seed=seed, **options)

    for name in first:
        # What forward code does beside its layers may show only once it runs; another method need not mind.
        with suppress(NotApplicableError):
            return explained(name)
    return explained(last)


def set_against(
    classifier: Classifier, x: Tensor, method: str, *, baseline: Tensor, decided: int, other: int, seed: int, **options: Any
) -> Explanation:
    """The explanation of one class against another: of two classes the log-odds, of more the difference of their logits.

    The logit of one class alone would credit a part with what it adds to all of them alike, which decides nothing. Of a method
    that is linear in the output, as those of a sheet are, the attributions of a difference are the difference of the attributions;
    of another one the class decided is explained alone.
    """
    chosen = attribute(classifier, x, method, baseline=baseline, target=decided, seed=seed, **options)
    if len(classifier.classes) == 2 or "linearity" not in METHODS[method].laws:
        return chosen
    rest = attribute(classifier, x, method, baseline=baseline, target=other, seed=seed, **options)
    names = list(chosen.classes)
    names[decided] = f"{names[decided]} less that of {names[other]}"
    errors = (chosen.standard_error, rest.standard_error)
    return replace(
        chosen,
        attributions=chosen.attributions - rest.attributions,
        base_value=chosen.base_value - rest.base_value,
        value=chosen.value - rest.value,
        classes=tuple(names),
        # Both are of the same draws, so that their errors may add up.
        standard_error=None if errors[0] is None or errors[1] is None else errors[0] + errors[1],
        element_error=None,
        notes=tuple(dict.fromkeys([*chosen.notes, *rest.notes])),
    )


def samples_for(players: int) -> int:
    """Coalitions that an estimate takes for so many parts."""
    return max(_SAMPLES, 4 * players)


def answers_for_a_case(classifier: Classifier) -> int:
    """Answers of the classifier that an estimate takes for each case that it compares with."""
    return samples_for(len(modality_of(classifier.schema).players)) * _logits(classifier)


def _logits(classifier: Classifier) -> int:
    """How many logits are explained one by one: of more than two classes that of the class decided and that of the other."""
    return min(2, len(classifier.classes) - 1)


def _affordable(classifier: Classifier, x: Tensor, baseline: Tensor, decided: int) -> tuple[str, ...]:
    """The methods that ``"auto"`` tries, in their order, for an input ``(1, *S)`` and what it is compared with ``(M, *S)``."""
    output, device, kind = Output.of(classifier, "auto"), classifier.device, modality_of(classifier.schema).dtype
    task = Task(output, x.to(device, kind), torch.tensor([decided], device=device), baseline.to(device, kind))
    players = most_players(task)
    usable = usable_methods(output, rows=1, background=len(baseline), players=players)
    if _logits(classifier) * len(baseline) * 2**players > EVALUATIONS:
        usable = tuple(name for name in usable if name != "exact_shapley")
    if len(baseline) == 1:
        return usable
    return (*(name for name in usable if name in _EXACT), "kernel_shap")
