"""Looking into one range of bytes, whatever it is: by what it begins with, what it ends with, and what it would be as a pickle."""

from __future__ import annotations

from audit.supply_chain.archives.packed import STREAMS, look_into_stream
from audit.supply_chain.archives.tar_file import look_into_tar
from audit.supply_chain.archives.zip_directory import CENTRAL, Directory, UnreadableError, find_end, read_directory
from audit.supply_chain.archives.zip_file import look_into_zip, read_members
from audit.supply_chain.formats.gguf_file import look_into_gguf
from audit.supply_chain.formats.json_file import LONGEST, TEMPLATES, check_template, look_into_json
from audit.supply_chain.formats.keras_config import search_configuration
from audit.supply_chain.formats.numpy_file import look_into_array
from audit.supply_chain.formats.onnx_file import look_into_onnx
from audit.supply_chain.formats.programs import look_for_scripts, program_of, search_operations, search_tags
from audit.supply_chain.formats.safetensors_file import look_into_safetensors
from audit.supply_chain.formats.torch_zip import look_into_torch, pickle_of
from audit.supply_chain.kinds import EXPECTED, OPAQUE, PICKLES, RUNS, kind_of, structured, suffix_of
from audit.supply_chain.look import DEEPEST, Look
from audit.supply_chain.pickles.sequence import look_for_pickles

# One entry of a directory of zip, with all that may follow its name.
_LONGEST_ENTRY = 1 << 18
_LOOKS = {
    "numpy": look_into_array,
    "safetensors": look_into_safetensors,
    "onnx": look_into_onnx,
    "gguf": look_into_gguf,
    "hdf5": search_configuration,
    "tar": look_into_tar,
}


def look_into(look: Look) -> str:
    """Report all that is wrong with a range of bytes.

    Returns:
        What it is, ``"other"`` where nothing is known of it.
    """
    if look.source.size == 0:
        return "empty"
    if look.depth > DEEPEST:
        look.unseen("archive.deep", f"it lies in {look.depth} archives, and was not looked into")
        return "other"
    suffix = suffix_of(look.name)
    kind = kind_of(look.source)
    program = program_of(look.source, suffix) if kind is None else None
    if program is not None:
        look.find("file.program", f"it is a {program}")
    if kind is None and program is None:
        # A header of JSON behind its length is safetensors, whatever else it may be; a message may be a model.
        kind = structured(look)
    if kind != "zip" and kind != "tar":
        _end(look)
    as_pickle = look_for_pickles(look, claimed=kind is None and program is None and suffix in PICKLES) if kind != "sealed" else None
    kind = _known(look, kind, suffix) or as_pickle or ("program" if program else None) or _text(look, suffix)
    _mismatch(look, kind if as_pickle is None else as_pickle, suffix)
    return kind


def _known(look: Look, kind: str | None, suffix: str) -> str | None:
    """Look into what begins like something known."""
    if kind == "sealed":
        look.unseen("file.sealed", "it is encrypted")
    elif kind in OPAQUE:
        severity = "high" if suffix in PICKLES else "medium"
        look.unseen("archive.opaque", f"it is packed with {kind}", severity=severity)  # type: ignore[arg-type]
    elif kind == "zip":
        directory = read_members(look)
        return _zip(look, directory) if directory is not None else kind
    elif kind in STREAMS:
        look_into_stream(look, kind)
    elif kind is not None:
        _LOOKS[kind](look)
    return kind


def _zip(look: Look, directory: Directory) -> str:
    names = [member.name.decode("utf-8", "backslashreplace") for member in directory.members]
    look_into_zip(look, directory)
    if pickle_of(names) is not None:
        return look_into_torch(look, directory)
    stems = {name.rpartition("/")[2] for name in names}
    if {"config.json", "metadata.json"} <= stems or "model.weights.h5" in stems:
        return "keras"
    return "torch program" if {"archive_format", "archive_version"} & stems else "zip"


def _end(look: Look) -> None:
    """Another file that ends like a zip archive is opened as one by many programs."""
    end = find_end(look.source)
    if end is None:
        return
    try:
        directory = read_directory(look.source, end)
    except UnreadableError as error:
        # Its directory ends where the record begins, or lies where that says: other programs may be content with it.
        before = look.source.read_at(max(0, end - _LONGEST_ENTRY), min(end, _LONGEST_ENTRY))
        if CENTRAL in before or look.source.read_at(int.from_bytes(look.source.read_at(end + 16, 4), "little"), 4) == CENTRAL:
            look.unseen("zip.malformed", f"it ends as a zip archive, and {error}", end)
        return
    look.find("zip.polyglot", "it ends as a zip archive, and begins as something else", directory.base)
    look_into_zip(look, directory)


def _text(look: Look, suffix: str) -> str:
    found = look_for_scripts(look, suffix)
    if found is not None:
        return found
    if suffix == ".pb":
        search_operations(look)
    first = look.source.read_at(0, 64).lstrip()[:1]
    if suffix in (".yaml", ".yml"):
        search_tags(look)
    if suffix in TEMPLATES:
        check_template(look, look.source.read_at(0, LONGEST).decode("utf-8", "backslashreplace"))
    if suffix == ".json" or first in (b"{", b"["):
        if look_into_json(look):
            return "json"
        if suffix == ".json":
            look.find("file.malformed", "it is no JSON that Python reads")
    return "other"


def _mismatch(look: Look, kind: str, suffix: str) -> None:
    expected = EXPECTED.get(suffix)
    if expected is None or kind in expected or (kind == "other" and "json" in expected):
        return
    severe = kind in RUNS and not expected & RUNS
    if kind == "other":
        look.journal.looked_into = False
    said = f"its name ends in {suffix}, and " + ("nothing of it is known" if kind == "other" else f"it is: {kind}")
    look.find("file.mismatch", said, severity="high" if severe else None)
