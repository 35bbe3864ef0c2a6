"""Files that the tests of the scanner make, and what it says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from audit.supply_chain import Scan, scan

Scanned = Callable[..., Scan]


@pytest.fixture
def scanned(tmp_path: Path) -> Scanned:
    """Scan `content` as a file of that name."""

    def write(content: bytes, name: str = "model.pkl") -> Scan:
        path = tmp_path / name
        path.write_bytes(content)
        return scan(path)

    return write


@pytest.fixture
def rules(scanned: Scanned) -> Callable[..., set[str]]:
    """The rules of which a scan of `content` finds something."""

    def found(content: bytes, name: str = "model.pkl") -> set[str]:
        return {finding.rule for finding in scanned(content, name).findings}

    return found
