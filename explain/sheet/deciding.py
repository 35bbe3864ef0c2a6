"""Deciding: one input with what was decided of it, and what moved that decision."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, did_you_mean
from explain.explanation import Explanation
from explain.inputs import checked_batch
from explain.sheet.weighing import weigh


@dataclass(frozen=True, eq=False)
class DecidedCase:
    """One input, what was decided of it, and what moved that decision.

    Args:
        classifier: What decided.
        x: The input ``(1, *S)``.
        background: Cases to compare with ``(B, *S)``.
        probabilities: Those of the classes ``(K,)``.
        decided: The class that it was taken for.
        other: The class that this is set against: the one that the person wants, else the likeliest other one.
        favourable: The class that the person wants; ``None`` where nobody says.
        favoured: Which cases of the background are decided so ``(B,)``, bool.
        threshold: Least probability of the event, class 1 of two, from which it is presumed; ``None`` for the likeliest class.
        explanation: What moved the decision, from `other` to `decided`.
        seed: What was sampled with.
    """

    classifier: Classifier
    x: Tensor
    background: Tensor
    probabilities: Tensor
    decided: int
    other: int
    favourable: int | None
    favoured: Tensor
    threshold: float | None
    explanation: Explanation
    seed: int

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.classifier.classes

    @property
    def unwanted(self) -> bool:
        """Whether the person is known to want another decision."""
        return self.favourable is not None and self.decided != self.favourable


def decide(
    classifier: Classifier,
    x: Tensor,
    *,
    background: Tensor,
    favourable: str | None = None,
    threshold: float | None = None,
    method: str = "auto",
    seed: int = 0,
) -> DecidedCase:
    """Decide one input, and explain by what it was moved; see `explain.decision_sheet`."""
    if len(x) != 1:
        raise ConfigurationError(f"a sheet is for one decision, got {len(x)} inputs", remedy="write one at a time, as for x[i : i + 1]")
    x = checked_batch(classifier, x)
    if len(background) == 0 or background.shape[1:] != x.shape[1:]:
        wanted = ", ".join(("B", *map(str, x.shape[1:])))
        raise ConfigurationError(
            f"the background must be at least one case of the input's shape ({wanted}), got {tuple(background.shape)}",
            remedy="give the training rows, as in train.inputs",
        )
    classes = classifier.classes
    if favourable is not None and favourable not in classes:
        raise ConfigurationError(f"there is no class {favourable!r}", remedy=did_you_mean(favourable, classes))
    if threshold is not None and len(classes) != 2:
        raise ConfigurationError(f"a threshold decides between two classes, and there are {len(classes)}", remedy="leave it out")
    if threshold is not None and not 0 < threshold < 1:
        raise ConfigurationError(f"a threshold is a probability between 0 and 1, got {threshold}")
    probabilities = torch.cat([classifier.probabilities(part).cpu() for part in (x, background)])
    # Compared in double precision, as everywhere: a probability may be the threshold to all digits of a single one.
    decisions = probabilities.argmax(1) if threshold is None else (probabilities[:, 1].double() >= threshold).long()
    decided, wanted_class = int(decisions[0]), None if favourable is None else classes.index(favourable)
    likeliest_other = int(probabilities[0].index_fill(0, decisions[:1], -1.0).argmax())
    other = likeliest_other if wanted_class in (None, decided) else wanted_class
    return DecidedCase(
        classifier=classifier,
        x=x,
        background=background,
        probabilities=probabilities[0],
        decided=decided,
        other=other,
        favourable=wanted_class,
        favoured=decisions[1:] == (-1 if wanted_class is None else wanted_class),
        threshold=threshold,
        explanation=weigh(classifier, x, background, decided=decided, other=other, method=method, seed=seed),
        seed=seed,
    )
