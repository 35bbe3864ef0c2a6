"""Part two: what the report covers, what was not measured, and what its owner declares or left out."""

from __future__ import annotations

from audit.report.contents import Contents
from audit.report.document import Block, Cell, Facts, Grid, Group, Head, Paragraph, Part, Points
from audit.report.parts.shortening import shortened
from audit.report.parts.verdict import missing_points

_MOST_MISSING, _MOST_REASON = 9, 220
# Page one shows these.
_ON_PAGE_ONE = frozenset({"intended_use", "decision_asked", "valid_until"})
# Nobody misses these where they are not stated.
_OPTIONAL = frozenset({"known_limits", "prevailing_language", "licence", "contact"})


def scope_part(contents: Contents) -> Part:
    """What is covered and what is not, in short.

    Args:
        contents: What is shown.
    """
    say = contents.catalogue
    asked, answered = len(contents.audit.evidence), sum(evidence.not_run is None for evidence in contents.audit.evidence)
    counted = say("scope.asked", {"asked": asked, "answered": answered})
    blocks = (
        Paragraph(say("scope.lead"), "lead"),
        Points((Cell(counted, link="scope-details"),)),
        Group("scope-missing", say("heading.not_measured"), (_missing(contents),)),
        Group("scope-declared", say("heading.declarations"), (Paragraph(say("scope.declared_lead")), _declared(contents))),
    )
    return Part("scope", say("heading.scope"), "body", blocks)


def scope_details(contents: Contents) -> Part:
    """Every question that was asked, everything that was not measured, and every declaration in full.

    Args:
        contents: What is shown.
    """
    say, missing = contents.catalogue, contents.not_measured()
    asked = tuple(
        (
            Cell(say(f"check.{evidence.check}.title"), small=evidence.check, link=evidence.check),
            Cell(say(f"check.{evidence.check}.question")),
        )
        for evidence in contents.audit.evidence
    )
    heads = (Head(say("column.check")), Head(say("column.question")))
    nothing: Block = Paragraph(say("scope.nothing_missing"))
    shown = Points(tuple(Cell(what, small=why, strong=True) for what, why in missing)) if missing else nothing
    declared = contents.audit.identity.declarations
    known = say.under("declaration")
    facts = [(say(f"declaration.{key}"), Cell(declared.get(key) or say("identity.not_declared"))) for key in known]
    facts += [(key, Cell(text)) for key, text in declared.items() if key not in known]
    blocks = (
        Grid(say("heading.checks"), heads, asked),
        Group("scope-all-missing", say("heading.not_measured"), (shown,)),
        Group("scope-all-declared", say("heading.declarations"), (Paragraph(say("scope.declared_lead")), Facts(tuple(facts)))),
    )
    return Part("scope-details", say("heading.scope_details"), "appendix", blocks)


def _missing(contents: Contents) -> Block:
    say, missing = contents.catalogue, contents.not_measured()
    if not missing:
        return Paragraph(say("scope.nothing_missing"))
    points = missing_points(contents, missing[:_MOST_MISSING], _MOST_REASON)
    if len(missing) > _MOST_MISSING:
        points.append(Cell(say("scope.more", {"more": len(missing) - _MOST_MISSING}), link="scope-details"))
    return Points(tuple(points))


def _declared(contents: Contents) -> Facts:
    """What was declared, and in one line what was not."""
    say, declared = contents.catalogue, contents.audit.identity.declarations
    known = [key for key in say.under("declaration") if key not in _ON_PAGE_ONE]
    facts = [(say(f"declaration.{key}"), Cell(shortened(contents, declared[key]))) for key in known if declared.get(key)]
    left_out = [say(f"declaration.{key}") for key in known if not declared.get(key) and key not in _OPTIONAL]
    if left_out:
        facts.append((say("scope.not_declared"), Cell(contents.wording.listed(left_out), strong=True)))
    return Facts(tuple(facts))
