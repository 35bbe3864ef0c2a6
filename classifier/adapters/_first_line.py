"""What an error of another library says, in one line."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """The first line of an error's message; its class where it says nothing, as an empty file's does."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
