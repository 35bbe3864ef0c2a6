"""Part ten: what the report cannot say, who accepts what, and who signs."""

from __future__ import annotations

from audit.report.contents import Contents
from audit.report.document import Block, Cell, Group, Paragraph, Part, Points, Signature
from audit.report.parts.shortening import brief, shortened

_MOST_WAIVERS, _MOST_WAIVER = 6, 160
_LIMITS = ("scope", "interval", "many", "labels", "selection")


def limits_part(contents: Contents) -> Part:
    """Limits, accepted violations, and boxes to sign and to seal in.

    Args:
        contents: What is shown.
    """
    say, declared = contents.catalogue, contents.audit.identity.declarations
    blocks: list[Block] = [Points(tuple(Cell(say(f"limits.{key}")) for key in _LIMITS))]
    if declared.get("known_limits"):
        stated = Cell(say("declaration.known_limits"), small=shortened(contents, declared["known_limits"]), strong=True)
        blocks.append(Points((stated,)))
    if contents.audit.findings:
        blocks.append(Group("waivers", say("heading.waivers"), (_waivers(contents),)))
    blocks.append(Group("sign-off", say("heading.sign_off"), (Paragraph(say("sign.what")), *_boxes(contents), _prevailing(contents))))
    return Part("limits", say("heading.limits"), "body", tuple(blocks))


def _waivers(contents: Contents) -> Block:
    say, waived = contents.catalogue, contents.waived()
    if not waived:
        return Paragraph(say("limits.no_waiver"))
    points = [
        Cell(brief(f.rule), small=shortened(contents, f.waived_by or "", most=_MOST_WAIVER), strong=True) for f in waived[:_MOST_WAIVERS]
    ]
    if len(waived) > _MOST_WAIVERS:
        points.append(Cell(say("scope.more", {"more": len(waived) - _MOST_WAIVERS}), link="findings-details"))
    return Points(tuple(points))


def _boxes(contents: Contents) -> tuple[Signature, ...]:
    """The head of the institution and the audit's lead sign, the institution seals; who made and who examined the classifier sign too."""
    say, declared = contents.catalogue, contents.audit.identity.declarations
    boxes = []
    for role in ("head", "lead", "developer", "validator"):
        name = contents.wording.term(say("sign.name"), brief(declared[role])) if declared.get(role) else say("sign.name")
        boxes.append(Signature(say(f"sign.{role}"), (name, say("sign.signature"), say("sign.date"))))
    return (*boxes, Signature(say("sign.seal"), (say("sign.date"),)))


def _prevailing(contents: Contents) -> Paragraph:
    say = contents.catalogue
    stated = contents.audit.identity.declarations.get("prevailing_language") or "en"
    key = f"prevailing.{stated}"
    return Paragraph(say(key) if key in say and stated != "other" else say("prevailing.other", {"language": brief(stated)}), "note")
