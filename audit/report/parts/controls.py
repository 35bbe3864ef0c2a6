"""Appendix: what the laws and standards that were chosen ask, and what of it this audit measured or holds as a declaration."""

from __future__ import annotations

from collections.abc import Sequence

from audit.controls import Matrix
from audit.report.contents import Contents
from audit.report.document import Cell, Grid, Head, Paragraph, Part


def controls_part(contents: Contents, matrices: Sequence[Matrix]) -> Part:
    """One matrix for each law or standard that was chosen.

    Args:
        contents: What is shown.
        matrices: The laws and standards, in the words of the language.
    """
    say = contents.catalogue
    lead = Paragraph(say("control.lead"))
    blocks = (block for matrix in matrices for block in (_matrix(contents, matrix), Paragraph(matrix.source, "muted")))
    return Part("controls", say("heading.controls"), "appendix", (lead, *blocks))


def _matrix(contents: Contents, matrix: Matrix) -> Grid:
    say = contents.catalogue
    heads = tuple(Head(say(f"control.{head}")) for head in ("clause", "status", "evidence"))
    rows = tuple(
        (Cell(row.id, small=row.title), Cell(say(f"control_status.{row.status}"), strong=row.status == "measured"), Cell(row.evidence))
        for row in matrix.rows
    )
    return Grid(matrix.title, heads, rows)
