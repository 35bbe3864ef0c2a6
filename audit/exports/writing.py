"""Writing exports: each whole or not at all, and none if one of them cannot be made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audit.bundle import Audit
from audit.exports.export import Source, export_ids, export_type
from classifier.errors import ConfigurationError, did_you_mean
from classifier.records import write_atomically


def choose_formats(asked: Sequence[str]) -> tuple[str, ...]:
    """The formats that somebody asked for, each once, in the order asked.

    Args:
        asked: Ids; each may be several with commas between, as a command line has them: ``["junit,sarif", "oscal"]``.

    Raises:
        ConfigurationError: If there is no such format; the message names the nearest.
    """
    names = [name.strip() for part in asked for name in part.split(",")]
    for name in names:
        if name not in export_ids():
            raise ConfigurationError(f"there is no export format {name!r}", remedy=did_you_mean(name, export_ids()))
    return tuple(dict.fromkeys(names))


def formats_for(audit: Audit) -> tuple[str, ...]:
    """Every format in which something can be told of an audit: all of them, if a policy judged it."""
    return tuple(identifier for identifier in export_ids() if audit.findings or not export_type(identifier).needs_findings)


def write_exports(
    audit: Audit,
    folder: Path,
    formats: Sequence[str],
    *,
    policy_text: str | None,
    policy_path: str = "policy.toml",
    started: str | None = None,
) -> tuple[Path, ...]:
    """Write an audit in formats that other programs read: the same bytes for the same audit, every time.

    Args:
        audit: The record.
        folder: Where to: a bundle's ``exports``. Links in the files lead to the folder above it.
        formats: Ids of formats, in the order in which they are written.
        policy_text: Text of the file that somebody wrote: ``policy.toml``, or ``audit.toml`` where that names a policy that comes with
            Assay; ``None`` where nothing was judged.
        policy_path: Where that file is found from the root of the repository, for who shows results beside its lines.
        started: When the audit began (RFC 3339), as ``run.json`` has it; ``oscal`` asks for it.

    Returns:
        The files, in the order of `formats`.

    Raises:
        ConfigurationError: If a format is unknown, or asks for something that is not there; nothing is written then.
        StorageError: If the folder cannot be written to.
    """
    source = Source(audit, policy_text, policy_path, started)
    kinds = [export_type(identifier) for identifier in choose_formats(formats)]
    contents = [(folder / kind.file, kind().content(source)) for kind in kinds]
    for path, content in contents:
        write_atomically(path, content)
    return tuple(path for path, _ in contents)
