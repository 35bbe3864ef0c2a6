"""Writing: a policy as a ``policy.toml`` that is whole by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from audit.policy.document import Policy


def policy_text(policy: Policy) -> str:
    """The policy as TOML, with all that it inherited, and nothing that it would mean by itself.

    Reading it gives a policy of the same digest.

    Args:
        policy: The policy.
    """
    content = policy.model_dump(exclude_defaults=True)
    parts = ["# Written out with every rule that was inherited.", "", *_table("[policy]", content["policy"])]
    for name in ("rule", "waiver"):
        for entry in content.get(name, ()):
            parts += ["", *_table(f"[[{name}]]", entry)]
    return "\n".join(parts) + "\n"


def _table(head: str, fields: Mapping[str, Any]) -> list[str]:
    return [head, *(f"{name} = {_value(value)}" for name, value in fields.items())]


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key, ensure_ascii=False)} = {_value(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    # JSON's strings, numbers and switches are TOML's, but for a control character that JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") if isinstance(value, str | bool | float | int) else str(value)
