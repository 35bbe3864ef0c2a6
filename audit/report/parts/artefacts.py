"""Appendix: the files, by their digests, what a scan found in them, and to whom the classifier is encrypted."""

from __future__ import annotations

from audit.report.contents import Contents
from audit.report.document import Block, Cell, Facts, Grid, Group, Head, Paragraph, Part
from audit.report.parts.details import check_groups


def artefacts_part(contents: Contents) -> Part:
    """Digests, seal, and the checks of the files that came in.

    Args:
        contents: What is shown.
    """
    say = contents.catalogue
    blocks: tuple[Block, ...] = (
        Paragraph(say("seal.lead")),
        _digests(contents),
        Group("seal", say("heading.seal"), (_seal(contents),)),
        *check_groups(contents, "supply_chain"),
    )
    return Part("artefacts", say("heading.artefacts"), "appendix", blocks)


def _digests(contents: Contents) -> Grid:
    say, identity, policy = contents.catalogue, contents.audit.identity, contents.audit.policy
    rows = [(say("identity.classifier_id"), identity.classifier or "")]
    rows += [(contents.wording.term(say("identity.rows"), say(f"part.{part}")), digest) for part, digest in identity.data.items()]
    if identity.source.get("sha256"):
        rows.append((identity.source.get("name", say("identity.source")), identity.source["sha256"]))
    if policy:
        rows.append((say("identity.policy"), policy["sha256"]))
    nothing = say("identity.no_classifier")
    cells = tuple((Cell(name), Cell(digest, code=True) if digest else Cell(nothing)) for name, digest in rows)
    return Grid(say("heading.digests"), (Head(say("column.name")), Head(say("column.digest"))), cells)


def _seal(contents: Contents) -> Block:
    say, seal = contents.catalogue, contents.run.get("seal")
    if not seal:
        return Paragraph(say("seal.none"))
    facts = [(say(f"seal.{key}"), Cell(str(seal[key]), code=key == "digest")) for key in ("file", "recipients", "digest") if seal.get(key)]
    if "opened_again" in seal:
        facts.append((say("seal.opened"), Cell(say("seal.opened_yes" if seal["opened_again"] else "seal.opened_no"))))
    return Facts(tuple(facts))
