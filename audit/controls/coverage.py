"""Coverage: which clauses of a law an audit answers by measurement, which by declaration, and which not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from audit.bundle import Audit
from audit.controls.catalogues import Control, Law
from audit.evidence import Evidence
from audit.policy import VERDICTS, Verdict
from audit.policy.independence import names_differ
from classifier.catalogue import Catalogue

#: That a clause is measured says that there are numbers about it, not that it is met.
Status = Literal["measured", "declared", "out of scope"]
#: Parts of the record that answer a clause by themselves, where an audit has them.
RECORD = ("identity", "known_answers", "limits", "policy", "software", "trust")


@dataclass(frozen=True)
class Covered:
    """One clause, and what answers it.

    Args:
        id: The clause as rules name it, ``"eu-ai-act:10.2.f"``.
        title: What it is about, in the language of the matrix.
        status: Whether the audit answers it by measurement, its owner by all the declarations that it takes, or neither.
        evidence: What answers it, in words.
        checks: How many numbers each check gave that answer it.
        related: How many numbers each check gave that inform it and do not answer it.
        verdicts: How many findings of rules that name the clause have each verdict; none are left out.
        declared: The declarations that answer it and were made.
        undeclared: Those that would answer it and are missing.
    """

    id: str
    title: str
    status: Status
    evidence: str
    checks: dict[str, int]
    verdicts: dict[Verdict, int]
    declared: tuple[str, ...]
    undeclared: tuple[str, ...]
    related: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Matrix:
    """A law or standard, clause by clause.

    Args:
        title: What it is called.
        source: Where it was published, since when it is in force, and which edition of the catalogue this is.
        rows: Its clauses.
    """

    title: str
    source: str
    rows: tuple[Covered, ...]


def matrix(law: Law, audit: Audit, say: Catalogue) -> Matrix:
    """What of a law an audit answers. It says nowhere that a clause is met: that is for those to say who apply the law.

    Args:
        law: The catalogue of its clauses.
        audit: The record.
        say: The sentences of the language.
    """
    head = law.law
    words: dict[str, str | int | float] = {"source": head.source, "in_force": head.in_force, "version": head.version}
    if head.applies_from is not None:
        words["applies_from"] = head.applies_from
    return Matrix(
        title=head.title(say.language),
        source=say("control_evidence.source" if head.applies_from is None else "control_evidence.source_later", words),
        rows=tuple(_cover(f"{head.id}:{control.id}", control, audit, say) for control in law.control),
    )


def _cover(identifier: str, control: Control, audit: Audit, say: Catalogue) -> Covered:
    checks, related = (
        {evidence.check: count for evidence in audit.evidence if (count := _numbers(evidence, names))}
        for names in (control.evidence, control.related)
    )
    parts = [part for part in RECORD if f"record.{part}" in control.evidence and _holds(audit, part)]
    verdicts = Counter(finding.verdict for finding in audit.findings if identifier in finding.controls)
    made = audit.identity.declarations
    declared = tuple(name for name in control.declarations if made.get(name, "").strip())
    undeclared = tuple(name for name in control.declarations if name not in declared)
    alike = control.different and bool(declared) and not undeclared and not names_differ(made, *declared)
    answered = bool(declared) and not undeclared and not alike
    status: Status = "measured" if checks or parts else "declared" if answered else "out of scope"
    shown = {verdict: verdicts[verdict] for verdict in VERDICTS if verdicts[verdict]}
    return Covered(
        id=identifier,
        title=control.title(say.language),
        status=status,
        evidence="; ".join(
            [
                *_words(checks, parts, shown, declared, undeclared, say),
                *([say("control_evidence.alike")] if alike else []),
                *([say("control_evidence.related", {"checks": _told(related, say)})] if related else []),
            ]
        ),
        checks=checks,
        verdicts=shown,
        declared=declared,
        undeclared=undeclared,
        related=related,
    )


def _holds(audit: Audit, part: str) -> bool:
    """Whether the record has a part; limits it has where a rule sets one, and not where all are left to the owner."""
    return any(finding.limit is not None for finding in audit.findings) if part == "limits" else bool(getattr(audit, part))


def _numbers(evidence: Evidence, answering: tuple[str, ...]) -> int:
    """How many numbers with a value a check gave that answer a clause."""
    return sum(metric.value is not None and _answers(evidence.check, metric.name, answering) for metric in evidence.metrics)


def _answers(check: str, metric: str, answering: tuple[str, ...]) -> bool:
    return any(
        check.startswith(entry) or metric.startswith(entry) if entry.endswith(".") else entry in (check, metric) for entry in answering
    )


def _words(
    checks: dict[str, int],
    parts: list[str],
    verdicts: dict[Verdict, int],
    declared: tuple[str, ...],
    undeclared: tuple[str, ...],
    say: Catalogue,
) -> Iterator[str]:
    comma = say("control_evidence.comma")
    if checks:
        yield say("control_evidence.checks", {"checks": _told(checks, say)})
    if parts:
        yield say("control_evidence.record", {"parts": comma.join(say(f"control_record.{part}") for part in parts)})
    if verdicts:
        counted = (f"{say(f'verdict.{verdict}.word')} {count}" for verdict, count in verdicts.items())
        yield say("control_evidence.rules", {"verdicts": comma.join(counted)})
    for key, names in (("declared", declared), ("undeclared", undeclared)):
        if names:
            yield say(f"control_evidence.{key}", {"names": comma.join(say(f"declaration.{name}") for name in names)})


def _told(checks: dict[str, int], say: Catalogue) -> str:
    told = (say("control_evidence.numbers", {"check": say(f"check.{check}.title"), "count": count}) for check, count in checks.items())
    return say("control_evidence.comma").join(told)
