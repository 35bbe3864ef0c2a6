"""The highest version of each model that this user has seen, so that an old one is told from the newest.

A sealed file cannot show that it is old. The memory helps a person at one machine; a pipeline, which has none, states a minimum
version in its trust store.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audit.strict_json import parse_strictly
from audit.vault.signing.claim import LARGEST_VERSION
from classifier.errors import AssayError, StorageError
from classifier.records import canonical_json, write_atomically

FILE, LOCK = "seen-versions.json", ".seen-versions.lock"
PATIENCE = 5.0


class SeenVersions:
    """The highest versions seen, in a folder that only their owner may write to.

    Args:
        folder: The user's configuration folder of Assay; it is made when something is remembered.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def highest(self, model: str) -> int:
        """The highest version of a model that was remembered; 0 if none was.

        Raises:
            StorageError: If that cannot be read, so that nobody takes it for never seen.
        """
        return self._read().get(model, 0)

    def remember(self, model: str, version: int) -> None:
        """Remember a version, once all of it has verified. A lower one than before changes nothing.

        Processes that do so at the same time wait for each other, so that none lowers what another has raised.

        Raises:
            StorageError: If it cannot be kept. Nothing that was verified is less so.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked():
                versions = self._read()
                if version > versions.get(model, 0):
                    write_atomically(self.path, canonical_json({"version": 1, "highest": {**versions, model: version}}) + b"\n", mode=0o600)
        except OSError as error:
            raise self._trouble(f"cannot keep the versions seen: {error.strerror}") from error

    def _read(self) -> dict[str, int]:
        try:
            content: Any = parse_strictly(self.path.read_bytes(), str(self.path))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._trouble(f"cannot read the versions seen: {error.strerror}") from error
        except AssayError as error:
            raise self._trouble(error.problem) from error
        known = isinstance(content, dict) and content.keys() == {"version", "highest"} and content["version"] == 1
        highest = content["highest"] if known else None
        if not isinstance(highest, dict) or not all(type(v) is int and 1 <= v <= LARGEST_VERSION for v in highest.values()):
            raise self._trouble(f"{self.path} does not hold the versions seen")
        return highest

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            import fcntl
        except ImportError:
            raise self._trouble("versions seen are kept on POSIX systems only") from None
        descriptor = os.open(self.path.with_name(LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + PATIENCE
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise self._trouble(f"another process holds {self.path.with_name(LOCK)}") from None
                    time.sleep(0.01)
            yield
        finally:
            os.close(descriptor)

    def _trouble(self, problem: str) -> StorageError:
        return StorageError(
            problem, remedy=f"an older version is then not told from the newest, unless trust.toml gives a minimum; see to {self.path}"
        )
