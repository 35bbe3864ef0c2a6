"""What the tests of policies share: the writing of policy files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a policy file of a head and of rules, each given by its id and what follows it; returns its path."""

    def written(name: str, head: str = "", tail: str = "", **rules: str) -> Path:
        text = f'[policy]\nid = "{name}"\n{head}\n'
        for identifier, rest in rules.items():
            text += f'[[rule]]\nid = "{identifier}"\nmetric = "performance.accuracy"\nset_by = "{name}"\nrationale = "r"\n{rest}\n'
        path = tmp_path / f"{name}.toml"
        path.write_text(text + tail)
        return path

    return written
