"""A file as the pickles that a program could read from it, one after another."""

from __future__ import annotations

from audit.supply_chain.look import DEEPEST, Look
from audit.supply_chain.pickles.joblib_arrays import pass_over_array
from audit.supply_chain.pickles.machine import Machine
from audit.supply_chain.pickles.outcome import Outcome, Storage
from audit.supply_chain.pickles.stream import Stream
from audit.supply_chain.pickles.values import Row
from audit.supply_chain.source import Source
from audit.supply_chain.weights import check_numbers

# What a file of torch before 1.6 begins with (torch/serialization.py, MAGIC_NUMBER).
TORCH_MAGIC = 0x1950A86A20F9469CFC6C
# Of bytes at random, no more than this goes through as opcodes.
_BY_CHANCE = 6
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
    plain, joblib = _readings(look.source, 0)
    first = (joblib or plain).outcome
    starts = look.source.read_at(0, 2)
    begins = starts[:1] == b"\x80" and starts[1:] <= b"\x05"
    whole = first.fault is None and (first.opcodes > 2 or claimed)
    if not (claimed or plain.outcome.acts or first.acts or whole or (begins and first.opcodes > _BY_CHANCE)):
        return None
    _report(look, *_that_count(plain, joblib))
    kind = "joblib" if joblib is not None else "pickle"
    if first.fault is not None:
        look.unseen("pickle.malformed", f"{first.fault}, and nobody can say what follows", first.end)
        return kind
    if first.result == TORCH_MAGIC:
        _torch(look, (joblib or plain).stream)
        return "torch (pickles)"
    _rest(look, joblib or plain)
    return kind


def _readings(source: Source, begin: int, after: Machine | None = None) -> tuple[Machine, Machine | None]:
    """A pickle as pickle reads it, and where it has arrays of joblib, as joblib does; both have run."""
    plain, joblib = Machine(Stream(source, begin), after=after), None
    if plain.run().wraps:
        joblib = Machine(Stream(source, begin), arrays=pass_over_array)
        joblib.run()
    return plain, joblib


def _that_count(plain: Machine, joblib: Machine | None) -> list[Outcome]:
    """What is reported of both readings.

    Opened by pickle itself, the bytes of joblib's arrays would be opcodes. Of arrays as they are, hardly any are, and they
    import and call nothing that could be there.
    """
    if joblib is None:
        return [plain.outcome]
    return [joblib.outcome, *([plain.outcome] if plain.outcome.reaches else [])]


def storages_of(source: Source) -> dict[str, Storage]:
    """The storages that the pickle of a torch archive refers to, by key."""
    return Machine(Stream(source)).run().storages


def _report(look: Look, *outcomes: Outcome) -> None:
    """Report what came of the readings of one pickle, and look into the files that it holds, each once."""
    for outcome in outcomes:
        for note in outcome.notes:
            look.note(note)
    for span in sorted(set().union(*(outcome.nested for outcome in outcomes)), key=lambda span: span.begin):
        look.budget.members -= 1
        if look.depth >= DEEPEST or look.budget.members < 0:
            look.unseen("archive.deep", "it holds files in pickles in files, and the rest was not looked into", span.begin)
            return
        look.into(look.inside("nested.pt", look.source.window(span.begin, span.size), shown=f"(bytes at {span.begin})"))


def _rest(look: Look, machine: Machine) -> None:
    """What stands behind the first pickle: more of them, or something that should not be there.

    A program may read on with a new unpickler, or with the same one, which has not forgotten what the first pickle remembered.
    """
    source, place, same = look.source, machine.stream.place, machine
    while place < source.size:
        plain, joblib = _readings(source, place)
        same, _ = _readings(source, place, same)
        _report(look, *_that_count(plain, joblib), *([same.outcome] if same.outcome.acts or same.outcome.reaches else []))
        outcome = (joblib or plain).outcome
        if outcome.fault is not None:
            look.find("pickle.trailing", f"{source.size - place} bytes follow the end of the pickle", place)
            # Of what is no pickle, the first byte says so.
            if outcome.opcodes > 1 or same.outcome.opcodes > 1:
                look.unseen("pickle.malformed", f"{outcome.fault}, and nobody can say what follows", outcome.end)
            return
        place = outcome.end


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
        _rest(look, Machine(Stream(source, place)))
