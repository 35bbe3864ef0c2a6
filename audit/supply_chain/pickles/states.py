"""What an object may be built up with: a state sets what its methods, and the interpreter itself, ask the object for later."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from audit.supply_chain.pickles import listed
from audit.supply_chain.pickles.values import DICTIONARY, Dictionary, Global, Made, Row, Value

# How joblib describes an array that lies behind it in the file: all that such a description holds.
ARRAY_KEYS = frozenset({"allow_mmap", "dtype", "numpy_array_alignment_bytes", "order", "shape", "subclass"})
# Compiled classes without attributes of their own choice: their __setstate__ takes numbers, arrays and texts, in a tuple.
_TAKES_TUPLE = frozenset(
    {
        *(Global("numpy.random._pickle", f"__{name}_ctor") for name in ("bit_generator", "generator", "randomstate")),
        *(Global(f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
        *(Global(f"sklearn.{module}", "newObj") for module in ("metrics._dist_metrics", "neighbors._ball_tree", "neighbors._kd_tree")),
        Global("numpy", "dtype"),
        Global("numpy.ma.core", "_mareconstruct"),
        Global("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"),
        Global("sklearn._loss._loss", "__pyx_unpickle_CyHalfMultinomialLoss"),
    }
)
# What takes entries: dictionaries, whose own __setitem__ puts them in.
MAPPINGS = frozenset(
    {*(Global("collections", name) for name in ("Counter", "OrderedDict", "defaultdict")), Global("sklearn.utils._bunch", "Bunch")}
)


@cache
def _methods() -> dict[str, Any]:
    document = tomllib.loads(files("audit.supply_chain.pickles").joinpath("methods.toml").read_text(encoding="utf-8"))
    return {**document, "names": frozenset(document["names"])}


def is_method(name: str, owner: Global) -> bool:
    """Whether a class has a method of that name, or may have."""
    listed_names = _methods()
    if name not in listed_names["names"] or name in listed_names["attributes"].get(str(owner), ()):
        return False
    alone = listed_names["alone"].get(name)
    return alone is None or owner.module.startswith(tuple(alone))


def enter(target: Dictionary, key: Value, value: Value) -> None:
    """Put an entry into a dictionary: kept where somebody asks for it, and judged as an attribute."""
    if isinstance(key, str) and key in ARRAY_KEYS:
        target.entries[key] = value
        return
    # A key that is no plain text may still be equal to one.
    target.others = True
    if not isinstance(key, str):
        target.odd = "an attribute whose name is no plain text"
    elif key.startswith("__"):
        target.odd = f"the attribute {key}, which the interpreter asks for"
    elif key in _methods()["names"] and key not in target.methods:
        target.methods |= {key}


def problem_of_attributes(state: Value, owner: Global | None = None) -> str | None:
    """What is wrong with attributes that are set on an object; ``None`` where real models have such.

    Args:
        state: What would be set.
        owner: Class of the object; ``None`` of a tensor.
    """
    if not isinstance(state, Dictionary):
        return "attributes that cannot be told from the pickle"
    if state.odd is not None:
        return state.odd
    hidden = sorted(name for name in state.methods if owner is not None and is_method(name, owner))
    return f"an attribute in the place of its method {hidden[0]}" if hidden else None


def problem_of_state(target: Made, state: Value) -> str | None:
    """What is wrong with the state that an object is built up with."""
    if target.maker in _TAKES_TUPLE:
        if isinstance(state, tuple) or (isinstance(state, Dictionary | Row) and target.maker != Global("numpy", "dtype")):
            return None
        return "a state that cannot be told from the pickle"
    if target.maker == listed.ARRAY_WRAPPER and isinstance(state, Dictionary) and state.others:
        return "a state that describes more than an array"
    # A state of two parts sets attributes one by one, which runs whatever code stands behind them.
    if isinstance(state, tuple) and len(state) == 2 and (isinstance(state[1], Dictionary) or state[1] is DICTIONARY):
        return "a state that sets attributes one by one, which no real model does"
    return problem_of_attributes(state, target.maker)
