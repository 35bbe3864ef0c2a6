"""What a copy gives away: a surrogate trained on answers, how alike it decides, and what fools both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from audit.check import Check, register
from audit.evidence import Evidence, Figure, Series
from audit.robustness.attacking import attack
from audit.robustness.attacks.transfer import Transfer as TransferAttack
from audit.subject import Need, Subject
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import proportion
from trainer.imitation import Imitation, imitate

_ACCURACY = "robustness.transfer_accuracy"


@register
@dataclass(frozen=True, kw_only=True)
class Transfer(Check):
    """Fidelity of surrogates trained on so many answers, and accuracy under the attack that the best of them gives.

    Half of the sampled test rows are what whoever copies the classifier has; the other half is compared and attacked.

    Args:
        queries: Numbers of answers that surrogates are trained on.
        labels_only: Whether the answers are decisions, and not probabilities.
        eps: Radius of the attack in Linf, as a fraction of each feature's range.
        constrained: Whether changed rows must be valid and respect what cannot be changed.
        steps: Steps of the attack on the surrogate.
        limit: Rows at most, a random sample of the test rows.
    """

    queries: tuple[int, ...] = (50, 100, 200, 400, 800)
    labels_only: bool = False
    eps: float = 0.1
    constrained: bool = False
    steps: int = 40
    limit: int = 1000
    metrics: ClassVar = ("robustness.surrogate_fidelity", "robustness.transfer_accuracy")
    needs: ClassVar[frozenset[Need]] = frozenset({"classifier"})
    profiles: ClassVar = {"quick": {"queries": (50, 200), "steps": 20, "limit": 300}, "thorough": {"queries": (100, 400, 1600, 6400)}}

    def __post_init__(self) -> None:
        if not self.queries or min(self.queries) < 2:
            raise ConfigurationError(f"queries must hold numbers of at least 2, got {list(self.queries)}")
        if not 0 < self.eps <= 1:
            raise ConfigurationError(f"eps must be a fraction above 0 and at most 1, got {self.eps}")
        if self.steps < 4 or self.limit < 4:
            raise ConfigurationError(f"steps and limit must be at least 4, got {self.steps} and {self.limit}")

    def forward_rows(self, rows: int) -> int:
        # Training the surrogates takes about as long as asking for each of its rows a hundred times.
        return 100 * sum(self.queries) + 10 * min(rows, self.limit)

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        test = subject.test
        order = subject.sample(self.limit, seed)
        own, held = order[: len(order) // 2].sort().values, order[len(order) // 2 :].sort().values
        if len(own) == 0:
            raise NotApplicableError(f"a surrogate needs rows to ask about and others to be compared on, there is {len(test)} test row")
        copy = imitate(
            subject.model, test.inputs[own], held_out=test.inputs[held], queries=self.queries, labels_only=self.labels_only,
            threshold=subject.decision.threshold, seed=seed.integer(),
        )  # fmt: skip
        answers = "decisions" if self.labels_only else "probabilities"
        fidelity = [
            proportion("robustness.surrogate_fidelity", alike.numpy(), better="lower").measured_on(queries=number, answers=answers)
            for number, alike in zip(copy.queries, copy.agreement, strict=True)
        ]
        accuracy, robust = self._attacked(subject, held, copy, seed)
        return Evidence(
            check=self.id,
            metrics=(*fidelity, accuracy),
            figures=(_figure(fidelity, len(held)),),
            parameters={**self.options(), "rows": len(held), "own_rows": len(own)},
            seed=seed.value,
            notes=("robustness.upper_bound",),
            arrays={"ids": test.ids[held.numpy()], "alike": copy.agreement[-1].numpy(), **robust},
        )

    def _attacked(
        self, subject: Subject, held: torch.Tensor, copy: Imitation, seed: Seed
    ) -> tuple[Metric, Mapping[str, NDArray[np.bool_]]]:
        where: dict[str, str | float | int] = {
            "eps": self.eps, "norm": "Linf", "rows": "valid" if self.constrained else "any", "queries": copy.queries[-1],
        }  # fmt: skip
        reason = _why_not(subject.model, copy.classifier)
        if reason:
            return Metric.missing(_ACCURACY, reason, n=len(held), where=where), {}
        found = attack(
            subject.model, subject.test.inputs[held], subject.test.labels[held], eps=self.eps, constrained=self.constrained,
            suite=(TransferAttack(surrogate=copy.classifier, steps=self.steps),), threshold=subject.decision.threshold, seed=seed.integer(),
        )  # fmt: skip
        robust = found.robust.numpy()
        accuracy = proportion(_ACCURACY, robust, bound="upper").measured_on(**where)
        return replace(accuracy, unreliable="; ".join(map(str, found.flags))), {"robust": robust}


def _why_not(victim: Classifier, surrogate: Classifier) -> str:
    if not surrogate.differentiable:
        return f"{surrogate.why_no_gradients}, so that nothing can be climbed on the surrogate"
    if not any(feature.mutable and feature.kind in ("continuous", "integer") for feature in victim.schema.features):
        return "what may change in these inputs is there or not, a category or an edge"
    return ""


def _figure(fidelity: list[Metric], n: int) -> Figure:
    series = Series(
        "fidelity",
        x=tuple(float(metric.where["queries"]) for metric in fidelity),
        y=tuple(metric.value or 0.0 for metric in fidelity),
        low=tuple(metric.low or 0.0 for metric in fidelity),
        high=tuple(metric.high or 0.0 for metric in fidelity),
    )
    return Figure("fidelity_against_queries", "lines", (series,), words={"n": n})
