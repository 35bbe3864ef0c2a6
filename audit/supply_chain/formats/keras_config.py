"""Keras configurations: layers that carry a program, and names of modules that opening a model would import."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from audit.supply_chain.look import Look, printable

# Modules of Keras from which a saved model of its own layers is put together (keras.src.saving.serialization_lib).
MODULES = frozenset(
    {"keras", "keras.layers", "keras.models", "keras.initializers", "keras.regularizers", "keras.constraints", "keras.optimizers"}
    | {"keras.optimizers.schedules", "keras.losses", "keras.metrics", "keras.activations", "keras.dtype_policies", "keras.ops"}
    | {"keras.src.models.functional", "keras.src.models.sequential", "keras.src.engine.functional", "keras.src.engine.sequential"}
    | {"keras.src.dtype_policies.dtype_policy", "keras.random", "builtins"}
)
# Functions of Keras that a model refers to by name.
_FUNCTION = re.compile(r"[A-Za-z_]\w*")
_MOST = 2_000_000
# Quoted keys of a configuration that is found inside another format. A text may hide letters behind escapes.
_CLASS = re.compile(rb'"class_name"\s*:\s*"((?:[^"\\]|\\.){0,200})"')
_MODULE = re.compile(rb'"module"\s*:\s*"((?:[^"\\]|\\.){0,200})"')
# json writes escapes for what is not ASCII, never for a letter of it.
_ESCAPED = re.compile(rb"\\u00[2-7][0-9a-fA-F]")
# The first bytes of marshalled code, as base64 has them: its type, with or without a flag, and counts of arguments.
_MARSHALLED = re.compile(rb"(?:4w|Yw)[A-Za-z0-9+/]AAAAA[A-Za-z0-9+/]{20}")
_OVERLAP = 1024


def look_into_config(look: Look, document: Any) -> None:
    """Every object of a configuration that says which class it is made of."""
    for part in _objects(document):
        name, module = part.get("class_name"), part.get("module")
        config = part.get("config")
        if name == "Lambda" or name == "__lambda__":
            look.find("keras.code", f"the layer {printable(_named(config))!r} is a Lambda, which runs what the file holds")
        elif isinstance(module, str) and module not in MODULES:
            look.find("keras.module", f"{printable(str(name))!r} is imported from {printable(module)!r}")
        elif module == "builtins" and name != "function":
            look.find("keras.module", f"{printable(str(name))!r} is imported from 'builtins'")
        elif name == "function" and not (isinstance(config, str) and _FUNCTION.fullmatch(config)):
            look.find("keras.module", f"the function {printable(str(config))!r} is no name")
        registered = part.get("registered_name")
        if isinstance(registered, str) and ">" in registered and not registered.startswith(("keras", "Keras")):
            look.find("keras.custom", f"it needs {printable(registered)!r}")


def is_keras_config(document: Any) -> bool:
    """Whether a JSON document describes a model of Keras."""
    return isinstance(document, dict) and isinstance(document.get("class_name"), str) and "config" in document


def search_configuration(look: Look) -> None:
    """Search a file of another format for what a configuration inside it would say."""
    before, place = b"", 0
    for block in look.source.blocks():
        window = before + block
        start = place - len(before)
        for match in _CLASS.finditer(window):
            if _text(match[1]) in ("Lambda", "__lambda__"):
                look.find("keras.code", "a layer of it is a Lambda, which runs what the file holds", start + match.start())
        for match in _MODULE.finditer(window):
            module = _text(match[1])
            if module not in MODULES:
                look.find("keras.module", f"it imports from {printable(module)!r}", start + match.start())
        code, escaped = _MARSHALLED.search(window), _ESCAPED.search(window)
        if code is not None:
            look.find("keras.code", "it holds marshalled code of Python", start + code.start())
        if escaped is not None and b"class_name" in window:
            look.find("hdf5.escaped", f"it writes {escaped[0].decode()} for a plain letter", start + escaped.start())
        place += len(block)
        before = window[-_OVERLAP:]
        look.advance(len(block))


def _text(quoted: bytes) -> str:
    try:
        return str(json.loads(b'"' + quoted + b'"'))
    except ValueError:
        return quoted.decode("utf-8", "backslashreplace")


def _named(config: Any) -> str:
    return str(config.get("name", "")) if isinstance(config, dict) else ""


def _objects(document: Any) -> Iterator[dict[str, Any]]:
    """Every object that names a class, wherever it lies."""
    waiting, seen = [document], 0
    while waiting and seen < _MOST:
        part = waiting.pop()
        seen += 1
        if isinstance(part, dict):
            if "class_name" in part:
                yield part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
