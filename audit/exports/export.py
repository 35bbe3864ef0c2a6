"""Export: one format that other programs read, made of what an audit's record holds."""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from audit.bundle import Audit
from classifier.errors import ConfigurationError, did_you_mean
from classifier.registry import Registry


@dataclass(frozen=True)
class Source:
    """What an export is made of.

    Args:
        audit: The record.
        policy_text: Text of the file that somebody wrote: ``policy.toml``, or ``audit.toml`` where that names a policy that comes with
            Assay; ``None`` where nothing was judged.
        policy_path: Where that file is found, from where the results are looked at, with forward slashes.
        started: When the audit began (RFC 3339, with an offset), as ``run.json`` has it. The record itself holds no time.
    """

    audit: Audit
    policy_text: str | None
    policy_path: str = "policy.toml"
    started: str | None = None

    def time(self) -> str | None:
        """When the audit began, in coordinated universal time.

        Raises:
            ConfigurationError: If what was given is no time, or has no offset.
        """
        if self.started is None:
            return None
        try:
            started = datetime.datetime.fromisoformat(self.started)
        except ValueError as error:
            raise ConfigurationError(f"the audit's start must be a time as 2026-01-31T12:00:00+00:00, got {self.started!r}") from error
        if started.tzinfo is None:
            raise ConfigurationError(
                f"the audit's start must have an offset from universal time, got {self.started!r}", remedy="add +00:00"
            )
        return started.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Export(ABC):
    """One format. Each is one file in the folder ``formats``, and gives the same bytes for the same source."""

    #: The file that it is written to.
    file: ClassVar[str]
    #: Whether it can tell nothing of an audit that no policy judged.
    needs_findings: ClassVar[bool] = False

    @abstractmethod
    def content(self, source: Source) -> bytes:
        """The whole file.

        Raises:
            ConfigurationError: If the format asks for something that the source lacks.
        """


FORMATS: Registry[type[Export]] = Registry("audit.exports.formats", "export format")


def export_ids() -> tuple[str, ...]:
    """Every format's id."""
    return tuple(stem.replace("_", "-") for stem in FORMATS.ids())


def export_type(identifier: str) -> type[Export]:
    """The format of that id.

    Raises:
        ConfigurationError: If there is none; the message names the nearest.
    """
    if identifier not in export_ids():
        raise ConfigurationError(f"there is no export format {identifier!r}", remedy=did_you_mean(identifier, export_ids()))
    return FORMATS[identifier.replace("-", "_")]
