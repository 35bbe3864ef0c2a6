"""Difference: what two audits say differently, measurement by measurement and rule by rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from audit.policy import Finding
from audit.policy.rule import Severity
from classifier.metric import Metric

#: How a number stands against the one before: worse, better, worse if it had been the only one to be compared, different where neither
#: direction is better, different without a test that could tell chance, not to be compared, or not to be told from the one before.
Status = Literal["regression", "improvement", "possible", "different", "untested", "incomparable", "same"]
#: How chance was ruled out: on the same rows, on two samples, or by counting, which leaves nothing to chance.
Method = Literal["mcnemar", "paired_bootstrap", "paired_delong", "newcombe", "intervals", "counted", "none"]
#: How a rule stands against the one before: violated and not so before; violated without a verdict from before; not decided any more;
#: in one policy alone; not violated only because less is asked, or something else; held now where it failed; nearer to holding; or as
#: it was.
Turn = Literal["newly_violated", "new_violation", "undecided", "removed", "eased", "added", "remedied", "better", "unchanged"]
Movement = Literal["none", "loosened", "tightened", "replaced"]
Scope = Literal["none", "narrowed", "widened", "elsewhere"]
Weight = Literal["none", "softened", "hardened"]
Words = Mapping[str, str | int | float]
STATUSES: tuple[Status, ...] = get_args(Status)
TURNS: tuple[Turn, ...] = get_args(Turn)
#: How often, at most, any number of one family of two equal classifiers is called different.
ALPHA = 0.05


@dataclass(frozen=True)
class Change:
    """One measurement in both audits.

    Args:
        check: The check that it is from.
        name: Name of the metric.
        where: What it was measured on.
        old: What the old audit says; ``None`` where it has no such measurement.
        new: What the new audit says.
        status: How the new one stands against the old one.
        method: How chance was ruled out.
        rows: Rows that both were measured on, where each was compared with itself.
        difference: New value less old value.
        low: Lower end of the 95 % interval of the difference, not corrected for how many were compared.
        high: Upper end of it.
        p_value: How often chance alone gives a difference as large.
        adjusted: The same after Holm's correction for its family; ``None`` where the test could not have found anything.
        least: The least p-value that the test could have given.
        reason: Id of the sentence that says why it cannot be compared.
        words: What that sentence must be told.
        lacking: Whether one audit has no number of this name at all, or was asked otherwise, so that something cannot be told.
    """

    check: str
    name: str
    where: Words
    old: Metric | None
    new: Metric | None
    status: Status
    method: Method = "none"
    rows: int | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    adjusted: float | None = None
    least: float | None = None
    reason: str | None = None
    words: Words = field(default_factory=dict)
    lacking: bool = False


@dataclass(frozen=True)
class RuleChange:
    """One rule in both policies.

    Args:
        rule: Its id.
        old: Its finding in the old audit, if the old policy had it.
        new: Its finding in the new audit.
        turn: How the new finding stands against the old one.
        limit: How its limit was moved.
        scope: Whether it is asked of fewer measurements, of more, or of others.
        weight: Whether a violation weighs less, by its severity or where too few samples leave it open, or more.
        waiver: Whether an acceptance ``"ended"``, ``"began"`` or was ``"renewed"`` in other words; empty where none changed.
    """

    rule: str
    old: Finding | None
    new: Finding | None
    turn: Turn
    limit: Movement = "none"
    scope: Scope = "none"
    weight: Weight = "none"
    waiver: Literal["", "ended", "began", "renewed"] = ""

    @property
    def asks_otherwise(self) -> bool:
        """Whether the rule itself was changed, and not only what it found."""
        return (self.limit, self.scope, self.weight) != ("none", "none", "none")

    @property
    def severities(self) -> frozenset[Severity]:
        """How much a violation mattered and matters: both count, so that none is passed by calling it milder."""
        return frozenset(finding.severity for finding in (self.old, self.new) if finding is not None)


@dataclass(frozen=True)
class Notice:
    """Something beside the measurements that is not alike, and may be why these differ.

    Args:
        id: Id of what it is in the catalogue.
        old: What it was.
        new: What it is.
        of: Which of several, as a part of the data or a rule.
        grave: Whether it says that something cannot be told.
    """

    id: str
    old: str
    new: str
    of: str = ""
    grave: bool = False


@dataclass(frozen=True)
class Side:
    """One of the two audits.

    Args:
        name: Its name.
        classifier: SHA-256 of the classifier; ``None`` where there were predictions only.
        policy: Id of its policy; empty without one.
        seed: Where its random numbers came from.
    """

    name: str
    classifier: str | None
    policy: str
    seed: int


@dataclass(frozen=True)
class Difference:
    """What changed from one audit to another.

    Args:
        old: The audit to compare with.
        new: The audit that is asked about.
        profile: The profile of both.
        notices: What else is not alike, what weighs most first.
        changes: Every measurement of either.
        rules: Every rule of either.
        foremost: How many measurements a test compared that a rule names, or that tell how good a classifier is at all: a family of
            its own.
        tested: How many others, which are the second family.
        sound: Whether the engines of both found every answer that was known beforehand.
        alpha: How often, at most, any number of a family of two equal classifiers is called different.
        version: Version of this record.
    """

    old: Side
    new: Side
    profile: str
    notices: tuple[Notice, ...]
    changes: tuple[Change, ...]
    rules: tuple[RuleChange, ...]
    foremost: int
    tested: int
    sound: bool
    alpha: float = ALPHA
    version: Literal[1] = 1

    def of(self, *statuses: Status) -> tuple[Change, ...]:
        """The measurements that stand so, in the order of the audit."""
        return tuple(change for change in self.changes if change.status in statuses)

    def turned(self, *turns: Turn) -> tuple[RuleChange, ...]:
        """The rules that turned so."""
        return tuple(rule for rule in self.rules if rule.turn in turns)

    @property
    def worse(self) -> bool:
        """Whether a measurement is worse, or a rule newly violated."""
        return bool(self.of("regression") or self.turned("newly_violated"))

    @property
    def untold(self) -> bool:
        """Whether an audit lacks what it takes to tell that nothing is worse."""
        lacking = any(change.lacking for change in self.changes) or any(notice.grave for notice in self.notices)
        untold_rules = self.turned("new_violation", "undecided", "removed", "eased")
        return lacking or bool(untold_rules) or len(self.of("incomparable")) == len(self.changes)

    @property
    def exit_code(self) -> int:
        """0 where nothing is worse, 1 where something is, 3 where that cannot be told, 5 where an engine missed a known answer."""
        return 5 if not self.sound else 1 if self.worse else 3 if self.untold else 0
