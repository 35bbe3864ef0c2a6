"""Shortening of what somebody wrote, where there is room for a few lines only."""

from __future__ import annotations

from audit.report.contents import Contents

_MOST = 260


def shortened(contents: Contents, text: str) -> str:
    """The beginning of a text, with a word that the rest stands in the appendix; a short one as it is.

    Args:
        contents: What is shown.
        text: What was written.
    """
    if len(text) <= _MOST:
        return text
    return contents.catalogue("body.shortened", {"beginning": text[:_MOST].rstrip()})
