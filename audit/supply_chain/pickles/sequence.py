"""A file as the pickles that a program could read from it, one after another."""

from __future__ import annotations

import sys

from audit.supply_chain.look import DEEPEST, Look
from audit.supply_chain.pickles.joblib_arrays import pass_over_array
from audit.supply_chain.pickles.machine import Machine, Outcome, Storage
from audit.supply_chain.pickles.stream import Stream
from audit.supply_chain.pickles.values import Row
from audit.supply_chain.source import Source
from audit.supply_chain.weights import check_numbers

# What a file of torch before 1.6 begins with (torch/serialization.py, MAGIC_NUMBER).
TORCH_MAGIC = 0x1950A86A20F9469CFC6C
# Of bytes at random, no more than this goes through as opcodes.
_BY_CHANCE = 6
# Packages of which a machine has some. A pickle in a file of joblib has its own numbers for what it remembers; read with
# the numbers of the file around it, it imports names put together at random, which are of none of these.
_WIDESPREAD = sys.stdlib_module_names | {"numpy", "scipy", "torch", "joblib", "pandas", "setuptools", "pip", "dill", "cloudpickle"}
# Type and bytes of one number of a storage.
STORAGES = {
    "DoubleStorage": ("F64", 8),
    "FloatStorage": ("F32", 4),
    "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2),
    "ComplexFloatStorage": ("C64", 8),
    "ComplexDoubleStorage": ("C128", 16),
    "LongStorage": ("I64", 8),
    "IntStorage": ("I32", 4),
    "QInt32Storage": ("I32", 4),
    "ShortStorage": ("I16", 2),
    **{f"{name}Storage": ("U8", 1) for name in ("Char", "Byte", "Bool", "QInt8", "QUInt8", "QUInt4x2", "QUInt2x4", "Untyped")},
}


def look_for_pickles(look: Look, *, claimed: bool) -> str | None:
    """Simulate what a program would run that took this for pickles.

    Args:
        look: What is looked at.
        claimed: Whether its name says that it is one, or nothing else is known to begin like it.

    Returns:
        ``"pickle"``, ``"joblib"`` or ``"torch (pickles)"``; ``None`` where it is none.
    """
    source = look.source
    stream = Stream(source)
    plain = first = Machine(stream).run()
    if plain.wraps:
        # Opened by pickle itself, the bytes of joblib's arrays would be opcodes: both readings count.
        stream = Stream(source)
        first = Machine(stream, arrays=pass_over_array).run()
        if any(getattr(found, "module", "").partition(".")[0] in _WIDESPREAD for found in plain.executed):
            _report(look, plain)
    starts = source.read_at(0, 2)
    begins = starts[:1] == b"\x80" and starts[1:] <= b"\x05"
    whole = first.fault is None and (first.opcodes > 2 or claimed)
    if not (claimed or plain.executed or first.executed or whole or (begins and first.opcodes > _BY_CHANCE)):
        return None
    _report(look, first)
    kind = "joblib" if plain.wraps else "pickle"
    if first.fault is not None:
        look.unseen("pickle.malformed", f"{first.fault}, and nobody can say what follows", first.end)
        return kind
    if first.result == TORCH_MAGIC:
        _torch(look, stream)
        return "torch (pickles)"
    _rest(look, stream)
    return kind


def storages_of(source: Source) -> dict[str, Storage]:
    """The storages that the pickle of a torch archive refers to, by key."""
    return Machine(Stream(source)).run().storages


def _report(look: Look, outcome: Outcome) -> None:
    for note in outcome.notes:
        look.note(note)
    for span in outcome.nested:
        if look.depth >= DEEPEST:
            look.unseen("archive.deep", "it holds files in pickles in files, and the rest was not looked into", span.begin)
            return
        look.into(look.inside("nested.pt", look.source.window(span.begin, span.size), shown=f"(bytes at {span.begin})"))


def _rest(look: Look, stream: Stream) -> None:
    """What stands behind the first pickle: more of them, or something that should not be there."""
    while stream.place < stream.size:
        begin = stream.place
        outcome = Machine(stream).run()
        if outcome.fault is None or outcome.executed:
            _report(look, outcome)
        if outcome.fault is not None:
            look.find("pickle.trailing", f"{stream.size - begin} bytes follow the end of the pickle", begin)
            return


def _torch(look: Look, stream: Stream) -> None:
    """A file of torch before 1.6: version, machine, object and keys as pickles, then the storages by key, each after its length."""
    storages: dict[str, Storage] = {}
    outcome = None
    for _ in range(4):
        outcome = Machine(stream, rows=True).run()
        _report(look, outcome)
        storages.update(outcome.storages)
        if outcome.fault is not None:
            look.unseen("pickle.malformed", f"{outcome.fault}, and nobody can say what follows", outcome.end)
            return
    keys = outcome.result if outcome is not None else None
    if not isinstance(keys, Row) or not all(isinstance(key, str) for key in keys.items):
        look.find("torch.storage", "the keys of its storages are no list of texts", stream.place)
        return
    place, source = stream.place, look.source
    for key in keys.items:
        known = storages.get(key)
        count = int.from_bytes(source.read_at(place, 8), "little", signed=True)
        if known is None or known.type not in STORAGES or known.count != count:
            said = known.count if known else "nothing of it"
            look.find("torch.storage", f"a storage has {count} numbers, and its pickle says {said}", place)
            return
        dtype, width = STORAGES[known.type]
        place += 8
        if place + count * width > source.size:
            look.find("torch.storage", f"a storage of {count * width} bytes lies where {source.size - place} are left", place)
            return
        check_numbers(look, source.window(place, count * width), dtype, f"storage {key}", offset=place)
        place += count * width
    if place < source.size:
        _rest(look, Stream(source, place))
