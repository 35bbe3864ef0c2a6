"""A plan as TOML text, which reads back as the same plan."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audit.deidentification.plan import Plan

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEAD = """\
# What is done with each column. Read every line: a proposal sees names and values, and not who could know them.
# action: keep, drop, pseudonym, generalise, round, suppress      role: quasi, sensitive, other
"""
# Beside what is easily meant otherwise.
_NOTES = {"dataset": "    # under one key, pseudonyms of data sets of the same name link"}


def plan_as_toml(plan: Plan) -> str:
    """The plan, with what is left at its default not said, but for what every reader should decide."""
    said = plan.model_dump(mode="json", exclude={"columns"}, exclude_none=True)
    lines = [_HEAD, *(f"{key} = {_value(value)}{_NOTES.get(key, '')}" for key, value in said.items())]
    for name, column in plan.columns.items():
        lines += ["", f"[columns.{_key(name)}]"]
        lines += [f"{key} = {_value(value)}" for key, value in column.model_dump(mode="json", exclude_defaults=True).items()]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    # A basic string of TOML is one of JSON, but for DEL, which TOML wants escaped, and lone surrogates, which no file can hold.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(str(key))} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return json.dumps(value)
