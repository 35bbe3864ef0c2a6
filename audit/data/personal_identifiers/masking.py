"""Masks: the form of a cell without its content."""

from __future__ import annotations

_LONGEST = 44


def masked(text: str) -> str:
    """The text with every digit as ``9`` and every other letter as ``x``, cut after 44 characters; signs and blanks stay."""
    shown = "".join("9" if character.isdigit() else "x" if character.isalnum() else character for character in text[:_LONGEST])
    return shown + ("…" if len(text) > _LONGEST else "")
