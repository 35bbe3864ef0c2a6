"""Part one: the verdict on one page."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace

from audit.policy import VERDICTS, Finding
from audit.report.contents import SEVERITIES, Contents
from audit.report.document import Block, Cell, Facts, Grid, Group, Head, Paragraph, Part, Points
from audit.report.parts.shortening import brief, shortened

_MOST_MISSING, _MOST_LISTED, _MOST_REASON, _MOST_STATED = 4, 120, 220, 180
_SHOWN_DIGITS, _MOST_NAME, _MOST_ASKED = 12, 36, 72


def verdict_part(contents: Contents) -> Part:
    """What was found, of what, on whose word, and until when it holds.

    Args:
        contents: What is shown.
    """
    say = contents.catalogue
    headline = Paragraph(contents.wording.sentences(*contents.headline()), "headline")
    judged = (_counts(contents), *_worst(contents)) if contents.audit.findings else ()
    return Part("verdict", say("heading.verdict"), "body", (headline, _identity(contents), *judged, _missing(contents)))


def _identity(contents: Contents) -> Facts:
    say, identity = contents.catalogue, contents.audit.identity
    declared = identity.declarations
    use, asked = (shortened(contents, declared.get(name, ""), most=_MOST_STATED) for name in ("intended_use", "decision_asked"))
    facts = [
        (say("identity.intended_use"), Cell(use or say("identity.not_declared"))),
        (say("identity.decision_asked"), Cell(asked or say("identity.not_stated"))),
        (say("identity.audited"), Cell(_audited(contents))),
        (say("identity.decision"), Cell(_decision(contents))),
        (say("identity.rows"), Cell(contents.wording.points(_rows(contents), say(f"independence.{identity.independence}")))),
        (say("identity.classifier_id"), Cell(_short(identity.classifier) if identity.classifier else say("identity.no_classifier"))),
        (say("identity.data_id"), Cell(_data_digests(contents))),
        (say("identity.policy"), Cell(_policy(contents))),
        (say("identity.assessment"), Cell(assessment(contents))),
        (say("identity.known_answers"), Cell(_known_answers(contents))),
        (say("identity.valid_until"), Cell(expiry(contents))),
        (say("identity.signers"), Cell(_signers(contents))),
    ]
    return Facts(tuple(facts))


def assessment(contents: Contents) -> str:
    """Whether somebody other than who made the classifier is declared to have examined it."""
    declared = contents.audit.identity.declarations
    developer, validator = (declared.get(name, "").strip() for name in ("developer", "validator"))
    if developer and validator and developer.casefold() != validator.casefold():
        return contents.catalogue("assessment.declared", {"developer": brief(developer), "validator": brief(validator)})
    return contents.catalogue("assessment.self")


def expiry(contents: Contents) -> str:
    """Until when the report is declared to hold, held against the day on which the audit was run."""
    say, stated = contents.catalogue, contents.audit.identity.declarations.get("valid_until", "").strip()
    if not stated:
        return say("expiry.missing")
    try:
        until = datetime.date.fromisoformat(stated)
    except ValueError:
        return say("expiry.unclear", {"stated": brief(stated)})
    # Days in ISO 8601 sort as they follow each other.
    passed = until.isoformat() < contents.run.get("started", "")[:10]
    return say("expiry.passed" if passed else "expiry.until", {"date": until.isoformat()})


def measured_finding(contents: Contents, finding: Finding) -> str:
    """What a rule asked about: the metric, and where it was measured."""
    where = finding.metric is not None and finding.metric.where
    title = contents.wording.title(finding.asked)
    return contents.wording.listed((title, contents.wording.where(finding.metric))) if where and finding.metric is not None else title


def named_finding(contents: Contents, finding: Finding, place: int) -> Cell:
    """A rule and what it asked about, in short, with the way to all of it."""
    return Cell(
        brief(finding.rule, most=_MOST_NAME), small=brief(measured_finding(contents, finding), most=_MOST_ASKED), link=f"rule-{place}"
    )


def required(contents: Contents, finding: Finding) -> str:
    """The limit and who set it, in short."""
    return contents.wording.requirement(replace(finding, set_by=brief(finding.set_by, most=_MOST_NAME)))


def missing_points(contents: Contents, missing: Sequence[tuple[str, str]], most: int) -> list[Cell]:
    """What was not measured, and why, in short."""
    return [Cell(brief(what, most=_MOST_ASKED), small=shortened(contents, why, most=most), strong=True) for what, why in missing]


def identity_in_full(contents: Contents) -> list[tuple[str, Cell]]:
    """What page one says in short: the classifier, the decision, the policy and the signers."""
    say, policy, signers = contents.catalogue, contents.audit.policy, contents.run.get("signers") or ()
    facts = [
        (say("identity.audited"), Cell(_audited(contents, whole=True))),
        (say("identity.decision"), Cell(_decision(contents, whole=True))),
    ]
    facts += [(say("identity.policy"), Cell(policy["id"]))] if policy else []
    return [*facts, (say("identity.signers"), Cell(contents.wording.listed(signers)))] if signers else facts


def _audited(contents: Contents, *, whole: bool = False) -> str:
    say, wording, identity = contents.catalogue, contents.wording, contents.audit.identity
    words = {
        "architecture": say(f"architecture.{identity.architecture}"),
        "features": identity.features,
        "classes": wording.listed(identity.classes) if whole else _listed(contents, identity.classes),
    }
    return say("identity.classifier", words)


def _listed(contents: Contents, names: Sequence[str]) -> str:
    return shortened(contents, contents.wording.listed(map(brief, names)), most=_MOST_LISTED)


def _decision(contents: Contents, *, whole: bool = False) -> str:
    say, identity = contents.catalogue, contents.audit.identity
    named: Callable[[str], str] = str if whole else brief
    if identity.event is None:
        return say("identity.decision_likeliest")
    taken = say("identity.decision_event", {"event": named(identity.event), "threshold": identity.threshold})
    wanted = "" if identity.favourable is None else say("identity.favourable", {"favourable": named(identity.favourable)})
    return contents.wording.points(taken, wanted)


def _rows(contents: Contents) -> str:
    say, rows = contents.catalogue, contents.audit.identity.rows
    parts = (say("identity.part", {"part": say(f"part.{part}"), "rows": rows[part]}) for part in say.under("part") if part in rows)
    return contents.wording.listed(parts)


def _data_digests(contents: Contents) -> str:
    say, data = contents.catalogue, contents.audit.identity.data
    shown = [say("identity.part", {"part": say(f"part.{part}"), "rows": _short(data[part])}) for part in say.under("part") if part in data]
    return contents.wording.listed(shown) or say("number.dash")


def _short(digest: str) -> str:
    """As much of a digest as tells it from others at a glance; the whole stands in the appendix."""
    return f"{digest[:_SHOWN_DIGITS]}…"


def _policy(contents: Contents) -> str:
    policy = contents.audit.policy
    if not policy:
        return contents.catalogue("identity.no_policy")
    return contents.wording.listed((brief(policy["id"]), _short(policy["sha256"])))


def _known_answers(contents: Contents) -> str:
    say, answers = contents.catalogue, contents.audit.known_answers
    if not answers:
        return say("identity.known_none")
    return say("identity.known_held", {"held": sum(answer.holds for answer in answers), "total": len(answers)})


def _signers(contents: Contents) -> str:
    signers = contents.run.get("signers") or ()
    return _listed(contents, signers) if signers else contents.catalogue("identity.signers_unknown")


def _counts(contents: Contents) -> Grid:
    say, total = contents.catalogue, contents.audit.count()
    heads = (say("finding.verdict"), *(say(f"severity.{severity}") for severity in SEVERITIES), say("severity.all"))
    rows = tuple(
        (
            Cell("", verdict=verdict),
            *(Cell(str(contents.count(verdict, severity))) for severity in SEVERITIES),
            Cell(str(total[verdict]), strong=True),
        )
        for verdict in VERDICTS
    )
    return Grid(say("finding.counts"), tuple(Head(head, number=place > 0) for place, head in enumerate(heads)), rows)


def _worst(contents: Contents) -> tuple[Block, ...]:
    say, wording = contents.catalogue, contents.wording
    order = {finding.rule: place for place, finding in enumerate(contents.ranked(), start=1)}
    rows = []
    for finding in contents.worst():
        severity = say("finding.of_severity", {"severity": say(f"severity.{finding.severity}")})
        waived = say("finding.waived") if finding.violated and finding.waived_by else ""
        rows.append(
            (
                named_finding(contents, finding, order[finding.rule]),
                Cell("", small=wording.points(severity, waived), verdict=finding.verdict),
                Cell(wording.measured(finding.metric, beside=finding.limit)),
                Cell(required(contents, finding)),
            )
        )
    heads = tuple(Head(say(f"finding.{head}")) for head in ("rule", "verdict", "measured", "required"))
    all_rules = Points((Cell(say("finding.all_below", {"rules": len(contents.audit.findings)}), link="findings"),))
    shown = Grid(say("heading.worst"), heads, tuple(rows)) if rows else Paragraph(say("finding.none_worst"))
    return shown, all_rules


def _missing(contents: Contents) -> Group:
    say, missing = contents.catalogue, contents.not_measured()
    if not missing:
        return Group("not-measured", say("heading.not_measured"), (Paragraph(say("scope.nothing_missing")),))
    points = missing_points(contents, missing[:_MOST_MISSING], _MOST_REASON)
    if len(missing) > _MOST_MISSING:
        points.append(Cell(say("scope.more", {"more": len(missing) - _MOST_MISSING}), link="scope-details"))
    return Group("not-measured", say("heading.not_measured"), (Points(tuple(points)),))
