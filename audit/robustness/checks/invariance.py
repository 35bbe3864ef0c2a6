"""Whether decisions of texts hang on names and numbers, and whether a negation turns them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from audit.check import Check, register
from audit.evidence import Cell, Evidence, Table
from audit.robustness.texts.invariance_tests import Invariance as Measured
from audit.robustness.texts.invariance_tests import measure_invariance
from audit.robustness.texts.rewriting import REWRITINGS
from audit.robustness.texts.strings import require_texts
from audit.subject import Need, Subject
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError
from classifier.seeds import Seed

_EXAMPLES = 3


@register
@dataclass(frozen=True, kw_only=True)
class Invariance(Check):
    """Shares of decisions that stay when names, numbers, or a negation are changed.

    Args:
        count: Variants of a text, at most.
        least: With fewer texts that a test applies to, its share is not stated.
        limit: Texts looked at, at most, a random sample of the test rows.
    """

    count: int = 5
    least: int = 30
    limit: int = 2000
    metrics: ClassVar = ("robustness.invariance", "robustness.negation_unchanged")
    needs: ClassVar[frozenset[Need]] = frozenset({"classifier"})
    profiles: ClassVar = {"quick": {"count": 2, "limit": 500}, "thorough": {"count": 20, "limit": 20000}}

    def __post_init__(self) -> None:
        if min(self.count, self.least, self.limit) < 1:
            raise ConfigurationError(f"count, least and limit must be at least 1, got {self.count}, {self.least} and {self.limit}")

    def forward_rows(self, rows: int) -> int:
        return 2 * len(REWRITINGS.ids()) * self.count * min(rows, self.limit)

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        require_texts(subject.model)
        chosen = torch.randperm(len(subject.test), generator=seed.child("rows").torch())[: self.limit].sort().values
        test_rows = subject.test[chosen.numpy()]
        results = {
            test: measure_invariance(
                subject.model,
                test_rows.inputs,
                test,
                count=self.count,
                least=self.least,
                threshold=subject.decision.threshold,
                seed=seed.integer(),
            )
            for test in REWRITINGS
        }
        return Evidence(
            check=self.id,
            metrics=tuple(result.unchanged for result in results.values()),
            tables=(_counts(results), *_examples(test_rows, results)),
            parameters={**self.options(), "rows": len(test_rows)},
            seed=seed.value,
            notes=("robustness.texts_written_out", "robustness.meaning"),
            arrays={
                "ids": test_rows.ids,
                **{f"tested_{test}": result.tested.numpy() for test, result in results.items()},
                **{f"turned_{test}": result.turned.numpy() for test, result in results.items()},
            },
        )


def _counts(results: dict[str, Measured]) -> Table:
    rows = [(test, int(result.found.sum()), int(result.tested.sum()), int(result.turned.sum())) for test, result in results.items()]
    return Table("counts", ("test", "found", "tested", "turned"), tuple(rows))


def _examples(rows: Dataset, results: dict[str, Measured]) -> tuple[Table, ...]:
    """Texts whose decision is not as the test would have it: turned by a name or a number, or not turned by a negation."""
    shown: list[tuple[Cell, ...]] = []
    for test, result in results.items():
        odd = result.turned if result.should_stay else result.tested & ~result.turned
        for i in odd.nonzero()[:_EXAMPLES, 0].tolist():
            shown.append((test, int(rows.ids[i]), result.texts[i], result.variants[i]))
    return (Table("examples", ("test", "row", "before", "after"), tuple(shown), single=True),) if shown else ()
