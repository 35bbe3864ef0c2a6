"""The policy of a bundle, and its digest as the record states it, from ``policy.toml`` alone.

This is written after the form of the file, not after `audit.policy`, and imports nothing of it.
"""

from __future__ import annotations

import datetime
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from audit.recomputation.record import Json, Record
from classifier.errors import IntegrityError
from classifier.records import sha256

POLICY = "policy.toml"
_SOURCE = "take the bundle from its source"
# What a file need not state, in the order in which the digest takes it; what came with a later release counts only where it is stated.
_HEAD: Mapping[str, Any] = {"id": "", "profile": None, "requires_independence": False}
_RULE: Mapping[str, Any] = {
    "id": "", "metric": "", "where": {}, "min": None, "max": None, "limit": None, "set_by": "", "rationale": "", "severity": "medium",
    "on_inconclusive": "warn", "controls": [], "hazard": None, "requirement": None,
}  # fmt: skip
_WAIVER: Mapping[str, Any] = {"rule": "", "reason": "", "owner": "", "expires": ""}
_LATER = frozenset({"requires_independence", "hazard", "requirement"})


@dataclass(frozen=True)
class PolicyText:
    """What a bundle's ``policy.toml`` says.

    Args:
        rules: The rules by their ids.
        waivers: The waivers by the ids of their rules.
        asks_independence: Whether who examines the classifier must be another than who made it.
        whole: Whether it holds every rule, and builds on no other file.
        digest: The digest of what it says.
    """

    rules: Mapping[str, Json] = field(default_factory=dict)
    waivers: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    asks_independence: bool = False
    whole: bool = True
    digest: str = ""


def read_policy(record: Record) -> PolicyText | None:
    """The policy that lies in a bundle, or ``None`` where none does.

    Raises:
        IntegrityError: If it cannot be read, or two of its rules have one id.
    """
    if POLICY not in record.bundle.files:
        return None
    source = record.bundle.folder / POLICY
    try:
        document = tomllib.loads(record.bundle.read(POLICY).decode())
        head, stated = document["policy"], document.get("rule", [])
        rules = {rule["id"]: rule for rule in stated}
        waivers: dict[str, list[Json]] = {}
        for waiver in document.get("waiver", ()):
            waivers.setdefault(waiver["rule"], []).append(waiver)
        whole = not ({"extends", "remove"} & head.keys())
        digest = _digest(document) if whole else ""
        if len(rules) != len(stated):
            raise ValueError("two rules have one id")
        return PolicyText(rules, waivers, head.get("requires_independence") is True, whole, digest)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{source} is no policy: {error}", remedy=_SOURCE) from error


def _digest(document: Json) -> str:
    parts = [_text("policy", _whole(document["policy"], _HEAD))]
    parts += [_text(name, [_whole(one, form) for one in document.get(name, ())]) for name, form in (("rule", _RULE), ("waiver", _WAIVER))]
    return sha256(("{" + ",".join(parts) + "}").encode())


def _whole(stated: Json, form: Json) -> dict[str, Any]:
    unknown = sorted(stated.keys() - form.keys())
    if unknown:
        raise ValueError(f"{unknown[0]!r} is unknown to this release")
    said = {name: stated.get(name, default) for name, default in form.items()}
    said |= {name: float(said[name]) for name in ("min", "max") if said.get(name) is not None}
    return {name: value for name, value in said.items() if not (name in _LATER and value in (None, False))}


def _text(name: str, value: Any) -> str:
    return f"{json.dumps(name, ensure_ascii=False)}:{_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ",".join(_text(name, one) for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_value, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value.isoformat() if isinstance(value, datetime.date) else value, ensure_ascii=False)


def _number(value: float) -> str:
    """The shortest digits that give the number again, without zeros before those of an exponent."""
    digits, _, power = repr(value).partition("e")
    if power == "-05":
        sign, digits = digits[: digits.index(digits.lstrip("-"))], digits.lstrip("-")
        return f"{sign}0.0000{digits.replace('.', '')}"
    return f"{digits}e{power[0]}{power[1:].lstrip('0')}" if power else digits
