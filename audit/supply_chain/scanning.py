"""Scanning a file or a folder: everything is hashed and looked into, and nothing is loaded, imported or run."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from audit.supply_chain.archives.names import check_repetitions
from audit.supply_chain.findings import SEVERITIES, Scan, ScanFinding, ScannedFile
from audit.supply_chain.look import Journal, Look, harmless, printable
from audit.supply_chain.looking import look_into
from audit.supply_chain.source import BLOCK, Source
from classifier.errors import ConfigurationError, StorageError
from classifier.progress import Advance, progress_bar


def scan(path: str | Path, *, progress: bool = False) -> Scan:
    """Look into a file, or into every file of a folder, without loading any.

    Args:
        path: A file or a folder. A link is followed here, and nowhere below.
        progress: Whether to show a bar on a terminal.

    Returns:
        Every file with its SHA-256 and kind, and every finding, the gravest first. Whatever is wrong with a file is a
        finding; the same files give the same scan.

    Raises:
        StorageError: If `path` itself is not there or cannot be read.
        ConfigurationError: If it holds no file.
    """
    root = Path(path)
    try:
        single = not stat.S_ISDIR(os.stat(root).st_mode)
        entries = [root] if single else _entries(root)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", remedy="check its name and permissions") from error
    if not entries:
        raise ConfigurationError(f"{path} holds no file, and there is nothing to scan", remedy="name a file, or a folder with files")
    base = root.parent if single else root
    files: list[ScannedFile] = []
    findings: list[ScanFinding] = []
    with progress_bar("scanning", sum(_steps(entry) for entry in entries), shown=progress) as advance:
        for entry in entries:
            name = _shown(entry.relative_to(base))
            journal = Journal(name)
            files.append(_file(entry, base, journal, advance, follow=single))
            findings += journal.close()
    if not single:
        journal = Journal(".")
        whole = Look(Source(io.BytesIO(), 0, 0), ".", journal)
        check_repetitions(whole, [entry.relative_to(base).as_posix() for entry in entries], rule="file.case")
        findings += journal.close()
    return Scan(_shown(root), tuple(sorted(files, key=lambda file: file.name)), tuple(sorted(findings, key=_by_severity)))


def scan_together(paths: Sequence[str | Path]) -> Scan:
    """Several files and folders as one scan, every file named from the folder that holds them all.

    Args:
        paths: What is scanned, each once.

    Returns:
        As of `scan`. No two files have one name.
    """
    found = {path: scan(path) for path in dict.fromkeys(Path(os.path.abspath(path)) for path in paths)}
    base = Path(os.path.commonpath([path.parent for path in found])) if found else Path()
    homes = {path: path if path.is_dir() else path.parent for path in found}
    if len(found) == 1:
        base = homes[next(iter(homes))]
    named = {path: _shown(homes[path].relative_to(base)) for path in found}

    def name(path: Path, file: str) -> str:
        return file if named[path] == "." else f"{named[path]}/{file}"

    files = {name(path, file.name): replace(file, name=name(path, file.name)) for path, one in found.items() for file in one.files}
    findings = dict.fromkeys(replace(finding, file=name(path, finding.file)) for path, one in found.items() for finding in one.findings)
    return Scan(_shown(base), tuple(files[key] for key in sorted(files)), tuple(sorted(findings, key=_by_severity)))


def _by_severity(finding: ScanFinding) -> tuple[int, str, str, int, str, str]:
    """The order of findings: the gravest first, then by their place."""
    place = -1 if finding.offset is None else finding.offset
    return SEVERITIES.index(finding.severity), finding.file, finding.member, place, finding.rule, finding.reason


def _entries(root: Path) -> list[Path]:
    """Everything in a folder that is no folder, links included, in one order on every machine."""

    def refuse(error: OSError) -> None:
        raise error

    found: list[Path] = []
    for folder, folders, names in os.walk(root, onerror=refuse):
        # A link to a folder is listed among folders, and not followed.
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        found += [Path(folder, name) for name in (*names, *links)]
    return sorted(found)


def _steps(entry: Path) -> int:
    try:
        return 2 + 2 * (os.lstat(entry).st_size // BLOCK)
    except OSError:
        return 2


def _file(entry: Path, base: Path, journal: Journal, advance: Advance, *, follow: bool) -> ScannedFile:
    steps = _Steps(advance, _steps(entry), journal.file)
    try:
        mode = os.stat(entry, follow_symlinks=follow).st_mode
        if stat.S_ISLNK(mode):
            return _link(entry, base, journal)
        if not stat.S_ISREG(mode):
            # To open a pipe or a device could wait for ever, or do something.
            journal.add("file.special", "it is a pipe, a socket or a device")
            return ScannedFile(journal.file, 0, None, "special", False)
        flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | (0 if follow else getattr(os, "O_NOFOLLOW", 0)) | getattr(os, "O_NONBLOCK", 0)
        with open(os.open(entry, flags), "rb", buffering=0) as file:
            return _opened(entry, base, journal, file, steps)
    except OSError as error:
        journal.looked_into = False
        journal.add("file.unreadable", f"it cannot be read: {error.strerror}")
        return ScannedFile(journal.file, 0, None, "unreadable", False)
    finally:
        steps.finish()


def _opened(entry: Path, base: Path, journal: Journal, file: io.FileIO, steps: _Steps) -> ScannedFile:
    before = os.fstat(file.fileno())
    source = Source(cast("BinaryIO", file), 0, before.st_size)
    digest = hashlib.sha256()
    for block in source.blocks():
        digest.update(block)
        steps(len(block))
    look = Look(source, entry.name, journal, path=entry, root=base, advance=steps, into=look_into)
    try:
        kind = look_into(look)
    except Exception as error:  # a fault of the scanner must not hide a file behind it: it counts as not looked into
        kind = "other"
        look.unseen("file.fault", f"the scanner itself failed: {type(error).__name__}")
    after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        look.unseen("file.changed", "its size or time is another than when the scan began")
    return ScannedFile(journal.file, before.st_size, digest.hexdigest(), kind, journal.looked_into, journal.members)


def _link(entry: Path, base: Path, journal: Journal) -> ScannedFile:
    """A link is not followed: what it leads to is scanned in its own place, if that is in the folder."""
    target = os.readlink(entry)
    reached = Path(os.path.realpath(entry))
    if not reached.is_relative_to(os.path.realpath(base)):
        journal.looked_into = False
        journal.add("file.link", f"it leads to {printable(target)!r}")
    return ScannedFile(journal.file, 0, None, "link", journal.looked_into)


def _shown(path: Path) -> str:
    return harmless(path.as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


class _Steps:
    """Moves the bar by the bytes that were read, and to the end of a file's share once that is done."""

    def __init__(self, advance: Advance, total: int, name: str) -> None:
        self._advance, self._left, self._name, self._bytes = advance, total, name, 0

    def __call__(self, count: int) -> None:
        self._bytes += count
        while self._bytes >= BLOCK and self._left > 1:
            self._bytes -= BLOCK
            self._left -= 1
            self._advance(self._name)

    def finish(self) -> None:
        """The rest of it."""
        for _ in range(self._left):
            self._advance(self._name)
        self._left = 0
