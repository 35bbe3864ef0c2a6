"""Arrays of joblib, whose bytes lie between the opcodes of a pickle (joblib/numpy_pickle.py, NumpyArrayWrapper)."""

from __future__ import annotations

from math import prod

from audit.supply_chain.pickles import usage
from audit.supply_chain.pickles.machine import Machine
from audit.supply_chain.pickles.stream import MalformedError, Stream
from audit.supply_chain.pickles.values import Dictionary, Global, Made, Value


def pass_over_array(machine: Machine, wrapper: Made) -> int:
    """The byte after the array that joblib reads once it has built `wrapper`.

    An array of objects is a pickle of its own, which joblib opens with an unpickler of its own: what that one holds is
    found as well.

    Raises:
        MalformedError: If it cannot be told where the array ends.
    """
    state = wrapper.state
    told: dict[str, Value] = state.entries if isinstance(state, Dictionary) else {}
    width, shape = _width(told.get("dtype")), told.get("shape")
    if width is None or not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise MalformedError("it cannot be told how long an array of joblib is")
    kind = told.get("subclass")
    if not isinstance(kind, Global) or kind not in usage.ARRAYS:
        machine.note("pickle.call", "an array of joblib is of no listed class")
    size, objects = width
    stream = Stream(machine.stream.source, machine.stream.place)
    if objects:
        inner = Machine(stream).run()
        machine.outcome.notes += inner.notes
        machine.outcome.nested |= inner.nested
        machine.outcome.called |= inner.called
        machine.outcome.misused |= inner.misused
        machine.outcome.opens |= inner.opens
        machine.outcome.foreign |= inner.foreign
        if inner.fault is not None:
            raise MalformedError(f"the pickle of an array of objects is none: {inner.fault}")
        return inner.end
    if told.get("numpy_array_alignment_bytes") is not None:
        stream.skip(stream.byte())
    stream.skip(prod(shape) * size)
    return stream.place


def _width(dtype: Value) -> tuple[int, bool] | None:
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
