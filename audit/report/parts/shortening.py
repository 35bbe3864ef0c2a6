"""Shortening of what somebody wrote, where there is room for a few lines only."""

from __future__ import annotations

from audit.report.contents import Contents
from audit.report.pdf_letters import width

_MOST, _MOST_OF_NAME = 260, 48


def shortened(contents: Contents, text: str, *, most: int = _MOST) -> str:
    """The beginning of a text, with a word that the rest stands in the appendix; a short one as it is.

    Args:
        contents: What is shown.
        text: What was written.
        most: For how many letters there is room; a Chinese one takes the room of two.
    """
    kept = _fitting(text, most)
    return text if kept == len(text) else contents.catalogue("body.shortened", {"beginning": text[:kept].rstrip()})


def brief(text: str, *, most: int = _MOST_OF_NAME) -> str:
    """A name with its middle left out, so that those that begin or end alike can still be told apart; a short one as it is.

    Args:
        text: The name.
        most: For how many letters there is room; a Chinese one takes the room of two.
    """
    kept = _fitting(text, most)
    end = kept // 3
    return text if kept == len(text) else f"{text[: kept - end - 1].rstrip()}…{text[len(text) - end :].lstrip()}"


def _fitting(text: str, most: int) -> int:
    """How many letters fit."""
    wide = width(text)
    return len(text) if wide <= most else len(text) * most // wide
