"""Text: names and sentences as data, so that none of them becomes markup, a command of a terminal, or a second line."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

# What Markdown, and the HTML that it may hold, could take for markup inside a line, and at the start of one.
_INSIDE = re.compile(r"([\\`*_\[\]{}<>&|~$])")
_AT_START = re.compile(r"^(\d+(?=[.)](?:\s|$)))?([#+\-=]|(?<=\d)[.)])")


def plain(text: object) -> str:
    """One line of printable characters. What XML and YAML cannot hold is replaced, and no name reverses what is read."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(str(text).split()))


def markdown(text: object) -> str:
    """One line that Markdown shows as it is."""
    return _AT_START.sub(r"\1\\\2", _INSIDE.sub(r"\\\1", plain(text)))


def tokens(names: Iterable[str]) -> dict[str, str]:
    """For each name a token of XML without a colon (NCName), different for different names.

    What cannot stand in one becomes an underscore; where two names would then be the same, the later one is numbered.
    """
    given: dict[str, str] = {}
    for name in dict.fromkeys(names):
        token = "".join(c if c in ".-_" or unicodedata.category(c)[0] in "LN" else "_" for c in name)
        if unicodedata.category(token[:1] or " ")[0] != "L" and token[:1] != "_":
            token = f"_{token}"
        unique, number = token, 1
        while unique in given.values():
            number += 1
            unique = f"{token}-{number}"
        given[name] = unique
    return given


def yaml_block(value: Any, indent: int = 0) -> str:
    """Nested mappings and lists as YAML in block style; a name in it is always between quotation marks."""
    pad = "  " * indent
    if isinstance(value, dict):
        return "".join(f"{pad}{key}:{_yaml_value(entry, indent)}" for key, entry in value.items())
    return "".join(f"{pad}- {yaml_block(entry, indent + 1).lstrip() if _nested(entry) else _scalar(entry) + chr(10)}" for entry in value)


def _yaml_value(entry: Any, indent: int) -> str:
    return f"\n{yaml_block(entry, indent + 1)}" if _nested(entry) else f" {_scalar(entry)}\n"


def _nested(entry: Any) -> bool:
    return isinstance(entry, dict | list) and bool(entry)


def _scalar(entry: Any) -> str:
    if isinstance(entry, str):
        return json.dumps(plain(entry), ensure_ascii=False)
    text = json.dumps(entry, allow_nan=False)
    # YAML 1.1, which most read, takes 1e-05 for a word and 1.0e-05 for a number.
    return re.sub(r"^(-?\d+)e", r"\1.0e", text) if isinstance(entry, float) else text
