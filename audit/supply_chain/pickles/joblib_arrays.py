"""Arrays of joblib, whose bytes lie between the opcodes of a pickle (joblib/numpy_pickle.py, NumpyArrayWrapper)."""

from __future__ import annotations

from math import prod

from audit.supply_chain.pickles import usage
from audit.supply_chain.pickles.machine import Machine
from audit.supply_chain.pickles.stream import MalformedError, Stream
from audit.supply_chain.pickles.values import Dictionary, Made


def pass_over_array(machine: Machine, wrapper: Made) -> int:
    """The byte after the array that joblib reads once it has built `wrapper`.

    An array of objects is a pickle of its own, which joblib opens with an unpickler of its own: what that one holds is
    found as well.

    Raises:
        MalformedError: If it cannot be told where the array ends.
    """
    state = wrapper.state
    told = state.entries if isinstance(state, Dictionary) else {}
    width, shape = usage.width(told.get("dtype")), told.get("shape")
    if width is None or not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise MalformedError("it cannot be told how long an array of joblib is")
    if told.get("subclass") not in usage.ARRAYS:
        machine.note("pickle.call", "an array of joblib is of no listed class")
    size, objects = width
    stream = Stream(machine.stream.source, machine.stream.place)
    if objects:
        inner = Machine(stream).run()
        machine.outcome.notes += inner.notes
        machine.outcome.nested += inner.nested
        machine.outcome.executed |= inner.executed
        if inner.fault is not None:
            raise MalformedError(f"the pickle of an array of objects is none: {inner.fault}")
        return inner.end
    if told.get("numpy_array_alignment_bytes") is not None:
        stream.skip(stream.byte())
    stream.skip(prod(shape) * size)
    return stream.place
