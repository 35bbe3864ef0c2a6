"""Whose word is taken for what a sealed model is."""

from __future__ import annotations

from enum import Enum
from typing import Final

from classifier.errors import ConfigurationError


class _Trust(Enum):
    ALLOW_UNSIGNED = "allow unsigned"


#: Said by a caller who opens a model whoever made it. Encryption alone names no sender.
ALLOW_UNSIGNED: Final = _Trust.ALLOW_UNSIGNED


def require_trust(trusted: object) -> None:
    """Check that the caller has said whom to trust.

    Raises:
        ConfigurationError: If it is anything but `ALLOW_UNSIGNED`, since nothing else is checked.
    """
    if trusted is not ALLOW_UNSIGNED:
        raise ConfigurationError(
            f"trusted must be ALLOW_UNSIGNED, got {type(trusted).__name__}: this release checks no signatures",
            remedy="pass ALLOW_UNSIGNED only if you know from elsewhere who made the file",
        )
