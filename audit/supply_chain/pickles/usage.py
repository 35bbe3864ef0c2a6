"""How a listed name may be used: a harmless function in the wrong hands is an import of everything."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from audit.supply_chain.pickles import listed
from audit.supply_chain.pickles.states import problem_of_attributes
from audit.supply_chain.pickles.values import (
    BYTES,
    DICTIONARY,
    LIST,
    NUMBER,
    PLAIN,
    SET,
    TEXT,
    TUPLE,
    UNKNOWN,
    Dictionary,
    Global,
    Made,
    Opaque,
    Row,
    Span,
    Value,
)

_WRONG_CLASS = "for a class that is not listed for it"
How = Literal["call", "new"]
ARRAYS = frozenset({Global("numpy", "ndarray"), Global("numpy", "matrix"), Global("numpy", "memmap"), Global("numpy.ma", "MaskedArray")})
MASKED = frozenset({*ARRAYS, Global("numpy.ma.core", "MaskedArray")})
GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
_BASES = frozenset(Global("builtins", name) for name in ("object", "dict", "list", "tuple", "set", "float", "int", "str"))
_FACTORIES = frozenset(Global("builtins", name) for name in ("list", "dict", "set", "int", "float", "str", "tuple"))
_DTYPE = re.compile(r"[<>|=]?(\?|[bBhHiIlLqQfdgFDGeOMm]|[biufcOSUVMm]\d{1,9})")
_TENSORS = frozenset({Global("torch", "Tensor"), Global("torch._tensor", "Tensor"), Global("torch.nn.parameter", "Parameter")})
_REBUILDS = frozenset(
    Global("torch._utils", f"_rebuild_{name}")
    for name in (
        *("tensor", "tensor_v2", "tensor_v3", "parameter", "parameter_with_state", "sparse_tensor", "qtensor", "nested_tensor"),
        *("device_tensor_from_cpu_tensor", "device_tensor_from_numpy", "meta_tensor_no_storage"),
    )
)
# What gives content and nothing else: neither it nor what it gives has attributes that a pickle may set.
_CONTENT = frozenset(
    {
        *(_REBUILDS - {Global("torch._utils", "_rebuild_parameter_with_state")}),
        *(Global("torch", name) for name in ("Size", "device")),
        *(Global("builtins", name) for name in ("bytearray", "bytes", "complex", "frozenset", "range", "set", "slice")),
        *(Global(f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
        *(Global(f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
        Global("torch.storage", "_load_from_bytes"),
        Global("torch.serialization", "_get_layout"),
        Global("_codecs", "encode"),
        Global("numpy", "dtype"),
    }
)
_COMPILED = frozenset({Global("numpy.random.bit_generator", "SeedSequence"), Global("sklearn._loss._loss", "CyHalfMultinomialLoss")})
_HOOKS = Global("collections", "OrderedDict")
_NOT_CONTENT = "with something that is not content alone"
# Numbers of features and of outputs stay below; sizes to allocate would not. So do dimensions of an array.
_LARGEST, _WIDEST = 1 << 24, 32
# What the interpreter can fill a container from without running anything of the pickle's own.
_CONTAINERS = (LIST, SET, TUPLE, DICTIONARY, TEXT, BYTES)
OPENS = Global("torch.storage", "_load_from_bytes")
RECONSTRUCTOR = Global("copyreg", "_reconstructor")
# An array over a file, which whoever calls it names: it is of use to joblib alone, which calls it with a file of its own.
MAPPED = Global("numpy", "memmap")
# Whose misuse runs or opens what the sender likes. That of any other of the list makes an object of a kind that no model has.
OPENERS = frozenset({OPENS, MAPPED, *(Global(f"torch.{name}", "_rebuild_from_type_v2") for name in ("_tensor", "tensor"))})
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
    if not isinstance(arguments, tuple):
        return "with arguments that cannot be told from the pickle"
    return _CHECKS.get(function, _plain)(arguments)


def may_be_kept(found: Global) -> bool:
    """Whether a listed name may stand where nobody looks at what it is called with: only what is harmless however it is called."""
    known = listed.entry(found)
    return known is None or (known.role == "value" and found != MAPPED)


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


def maps_for_joblib(key: Value, value: Global) -> bool:
    """Whether an entry of a dictionary says that joblib is to give an array as one over its file."""
    return value == MAPPED and isinstance(key, str) and key == "subclass"


def _is(value: Value, names: frozenset[Global]) -> bool:
    """Whether a value is one of these names. A tuple may be too deep to be looked for in a set."""
    return isinstance(value, Global) and value in names


def _is_made(value: Value, makers: frozenset[Global]) -> bool:
    return isinstance(value, Made) and value.maker in makers


def _is_plain(value: Value, depth: int = 1) -> bool:
    """Whether it is content, of which no method is the sender's: numbers, texts, bytes, arrays, tensors and tuples of these."""
    if isinstance(value, tuple):
        return depth >= 0 and len(value) <= _WIDEST and all(_is_plain(part, depth - 1) for part in value)
    if isinstance(value, Made):
        return value.maker in _CONTENT
    if isinstance(value, Global):
        return may_be_kept(value)
    return value is None or isinstance(value, str | int | Span | Row) or (isinstance(value, Opaque) and value is not UNKNOWN)


def _plain(arguments: tuple[Value, ...]) -> Problem:
    return None if all(_is_plain(a) and (type(a) is not int or abs(a) <= _LARGEST) for a in arguments) else _NOT_CONTENT


def _filled(arguments: tuple[Value, ...]) -> Problem:
    """A container is filled from a container that lies in the pickle."""
    fits = len(arguments) <= 1 and all(isinstance(a, tuple | Dictionary | Row | str | Span) or a in _CONTAINERS for a in arguments)
    return None if fits else "to be filled from something that is no plain container"


def _array(arguments: tuple[Value, ...]) -> Problem:
    fits = len(arguments) == 3 and _is(arguments[0], ARRAYS) and arguments[1] == (0,)
    return None if fits else "for something that is no empty array"


def _masked(arguments: tuple[Value, ...]) -> Problem:
    fits = len(arguments) == 4 and _is(arguments[0], MASKED) and _is(arguments[1], MASKED) and arguments[2] == (0,)
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
    fits = known is not None and known.builds and _is(base, _BASES)
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
    fits = len(arguments) <= 1 and all(a is None or _is(a, _FACTORIES) for a in arguments)
    return None if fits else "with a factory that is no plain type"


def _typed(arguments: tuple[Value, ...]) -> Problem:
    """torch calls its first argument with the third: that must be a listed call itself."""
    if len(arguments) != 4 or not _is(arguments[0], _REBUILDS) or not _is(arguments[1], _TENSORS):
        return "to call something that makes no tensor"
    wrong = problem_of_attributes(arguments[3])
    if wrong is not None:
        return f"to give a tensor {wrong}"
    known = listed.entry(arguments[0])
    return problem(arguments[0], known, arguments[2], "call") if known is not None else "to call something that is on no list"


def _tensor(arguments: tuple[Value, ...]) -> Problem:
    """Tensors are put together from storages, arrays and tensors, whose methods torch calls: none may be the sender's."""
    *parts, last = arguments or (None,)
    plain = all(_is_plain(part) or (isinstance(part, Made) and part.maker == _HOOKS and part.state is None) for part in parts)
    # The last are hooks, of which there are none, or what is noted of a view: that it is conjugated, or negative.
    fits = plain and (_is_plain(last) or isinstance(last, Dictionary) or (isinstance(last, Made) and last.maker == _HOOKS))
    first = parts[0] if parts else last
    return None if fits and (_is_made(first, _CONTENT) or isinstance(first, Opaque | Global)) else _NOT_CONTENT


def _parameter(arguments: tuple[Value, ...]) -> Problem:
    *parts, state = arguments or (None,)
    wrong = problem_of_attributes(state)
    return _tensor(tuple(parts)) if wrong is None else f"to give a tensor {wrong}"


def _nested(arguments: tuple[Value, ...]) -> Problem:
    return None if len(arguments) == 1 and isinstance(arguments[0], Span) else "with a file that cannot be told from the pickle"


def _class_of(*names: str) -> Callable[[tuple[Value, ...]], Problem]:
    def check(arguments: tuple[Value, ...]) -> Problem:
        kind = arguments[0] if len(arguments) == 1 else None
        return None if isinstance(kind, Global) and listed.entry(kind) is not None and kind.module in names else _WRONG_CLASS

    return check


def _unpickled(arguments: tuple[Value, ...]) -> Problem:
    """A compiled class of which the first argument is made empty."""
    return None if arguments and _is(arguments[0], _COMPILED) else _WRONG_CLASS


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
    Global("sklearn._loss._loss", "__pyx_unpickle_CyHalfMultinomialLoss"): _unpickled,
    RECONSTRUCTOR: _object,
    Global("_codecs", "encode"): _encoded,
    Global("torch._tensor", "_rebuild_from_type_v2"): _typed,
    Global("torch.tensor", "_rebuild_from_type_v2"): _typed,
    **dict.fromkeys(_REBUILDS, _tensor),
    Global("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    OPENS: _nested,
    Global("sklearn.neighbors._kd_tree", "newObj"): _class_of("sklearn.neighbors._kd_tree"),
    Global("sklearn.neighbors._ball_tree", "newObj"): _class_of("sklearn.neighbors._ball_tree"),
    Global("sklearn.metrics._dist_metrics", "newObj"): _class_of("sklearn.metrics._dist_metrics"),
}
