"""The error that names what cannot be bounded."""

from __future__ import annotations

from classifier.errors import NotApplicableError


def not_certifiable(what: str, where: str = "") -> NotApplicableError:
    """The error that names what cannot be bounded, and where it is.

    Args:
        what: A layer's type, or a function.
        where: The qualified name of the layer, or of the module whose forward code calls the function.
    """
    return NotApplicableError(f"not certifiable: {what} at {where}" if where else f"not certifiable: {what}")
