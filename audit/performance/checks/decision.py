"""What the decision does: how many it favours, and how often the event befalls those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.check import Check, register
from audit.evidence import Evidence
from audit.subject import Need, Subject
from classifier.seeds import Seed
from classifier.statistics import proportion


@register
@dataclass(frozen=True, kw_only=True)
class Decision(Check):
    """The share decided favourably (the approval rate), and the share of the event among those (the bad rate)."""

    metrics: ClassVar = ("performance.approval_rate", "performance.bad_rate_among_approved")
    needs: ClassVar[frozenset[Need]] = frozenset({"two_classes", "favourable"})

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        test = subject.test
        favourable = test.classes.index(str(test.favourable))
        approved = subject.presumed(subject.probabilities()) == favourable
        bad = test.labels.numpy() != favourable
        rate = proportion("performance.approval_rate", approved, better="neither")
        among = proportion("performance.bad_rate_among_approved", bad[approved], better="lower", empty="nobody was approved")
        return Evidence(
            check=self.id,
            metrics=(rate, subject.on_test(among)),
            parameters={"threshold": subject.decision.threshold, "favourable": test.favourable},
            seed=seed.value,
        )
