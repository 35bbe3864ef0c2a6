"""Keras configurations: layers that carry a program, and names of modules that opening a model would import."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from audit.supply_chain.look import Look, printable

# Layers whose configuration carries a program: a function, a module of torch, a graph.
CODE = frozenset({"Lambda", "__lambda__", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"})
# What a configuration writes of values that are no objects of a class (keras.src.saving.serialization_lib).
_VALUES = frozenset(f"__{kind}__" for kind in ("keras_tensor", "tensor", "numpy", "bytes", "ellipsis", "slice", "complex", "tuple"))
_MOST = 2_000_000
# Quoted keys of a configuration that is found inside another format. A text may hide letters behind escapes.
_CLASS = re.compile(rb'"class_name"\s*:\s*"((?:[^"\\]|\\.){0,200})"')
_MODULE = re.compile(rb'"module"\s*:\s*"((?:[^"\\]|\\.){0,200})"')
_VOCABULARY = re.compile(rb'"vocabulary"\s*:\s*"')
# json writes escapes for what is not ASCII, and for DEL, never for a letter.
_ESCAPED = re.compile(rb"\\u00(?:[2-6][0-9a-fA-F]|7[0-9a-eA-E])")
# The first bytes of marshalled code, as base64 has them: its type, with or without a flag, and counts of arguments.
_MARSHALLED = re.compile(rb"(?:4w|Yw)[A-Za-z0-9+/]AAAAA[A-Za-z0-9+/]{20}")
_OVERLAP = 1024
_SEARCHED = (
    ("keras.code", _MARSHALLED, "it holds marshalled code of Python"),
    ("hdf5.escaped", _ESCAPED, "it writes an escape for a plain letter"),
    ("keras.file", _VOCABULARY, "a layer of it reads a file of words"),
)


@cache
def _names() -> tuple[frozenset[tuple[str, str]], frozenset[str], frozenset[str]]:
    """Classes with their modules, classes alone, and functions."""
    document = tomllib.loads(files("audit.supply_chain.formats").joinpath("keras.toml").read_text(encoding="utf-8"))
    pairs = frozenset((module, name) for module, names in document["classes"].items() for name in names)
    return pairs, frozenset(name for _, name in pairs) | _VALUES, frozenset(document["functions"])


def look_into_config(look: Look, document: Any) -> None:
    """Every object of a configuration that says which class it is made of."""
    for part in _objects(document):
        name, module, config = part.get("class_name"), part.get("module"), part.get("config")
        if isinstance(name, str) and name.rpartition(".")[2] in CODE:
            look.find("keras.code", f"the layer {printable(_named(config))!r} is a {name}, which runs what the file holds")
        elif name == "function":
            if not isinstance(config, str) or config not in _names()[2]:
                look.find("keras.module", f"the function {printable(str(config))!r} is none of Keras' own")
        else:
            _class(look, name, module, part.get("registered_name"))
        if isinstance(config, dict) and isinstance(config.get("vocabulary"), str):
            look.find("keras.file", f"the layer {printable(_named(config))!r} reads {printable(config['vocabulary'])!r}")


def _class(look: Look, name: Any, module: Any, registered: Any) -> None:
    """A class that is none of Keras' own, by its exact name in its exact module."""
    pairs, names, _ = _names()
    own = isinstance(registered, str) and ">" in registered and not registered.startswith(("keras", "Keras"))
    if own:
        look.find("keras.custom", f"it needs {printable(registered)!r}")
    if not isinstance(name, str) or "." in name or not isinstance(module, str | None):
        look.find("keras.module", f"{printable(str(name))!r} of {printable(str(module))!r} is no name of a class")
    elif module is None:
        if name not in names and not own:
            look.find("keras.custom", f"it needs {printable(name)!r}")
    elif (module, name) not in pairs and not (own and module in {known for known, _ in pairs}):
        # Of what is registered, the module does not count where it is one of Keras.
        look.find("keras.module", f"{printable(str(name))!r} is imported from {printable(str(module))!r}")


def is_keras_config(document: Any) -> bool:
    """Whether a JSON document describes a model of Keras."""
    return isinstance(document, dict) and isinstance(document.get("class_name"), str) and "config" in document


def search_configuration(look: Look) -> None:
    """Search a file of another format for what a configuration inside it would say."""
    before, place = b"", 0
    modules = {module for module, _ in _names()[0]}
    for block in look.source.blocks():
        window = before + block
        start = place - len(before)
        for match in _CLASS.finditer(window):
            name = _text(match[1])
            if name.rpartition(".")[2] in CODE:
                look.find("keras.code", f"a layer of it is a {name}, which runs what the file holds", start + match.start())
            elif "." in name:
                look.find("keras.module", f"{printable(name)!r} is no name of a class", start + match.start())
        for match in _MODULE.finditer(window):
            module = _text(match[1])
            if module != "builtins" and module not in modules:
                look.find("keras.module", f"it imports from {printable(module)!r}", start + match.start())
        for rule, pattern, reason in _SEARCHED:
            if found := pattern.search(window):
                look.find(rule, reason, start + found.start())
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
