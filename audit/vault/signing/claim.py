"""What every statement claims, whoever makes it: which model, which version, when."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Any

from classifier.errors import ConfigurationError

LONGEST_NAME = 256
LARGEST_VERSION = 2**53
_DIGEST, _TIME = re.compile("[0-9a-f]{64}"), re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


@dataclass(frozen=True)
class Claim:
    """Model, version and time, as the signer claims them.

    Args:
        model: Id of the model, 1 to 256 printable characters.
        version: Its version, a positive integer that rises from release to release.
        time: When the statement was made, in UTC, to the second. Nobody but the signer vouches for it.

    Raises:
        ConfigurationError: If one of them is not so.
    """

    model: str
    version: int
    time: datetime.datetime

    def __post_init__(self) -> None:
        require_name("the model id", self.model)
        if type(self.version) is not int or not 1 <= self.version <= LARGEST_VERSION:
            raise ConfigurationError(f"a model's version must be a positive integer, got {str(self.version)[:40]!r}")
        if self.time.utcoffset() != datetime.timedelta() or self.time.microsecond:
            raise ConfigurationError(
                f"a statement's time must be in UTC, to the second, got {self.time.isoformat()}",
                remedy="take datetime.now(UTC).replace(microsecond=0)",
            )


def require_name(what: str, name: Any) -> None:
    """Refuse what could pass for another name on a terminal or in a report: control characters, invisible ones, blank ends.

    Raises:
        ConfigurationError: If `name` is no string of 1 to 256 printable characters.
    """
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise ConfigurationError(f"{what} must be 1 to {LONGEST_NAME} printable characters, got {str(name)[:40]!r}")


def require_digest(what: str, digest: Any) -> None:
    """Refuse what is no SHA-256 in lower-case hexadecimal.

    Raises:
        ConfigurationError: If it is none.
    """
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ConfigurationError(f"{what} must be a SHA-256 in 64 lower-case hexadecimal digits, got {str(digest)[:80]!r}")


def write_time(time: datetime.datetime) -> str:
    """A time in UTC as RFC 3339 has it, to the second."""
    return time.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def parse_time(text: Any) -> datetime.datetime:
    """Read what `write_time` wrote, and nothing else.

    Raises:
        ConfigurationError: If it is none.
    """
    if isinstance(text, str) and _TIME.fullmatch(text):
        try:
            return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)
        except ValueError:
            pass
    raise ConfigurationError(f"a time must be written as 2026-01-31T12:00:00Z, got {str(text)[:40]!r}")
