"""What a pickle may import: exact names, one by one, never a whole module (``globals.toml``)."""

from __future__ import annotations

import _compat_pickle
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from audit.supply_chain.pickles.values import Global

# What a listed name is good for.
Role = Literal["value", "function", "class", "estimator"]
ARRAY_WRAPPER = Global("joblib.numpy_pickle", "NumpyArrayWrapper")
# Packages that a machine is likely to have, with functions that are named as those of the list.
_WIDESPREAD = frozenset({"cloudpickle", "dill", "jax", "mpmath", "pandas", "pip", "setuptools", "sympy", "tensorflow"})
# Functions of Python itself that are named as those of the list, and call or write what they are given.
_NAMESAKES = frozenset({Global("cgi", "log"), Global("copy", "_reconstruct"), Global("uu", "encode")})
# Their arguments are asked about later.
_KEPT = frozenset({Global("numpy", "dtype"), ARRAY_WRAPPER})


@dataclass(frozen=True, slots=True)
class Entry:
    """A listed name.

    Args:
        role: ``"value"``: a model refers to it, and no pickle calls it. ``"function"``: it is called, and what it gives
            is not changed. ``"class"``: it is called or made empty, and then built up. ``"estimator"``: it is made empty
            and then built up, never called.
        keeps: Whether somebody asks about its arguments later.
    """

    role: Role
    keeps: bool

    @property
    def builds(self) -> bool:
        """Whether what it gives is built up from a state."""
        return self.role in ("class", "estimator")


@cache
def _entries() -> dict[Global, Entry]:
    text = files("audit.supply_chain.pickles").joinpath("globals.toml").read_text(encoding="utf-8")
    roles: dict[Role, str] = {"value": "values", "function": "functions", "class": "classes", "estimator": "estimators"}
    document = tomllib.loads(text)
    found: dict[Global, Entry] = {}
    for role, part in roles.items():
        for module, names in document[part].items():
            for name in names:
                listed = Global(module, name)
                found[listed] = Entry(role, listed in _KEPT)
    return found


@cache
def _words() -> frozenset[str]:
    return frozenset(word for listed in _entries() for word in (listed.module, listed.name))


def listed_globals() -> frozenset[Global]:
    """Every name that a pickle may import."""
    return frozenset(_entries())


def entry(found: Global) -> Entry | None:
    """What is known of a name; ``None`` where it is on no list."""
    return _entries().get(found)


def is_known_word(text: str) -> bool:
    """Whether a text is the module or the name of something listed."""
    return text in _words()


def renamed(module: str, name: str) -> Global:
    """What a pickle of protocol 0 to 2 imports by a name of Python 2, as the interpreter maps it."""
    names: dict[tuple[str, str], tuple[str, str]] = _compat_pickle.NAME_MAPPING
    if (module, name) in names:
        return Global(*names[module, name])
    return Global(_compat_pickle.IMPORT_MAPPING.get(module, module), name)


def could_be_meant(found: Global) -> bool:
    """Whether a name that is on no list is there on purpose, where it may be the chance of bytes that were not meant to be read so.

    Bytes at random spell no two names. A pickle inside a file of joblib has its own numbers for what it remembers: read with
    the numbers of the file around it, it looks for listed names in texts of that file, of which hardly any is a module.
    """
    if not all(part.isidentifier() for part in str(found).split(".")):
        return False
    top, dotted, _ = found.module.partition(".")
    return not is_known_word(found.name) or found in _NAMESAKES or top in _WIDESPREAD or bool(dotted and not is_known_word(found.module))
