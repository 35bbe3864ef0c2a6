"""The manifests of a bundle: the SHA-256 of every file in it, and nothing in it that they do not name.

Nothing here needs a numerical library, so that a bundle is verified in little more than the time that its digests take.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import file_digest
from io import FileIO
from pathlib import Path
from typing import Any

from audit.redactions import PUBLIC, RECORD, REDACTIONS, Redactions
from audit.strict_json import LONGEST, parse_strictly
from classifier.errors import IntegrityError
from classifier.records import canonical_json, sha256, sha256_file, write_atomically

MANIFEST, RENDERINGS, ATTESTATION, TIMESTAMP = "manifest.json", "renderings.json", "attestation.dsse.json", "timestamp.tsr"
# What the manifest covers: all that inputs and seed determine. What was sealed is other bytes each time.
RECORDED = (RECORD, PUBLIC, "audit.toml", "policy.toml", "evidence/*.json", "evidence/*.safetensors")
# The signature is over the manifests, the time stamp over the signature, and a published copy keeps both: they cannot name these.
UNNAMED = frozenset({MANIFEST, RENDERINGS, ATTESTATION, TIMESTAMP, REDACTIONS})
THREADS = 2
# Neither through a link, nor for ever, should the file have become a pipe by now. Not every system has every flag.
_FLAGS = sum(getattr(os, flag, 0) for flag in ("O_RDONLY", "O_BINARY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK"))
_DIGEST = re.compile("[0-9a-f]{64}")
_SOURCE = "take the bundle from its source, or run the audit again"


@dataclass(frozen=True)
class VerifiedBundle:
    """A bundle of which every file was what its manifests say.

    Args:
        folder: Where it is.
        manifests: SHA-256 of ``manifest.json`` and of ``renderings.json``, of the very bytes that the files were held against.
        files: SHA-256 of every file that they name and that is there.
        withheld: SHA-256 of every file that they name and that a published copy leaves out.
        made: SHA-256 of what the publisher put in its place. No manifest vouches for it.
    """

    folder: Path
    manifests: dict[str, str]
    files: dict[str, str]
    withheld: Mapping[str, str] = field(default_factory=dict)
    made: Mapping[str, str] = field(default_factory=dict)

    @property
    def record(self) -> str:
        """The file that holds what was measured and judged: of a published copy, the one without single cases."""
        return PUBLIC if RECORD in self.withheld else RECORD

    def read(self, name: str) -> bytes:
        """The content of a file, which may have been changed since it was verified, and is held against its digest again.

        Raises:
            IntegrityError: If it was changed, or is named in no manifest.
        """
        known = {**self.made, **self.files}
        if name not in known:
            raise IntegrityError(f"{_told(self.folder, name)} is named in no manifest", remedy=_SOURCE)
        content = _read(self.folder / name)
        if sha256(content) != known[name]:
            raise IntegrityError(f"{_told(self.folder, name)} was changed since it was verified", remedy=_SOURCE)
        return content


def write_manifests(folder: Path) -> None:
    """Write the digests of all files in a bundle: those of the record, and those made from it."""
    files = {folder / name for name in _list_files(folder)}
    recorded = {path for pattern in RECORDED for path in folder.glob(pattern)} & files
    write_atomically(folder / MANIFEST, canonical_json(_digests(folder, recorded)) + b"\n")
    write_atomically(folder / RENDERINGS, canonical_json(_digests(folder, files - recorded)) + b"\n")


def verify_bundle(folder: Path) -> VerifiedBundle:
    """Hold every file of a bundle against its manifests.

    Raises:
        IntegrityError: If a file was changed, is missing, is named nowhere or is no plain file, if two names are one file where
            case does not count, or if anything changes while it is looked at.
    """
    manifests: dict[str, str] = {}
    expected: dict[str, str] = {}
    for name in (MANIFEST, RENDERINGS):
        content = _read(folder / name, LONGEST + 1)
        manifests[name] = sha256(content)
        digests = _parse(content, folder / name)
        for twice in sorted(expected.keys() & digests.keys()):
            raise IntegrityError(f"{_told(folder, twice)} is named in two manifests", remedy="take the bundle from its source")
        expected |= digests
    redactions = _read_redactions(folder, expected)
    _require_different(folder, [*expected, *redactions.made])
    present = _list_files(folder)
    # What was withheld and is there again is held against its digest like any other file.
    withheld = {name: file.sha256 for name, file in redactions.withheld.items() if name not in present}
    expected = {name: digest for name, digest in expected.items() if name not in withheld} | dict(redactions.made)
    for name in sorted(expected.keys() - present.keys()):
        raise IntegrityError(f"{_told(folder, name)} is missing", remedy="take the whole bundle, or run the audit again")
    for name in sorted(present.keys() - expected.keys()):
        raise IntegrityError(
            f"{_told(folder, name)} is named in no manifest", remedy="somebody added it; take it out, or run the audit again"
        )
    with ThreadPoolExecutor(THREADS) as pool:
        # The largest go first, so that no thread is left alone with one at the end.
        largest = sorted(expected, key=lambda name: -present[name].st_size)
        found = dict(zip(largest, pool.map(lambda name: _digest(folder, name, present[name]), largest), strict=True))
    for name in sorted(expected):
        if found[name] != expected[name]:
            raise IntegrityError(f"{_told(folder, name)} was changed since the audit", remedy=_SOURCE)
    after = _list_files(folder)
    for name in sorted(expected.keys() | after.keys()):
        _require_same(folder, name, present.get(name), after.get(name))
    named = {name: digest for name, digest in expected.items() if name not in redactions.made}
    return VerifiedBundle(folder, manifests, named, withheld, redactions.made)


def read_attestation(folder: Path) -> bytes | None:
    """The envelope that signs a bundle, or ``None`` if there is none.

    Raises:
        IntegrityError: If something else is in its place.
    """
    return _read_unnamed(folder, ATTESTATION)


def read_timestamp(folder: Path) -> bytes | None:
    """The response of an authority for time stamps, or ``None`` if there is none.

    Raises:
        IntegrityError: If something else is in its place.
    """
    return _read_unnamed(folder, TIMESTAMP)


def _read_unnamed(folder: Path, name: str) -> bytes | None:
    if not os.path.lexists(folder / name):
        return None
    return _read(folder / name, LONGEST + 1)


def _read_redactions(folder: Path, expected: Mapping[str, str]) -> Redactions:
    """What a published copy says that it leaves out, each of which a manifest must name."""
    content = _read_unnamed(folder, REDACTIONS)
    if content is None:
        return Redactions()
    redactions = Redactions.from_json(content, str(folder / REDACTIONS))
    for name, file in redactions.withheld.items():
        if expected.get(name) != file.sha256:
            raise IntegrityError(f"{folder / REDACTIONS} names {_told(folder, name)} with a digest that no manifest has", remedy=_SOURCE)
    for name in redactions.made.keys() & expected.keys():
        raise IntegrityError(f"{_told(folder, name)} is named in a manifest, and as made for the copy", remedy=_SOURCE)
    return redactions


def _list_files(folder: Path) -> dict[str, os.stat_result]:
    """What lies in a bundle beside what no manifest names, by its path from there.

    A link could lead to something else tomorrow, a pipe or a device would never end: nothing but plain files is taken.
    """
    found: dict[str, os.stat_result] = {}
    folders = [""]
    while folders:
        inside = folders.pop()
        with _readable(folder / inside), os.scandir(folder / inside) as entries:
            for entry in entries:
                name = f"{inside}{entry.name}"
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    folders.append(f"{name}/")
                elif not stat.S_ISREG(status.st_mode):
                    kind = "a link" if stat.S_ISLNK(status.st_mode) else "no plain file"
                    raise IntegrityError(f"{_told(folder, name)} is {kind}; a bundle holds plain files only", remedy="take it out")
                elif name not in UNNAMED:
                    found[name] = status
    return found


def _told(folder: Path, name: str) -> str:
    """A file's path for an error. Its name may be a stranger's, and must not steer the terminal."""
    path = str(folder / name)
    return path if path.isprintable() else ascii(path)


def _require_same(folder: Path, name: str, before: os.stat_result | None, after: os.stat_result | None) -> None:
    parts = ("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
    if before is None or after is None or any(getattr(before, part) != getattr(after, part) for part in parts):
        raise IntegrityError(
            f"{_told(folder, name)} changed while it was verified", remedy="verify again when nothing writes to the bundle"
        )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise IntegrityError(f"{path} is missing", remedy="take the whole bundle, or run the audit again") from None
    except OSError as error:
        raise IntegrityError(f"{path} cannot be read: {error.strerror}", remedy="check its kind and permissions") from error


@contextmanager
def _opened(path: Path) -> Iterator[FileIO]:
    with _readable(path), FileIO(os.open(path, _FLAGS)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise IntegrityError(f"{path} is no plain file", remedy=_SOURCE)
        yield file


def _read(path: Path, most: int = -1) -> bytes:
    with _opened(path) as file:
        return file.read(most)


def _digest(folder: Path, name: str, listed: os.stat_result) -> str:
    with _opened(folder / name) as file:
        # A folder on the way may be a link by now, or another folder.
        _require_same(folder, name, listed, os.fstat(file.fileno()))
        return file_digest(file, "sha256").hexdigest()


def _digests(folder: Path, paths: Iterable[Path]) -> dict[str, Any]:
    return {"version": 1, "sha256": {path.relative_to(folder).as_posix(): sha256_file(path) for path in paths}}


def _parse(content: bytes, path: Path) -> dict[str, str]:
    manifest = parse_strictly(content, str(path))
    digests = manifest.get("sha256") if isinstance(manifest, dict) and manifest.keys() == {"version", "sha256"} else None
    if not isinstance(digests, dict) or not all(isinstance(d, str) and _DIGEST.fullmatch(d) for d in digests.values()):
        raise IntegrityError(f"{path} is no manifest", remedy=_SOURCE)
    if manifest["version"] != 1:
        raise IntegrityError(
            f"{path} is of version {str(manifest['version'])[:20]}, and this release reads version 1", remedy="use a newer release of Assay"
        )
    for name in digests:
        if name.startswith("/") or "\\" in name or {"", ".", ".."} & set(name.split("/")):
            raise IntegrityError(f"{path} names a file outside the bundle", remedy=_SOURCE)
    return digests


def _require_different(folder: Path, names: Iterable[str]) -> None:
    """Refuse names of which some systems would make one file: whichever was written last would stand for both."""
    known: dict[str, str] = {unicodedata.normalize("NFC", name).casefold(): name for name in UNNAMED}
    for name in sorted(names):
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        if key in known:
            raise IntegrityError(f"{_told(folder, name)} and {known[key]!r} are one file on some systems", remedy=_SOURCE)
        known[key] = name
