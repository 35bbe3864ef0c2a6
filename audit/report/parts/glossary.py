"""Appendix: the words and the abbreviations of the report."""

from __future__ import annotations

from audit.report.contents import Contents
from audit.report.document import Cell, Facts, Part


def glossary_part(contents: Contents) -> Part:
    """What each word means.

    Args:
        contents: What is shown.
    """
    say = contents.catalogue
    words = ((say(f"glossary.{term}.term"), Cell(say(f"glossary.{term}.meaning"))) for term in say.under("glossary"))
    return Part("glossary", say("heading.glossary"), "appendix", (Facts(tuple(words)),))
