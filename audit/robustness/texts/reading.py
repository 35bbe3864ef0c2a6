"""The tables of edits and invariance tests, read once."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "tables"


@cache
def read_table(name: str) -> dict[str, Any]:
    """One table of ``audit/robustness/texts/tables``; what it holds must not be changed."""
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
