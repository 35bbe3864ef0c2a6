"""How a listed name may be used: a harmless function in the wrong hands is an import of everything."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from audit.supply_chain.pickles import listed
from audit.supply_chain.pickles.values import (
    BYTES,
    DICTIONARY,
    LIST,
    NUMBER,
    PLAIN,
    SET,
    TEXT,
    TUPLE,
    Dictionary,
    Global,
    Made,
    Row,
    Span,
    Value,
)

_WRONG_CLASS = "for a class that is not listed for it"
How = Literal["call", "new"]
# Entries of dictionaries that are asked about: how joblib describes an array that lies behind it in the file.
ASKED = frozenset({"subclass", "shape", "order", "dtype", "numpy_array_alignment_bytes"})
ARRAYS = frozenset({Global("numpy", "ndarray"), Global("numpy", "matrix"), Global("numpy", "memmap"), Global("numpy.ma", "MaskedArray")})
MASKED = frozenset({*ARRAYS, Global("numpy.ma.core", "MaskedArray")})
GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
_BASES = frozenset(Global("builtins", name) for name in ("object", "dict", "list", "tuple", "set", "float", "int", "str"))
_FACTORIES = frozenset(Global("builtins", name) for name in ("list", "dict", "set", "int", "float", "str", "tuple"))
_DTYPE = re.compile(r"[<>|=]?(\?|[bBhHiIlLqQfdgFDGeOMm]|[biufcOSUVMm]\d{1,9})")
_TENSORS = frozenset({Global("torch", "Tensor"), Global("torch._tensor", "Tensor"), Global("torch.nn.parameter", "Parameter")})
_REBUILDS = frozenset(
    Global("torch._utils", f"_rebuild_{name}")
    for name in ("tensor", "tensor_v2", "tensor_v3", "parameter", "parameter_with_state", "sparse_tensor", "qtensor", "nested_tensor")
) | {Global("torch._utils", "_rebuild_device_tensor_from_numpy"), Global("torch._utils", "_rebuild_meta_tensor_no_storage")}
# What the interpreter can fill a container from without running anything of the pickle's own.
_CONTAINERS = (LIST, SET, TUPLE, DICTIONARY, TEXT, BYTES)
# Listed functions that open or call what they are given: never to be kept for later, when nobody looks at their arguments.
GUARDED = frozenset(
    {Global("torch.storage", "_load_from_bytes"), *(Global(f"torch.{m}", "_rebuild_from_type_v2") for m in ("_tensor", "tensor"))}
)
Problem = str | None


def problem(function: Global, known: listed.Entry, arguments: Value, how: How) -> Problem:
    """What is wrong with calling a listed name so; ``None`` where real models do.

    Args:
        function: What is called.
        known: Its entry.
        arguments: Its arguments.
        how: Whether it is called, or an object of it made by ``__new__``.
    """
    if known.role == "value":
        return "though it is listed to be referred to alone"
    if known.role == "estimator":
        return None if how == "new" and arguments == () else "with arguments, and estimators are made empty and filled afterwards"
    if function == listed.ARRAY_WRAPPER and (how != "new" or arguments != ()):
        return "with arguments, and joblib makes it empty and fills it afterwards"
    check = _CHECKS.get(function)
    if check is None:
        return None
    if not isinstance(arguments, tuple):
        return "with arguments that cannot be told from the pickle"
    return check(arguments)


def problem_of_state(target: Made, state: Value) -> Problem:
    """What is wrong with the state that an object is built up with."""
    if target.maker == Global("numpy", "dtype") and not isinstance(state, tuple):
        return "a state that cannot be told from the pickle"
    # A state of two parts sets attributes one by one, which runs whatever code stands behind them.
    if isinstance(state, tuple) and len(state) == 2 and _is_dictionary(state[1]):
        return "a state that sets attributes one by one, which no real model does"
    return None


def problem_of_storage(identifier: Value) -> Problem:
    """What is wrong with what a pickle says lies outside it; ``None`` where it is a storage of torch."""
    if not isinstance(identifier, tuple) or len(identifier) not in (5, 6) or identifier[0] != "storage":
        return "that is no storage of torch"
    _, kind, key, location, count = identifier[:5]
    if not isinstance(kind, Global) or not kind.name.endswith("Storage") or listed.entry(kind) is None:
        return "that is a storage of no listed type"
    if not isinstance(key, str) or not isinstance(location, str) or type(count) is not int or count < 0:
        return "that is a storage without a key, a place or a size"
    return None


def width(dtype: Value) -> tuple[int, bool] | None:
    """Bytes of one item of a numpy type as a pickle describes it, and whether it holds objects; ``None`` where that cannot be told."""
    if not isinstance(dtype, Made) or dtype.maker != Global("numpy", "dtype") or not dtype.arguments:
        return None
    code, state = dtype.arguments[0], dtype.state
    if not isinstance(code, str):
        return None
    kind, digits = code.lstrip("<>|=")[:1], code.lstrip("<>|=")[1:]
    if not digits.isdecimal():
        return None
    size = int(digits) * (4 if kind == "U" else 1)
    # A state may give another size than the code: the bytes behind it would then begin where only numpy knows.
    if isinstance(state, tuple) and len(state) > 5 and state[5] not in (-1, size):
        return None
    # The last number of a state are the flags; the first of them says that items are objects.
    flags = state[7] if isinstance(state, tuple) and len(state) > 7 else 0
    return (size, kind == "O" or not isinstance(flags, int) or bool(flags & 1)) if size > 0 else None


def _is_dictionary(value: Value) -> bool:
    return isinstance(value, Dictionary) or value is DICTIONARY


def _filled(arguments: tuple[Value, ...]) -> Problem:
    """A container is filled from a container that lies in the pickle."""
    fits = len(arguments) <= 1 and all(isinstance(a, tuple | Dictionary | Row | str | Span) or a in _CONTAINERS for a in arguments)
    return None if fits else "to be filled from something that is no plain container"


def _array(arguments: tuple[Value, ...]) -> Problem:
    fits = len(arguments) == 3 and arguments[0] in ARRAYS and arguments[1] == (0,)
    return None if fits else "for something that is no empty array"


def _masked(arguments: tuple[Value, ...]) -> Problem:
    fits = len(arguments) == 4 and arguments[0] in MASKED and arguments[1] in MASKED and arguments[2] == (0,)
    return None if fits else "for something that is no empty array"


def _dtype(arguments: tuple[Value, ...]) -> Problem:
    first = arguments[0] if arguments else None
    listed_scalar = isinstance(first, Global) and first.module in ("numpy", "builtins")
    fits = listed_scalar or (isinstance(first, str) and _DTYPE.fullmatch(first) is not None)
    return None if fits else "of a type that no array has"


def _generator(arguments: tuple[Value, ...]) -> Problem:
    first = arguments[0] if arguments else "MT19937"
    by_class = isinstance(first, Global) and first.module.startswith("numpy.random._") and first.name in GENERATORS
    return None if len(arguments) <= 1 and (first in GENERATORS or by_class) else "for no generator of numpy"


def _seeded(arguments: tuple[Value, ...]) -> Problem:
    constructor = Global("numpy.random._pickle", "__bit_generator_ctor")
    first = arguments[0] if arguments else "MT19937"
    made = isinstance(first, Made) and first.maker == constructor
    fits = len(arguments) <= 2 and (first in GENERATORS or made) and all(a == constructor for a in arguments[1:])
    return None if fits else "for no generator of numpy"


def _object(arguments: tuple[Value, ...]) -> Problem:
    """How protocols 0 and 1 make an object of a class: it may be made empty, of a plain base."""
    kind, base, state = arguments if len(arguments) == 3 else (None, None, None)
    known = listed.entry(kind) if isinstance(kind, Global) else None
    fits = known is not None and known.builds and base in _BASES
    # A state goes to the base's own __init__, which fills a dictionary or a list.
    plain = state is None or isinstance(state, Dictionary | Row | tuple | str | int) or state in PLAIN
    return None if fits and plain and (state is None or base != Global("builtins", "object")) else _WRONG_CLASS


def _encoded(arguments: tuple[Value, ...]) -> Problem:
    text = arguments[0] if arguments else None
    fits = len(arguments) == 2 and (isinstance(text, str) or text is TEXT) and arguments[1] in ("latin1", "latin-1")
    return None if fits else "with another encoding than latin1, which is how bytes are written"


def _is_encoded(value: Value) -> bool:
    return isinstance(value, Made) and value.maker == Global("_codecs", "encode")


def _bytes(arguments: tuple[Value, ...]) -> Problem:
    plain = all(isinstance(a, str | Span | Row) or a in (TEXT, BYTES, LIST) or _is_encoded(a) for a in arguments)
    return None if len(arguments) <= 2 and plain else "of a length, not of content"


def _numbers(arguments: tuple[Value, ...]) -> Problem:
    plain = all(a is None or isinstance(a, int | str) or a is NUMBER for a in arguments)
    return None if plain else "with something that is no number"


def _default(arguments: tuple[Value, ...]) -> Problem:
    fits = len(arguments) <= 1 and all(a is None or a in _FACTORIES for a in arguments)
    return None if fits else "with a factory that is no plain type"


def _typed(arguments: tuple[Value, ...]) -> Problem:
    """torch calls its first argument with the third: that must be a listed call itself."""
    if len(arguments) != 4 or arguments[0] not in _REBUILDS or arguments[1] not in _TENSORS:
        return "to call something that makes no tensor"
    known = listed.entry(arguments[0])
    return problem(arguments[0], known, arguments[2], "call") if known is not None else "to call something that is on no list"


def _nested(arguments: tuple[Value, ...]) -> Problem:
    return None if len(arguments) == 1 and isinstance(arguments[0], Span) else "with a file that cannot be told from the pickle"


def _class_of(*names: str) -> Callable[[tuple[Value, ...]], Problem]:
    def check(arguments: tuple[Value, ...]) -> Problem:
        kind = arguments[0] if len(arguments) == 1 else None
        return None if isinstance(kind, Global) and listed.entry(kind) is not None and kind.module in names else _WRONG_CLASS

    return check


def _unpickled(arguments: tuple[Value, ...]) -> Problem:
    """A compiled class of which the first argument is made empty."""
    kind = arguments[0] if arguments else None
    known = listed.entry(kind) if isinstance(kind, Global) else None
    return None if known is not None and known.builds else _WRONG_CLASS


_CHECKS: dict[Global, Callable[[tuple[Value, ...]], Problem]] = {
    **{Global("builtins", name): _filled for name in ("set", "frozenset", "list", "tuple", "dict")},
    **{Global("builtins", name): _numbers for name in ("complex", "slice", "range")},
    **{Global("builtins", name): _bytes for name in ("bytes", "bytearray")},
    **{Global("collections", name): _filled for name in ("OrderedDict", "Counter")},
    Global("collections", "defaultdict"): _default,
    **{Global(f"numpy.{core}.multiarray", "_reconstruct"): _array for core in ("core", "_core")},
    Global("numpy.ma.core", "_mareconstruct"): _masked,
    Global("numpy", "dtype"): _dtype,
    Global("numpy.random._pickle", "__bit_generator_ctor"): _generator,
    Global("numpy.random._pickle", "__generator_ctor"): _seeded,
    Global("numpy.random._pickle", "__randomstate_ctor"): _seeded,
    Global("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"): _unpickled,
    Global("copyreg", "_reconstructor"): _object,
    Global("_codecs", "encode"): _encoded,
    Global("torch._tensor", "_rebuild_from_type_v2"): _typed,
    Global("torch.tensor", "_rebuild_from_type_v2"): _typed,
    Global("torch.storage", "_load_from_bytes"): _nested,
    Global("sklearn.neighbors._kd_tree", "newObj"): _class_of("sklearn.neighbors._kd_tree"),
    Global("sklearn.neighbors._ball_tree", "newObj"): _class_of("sklearn.neighbors._ball_tree"),
    Global("sklearn.metrics._dist_metrics", "newObj"): _class_of("sklearn.metrics._dist_metrics"),
}
