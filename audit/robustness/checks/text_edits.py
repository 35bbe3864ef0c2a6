"""How many texts stay right when a few of their words are written otherwise: the curve over the share of words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from audit.check import Check, register
from audit.evidence import Cell, Evidence, Figure, Series, Table
from audit.robustness.texts.attacking import TextRobustness, attack_texts
from audit.robustness.texts.budgets import require_budget
from audit.robustness.texts.edit import EDITS
from audit.robustness.texts.strings import require_texts
from audit.subject import Need, Subject
from classifier.errors import ConfigurationError
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import proportion

_EXAMPLES = 5
_ACCURACY = "robustness.text_accuracy"
# Without the word that says it, a text says something else: that the decision then turns is no fault by itself.
_APART = "deletion"


@register
@dataclass(frozen=True, kw_only=True)
class TextEdits(Check):
    """Accuracy under edits of words, at several budgets and by kind of edit; words left out stand apart.

    Args:
        budgets: Shares of the words that may change, each at least one word.
        queries: Texts that may be shown to the classifier for one text, in each search.
        tries: Alternatives of one edit that are tried at a word.
        table: In lower case, what a word may be replaced by; without it no word is substituted.
        limit: Texts attacked at most, a random sample of the test rows.
    """

    budgets: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2, 0.3)
    queries: int = 500
    tries: int = 4
    table: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    limit: int = 200
    metrics: ClassVar = ("robustness.text_clean_accuracy", _ACCURACY)
    needs: ClassVar[frozenset[Need]] = frozenset({"classifier"})
    profiles: ClassVar = {"quick": {"queries": 200, "tries": 2, "limit": 100}, "thorough": {"queries": 2000, "tries": 8, "limit": 1000}}

    def __post_init__(self) -> None:
        if not self.budgets or self.limit < 1:
            raise ConfigurationError(f"it takes a budget and a limit of at least 1, got {list(self.budgets)} and {self.limit}")
        for budget in self.budgets:
            require_budget(budget)

    def forward_rows(self, rows: int) -> int:
        # One search with all edits and one with each kind; most texts fall long before their queries are spent.
        return (1 + len(self._kinds())) * min(rows, self.limit) * self.queries // 4

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        require_texts(subject.model)
        test = subject.test
        chosen = torch.randperm(len(test), generator=seed.child("rows").torch())[: self.limit].sort().values
        alone = {kind: self._attack(subject, chosen, (kind,), seed) for kind in self._kinds()}
        every = self._attack(subject, chosen, tuple(kind for kind in alone if kind != _APART), seed)
        tested = every.tested
        # What fell to one kind of edit alone has fallen to all of them together.
        together = [every, *(result for kind, result in alone.items() if kind != _APART)]
        standing = {budget: torch.stack([result.within(budget) for result in together]).all(0) for budget in sorted(self.budgets)}
        curve = [_accuracy(robust, tested, edits="all", budget=budget) for budget, robust in standing.items()]
        kinds = [_alone(kind, result, budget=max(self.budgets)) for kind, result in alone.items()]
        figure = Figure("accuracy_against_budget", "lines", (_line([every.clean_accuracy, *curve]),), words={"n": int(tested.sum())})
        results = {"all": every, **alone}
        return Evidence(
            check=self.id,
            metrics=(subject.on_test(every.clean_accuracy), *curve, *kinds),
            tables=(_by_kind(results), *_examples(subject, chosen, every)),
            figures=(figure,) if tested.any() else (),
            parameters={
                **self.options(),
                "rows": int(tested.sum()),
                "not_read_alike": int((~tested).sum()),
                "flat": int(every.flat.sum()),
                "evaluations": sum(int(result.queries.sum()) for result in results.values()),
            },
            seed=seed.value,
            notes=("robustness.upper_bound", "robustness.texts_written_out", "robustness.meaning"),
            arrays={
                "ids": test.ids[chosen.numpy()],
                "tested": tested.numpy(),
                "words": every.words.numpy(),
                "changed_words": every.changed_words.numpy(),
                "changed_characters": every.changed_characters.numpy(),
                "queries": every.queries.numpy(),
                **{f"robust_{kind}": result.robust.numpy() for kind, result in results.items()},
            },
        )

    def _kinds(self) -> tuple[str, ...]:
        kinds = sorted({EDITS[name].kind for name in EDITS})
        return tuple(kind for kind in kinds if self.table or kind != "substitution")

    def _attack(self, subject: Subject, chosen: Tensor, edits: tuple[str, ...], seed: Seed) -> TextRobustness:
        return attack_texts(
            subject.model,
            subject.test.inputs[chosen],
            subject.test.labels[chosen],
            edits=edits,
            budget=max(self.budgets),
            queries=self.queries,
            tries=self.tries,
            table=self.table,
            threshold=subject.decision.threshold,
            seed=seed.integer(),
        )


def _accuracy(robust: Tensor, tested: Tensor, *, edits: str, budget: float) -> Metric:
    empty = "none of the texts can be written out and read alike"
    return proportion(_ACCURACY, robust[tested].numpy(), bound="upper", empty=empty).measured_on(edits=edits, budget=budget)


def _alone(kind: str, result: TextRobustness, *, budget: float) -> Metric:
    """Accuracy under one kind of edit; not measured where it has nothing to change, which says nothing for the classifier."""
    if result.robust.any() and not result.tried.any():
        reason = "in none of the texts is there a word that these edits change and the classifier then reads otherwise"
        return Metric.missing(_ACCURACY, reason, n=int(result.tested.sum()), where={"edits": kind, "budget": budget})
    return _accuracy(result.robust, result.tested, edits=kind, budget=budget)


def _line(metrics: list[Metric]) -> Series:
    return Series(
        "all",
        x=tuple(float(metric.where.get("budget", 0.0)) for metric in metrics),
        y=tuple(metric.value or 0.0 for metric in metrics),
        low=tuple(metric.low or 0.0 for metric in metrics),
        high=tuple(metric.high or 0.0 for metric in metrics),
    )


def _by_kind(results: Mapping[str, TextRobustness]) -> Table:
    """What each kind of edit did alone, and how little of it was needed."""
    rows: list[tuple[Cell, ...]] = []
    for kind, result in results.items():
        fell = result.changed_words > 0
        # NaN where none fell is no number of a record.
        middle = [
            float(values[fell].double().median()) if fell.any() else None for values in (result.changed_words, result.changed_characters)
        ]
        rows.append((kind, int(fell.sum()), *middle, int(result.queries.sum())))
    return Table("by_kind", ("edits", "fallen", "words", "characters", "queries"), tuple(rows))


def _examples(subject: Subject, chosen: Tensor, result: TextRobustness) -> tuple[Table, ...]:
    """The texts that fell to the fewest changed characters, as they were and as they fell."""
    fell = (result.changed_words > 0).nonzero()[:, 0]
    if len(fell) == 0:
        return ()
    least = fell[result.changed_characters[fell].argsort(stable=True)][:_EXAMPLES]
    shown: list[tuple[Cell, ...]] = []
    for i in least.tolist():
        decided = subject.test.classes[int(subject.test.labels[chosen[i]])]
        shown.append(
            (int(subject.test.ids[int(chosen[i])]), decided, result.texts[i], result.adversarial[i], int(result.changed_characters[i]))
        )
    return (Table("examples", ("row", "decided", "before", "after", "characters"), tuple(shown), single=True),)
