"""JSON beside a model: what it names to run, and templates that reach for the insides of Python."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from audit.supply_chain.formats.keras_config import is_keras_config, look_into_config
from audit.supply_chain.look import Look, printable

# A configuration is small; tokenizers and tables are not, and name no code.
LONGEST = 8 << 20
# Keys by which a library is told which code to run (transformers: auto_map, custom_pipelines).
CODE_KEYS = frozenset({"auto_map", "custom_pipelines", "trust_remote_code"})
# Names of templates that lie beside a model.
TEMPLATES = frozenset({".jinja", ".jinja2", ".j2"})
_KEYS = re.compile(rb'"(?:auto_map|chat_template|class_name|custom_pipelines|trust_remote_code)"|\\u00[2-7][0-9a-fA-F]')
# What no template of a conversation needs: names by which one gets from an object to the whole interpreter, escapes that
# hide them, and keys that are put together.
TEMPLATE = re.compile(
    r"""__[A-Za-z]|\\(?:x5f|u005f|137|N\{LOW)|\|\s*attr\b|_getframe|\bf_globals|\bfunc_globals|[\w)\]'"]\s*\[[^\]]*['"]\s*[~+]""",
    re.IGNORECASE,
)


def look_into_json(look: Look) -> bool:
    """Look into it; whether it is JSON at all."""
    if look.source.size > LONGEST:
        return _search(look)
    try:
        document = json.loads(look.source.read_at(0, look.source.size))
    except (ValueError, RecursionError):
        return False
    for key, value in _entries(document):
        if key in CODE_KEYS and value not in (False, None, {}, []):
            look.find("file.names_code", f"{key} is {printable(json.dumps(value, sort_keys=True))[:160]}")
        if key == "chat_template":
            check_template(look, json.dumps(value))
    if is_keras_config(document) or (isinstance(document, dict) and is_keras_config(document.get("model_config"))):
        look_into_config(look, document)
    return True


def _search(look: Look) -> bool:
    """A file that is too large to read: whether it has a key that matters, or hides one."""
    before = b""
    for block in look.source.blocks():
        if match := _KEYS.search(before + block):
            said = match[0].decode("ascii")
            look.unseen("file.large", f"it has {look.source.size} bytes, of which {LONGEST} are read at most, and holds {said!r}")
            break
        before = block[-64:]
    return True


def check_template(look: Look, text: str, offset: int | None = None) -> None:
    """Report a template that reaches for more than a conversation."""
    if match := TEMPLATE.search(text):
        look.find("template.code", f"it uses {printable(match[0])!r}", offset)


def _entries(document: Any) -> Iterator[tuple[str, Any]]:
    waiting = [document]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield from part.items()
            waiting += [value for value in part.values() if isinstance(value, dict | list)]
        elif isinstance(part, list):
            waiting += [value for value in part if isinstance(value, dict | list)]
