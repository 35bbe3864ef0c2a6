"""Programs, scripts and graphs that call them: what a folder of weights has no need of."""

from __future__ import annotations

import re
from collections.abc import Iterator

from audit.supply_chain.look import Look
from audit.supply_chain.source import Source

_MACH = (b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
PROGRAM_NAMES = frozenset(
    (".exe", ".dll", ".so", ".dylib", ".pyd", ".pyc", ".pyo", ".msi", ".scr", ".jar", ".class", ".wasm", ".lnk", ".desktop")
)
SCRIPT_NAMES = frozenset([".sh", ".bash", ".zsh", ".bat", ".cmd", ".ps1", ".vbs", ".js", ".mjs", ".hta", ".pl", ".rb", ".php", ".lua"])
SOURCE_NAMES = frozenset([".py", ".pyi", ".pyx", ".ipynb"])
# Operations of a graph that reach for files or for Python, as a node of it names them: field 2, its length, its name.
_OPERATIONS = re.compile(b"\x12(?:\x08ReadFile|\x09WriteFile|\x06PyFunc|\x0fPyFuncStateless|\x0bEagerPyFunc)")

# Tags of PyYAML, short and in full, and what hides one: a handle of the file's own, an escape.
_TAGS = re.compile(rb"(?:!!|tag:yaml\.org,2002:)python/\w{1,20}|(?:\A|(?<=[\r\n]))%TAG\b|![\w<:,./!-]{0,60}%[0-9A-Fa-f]{2}")


def program_of(source: Source, suffix: str) -> str | None:
    """What kind of program a file is; ``None`` of any other."""
    head = source.read_at(0, 64)
    if head.startswith(b"\x7fELF"):
        return "program of Linux (ELF)"
    if head[:4] in _MACH and source.size > 64:
        return "program of macOS or Java"
    if head.startswith(b"MZ") and (suffix in PROGRAM_NAMES or source.read_at(int.from_bytes(head[60:64], "little"), 4) == b"PE\0\0"):
        return "program of Windows"
    if head.startswith(b"\0asm"):
        return "program (WebAssembly)"
    if suffix in (".pyc", ".pyo") and head[2:4] == b"\r\n":
        return "program of Python, compiled"
    return "program" if suffix in PROGRAM_NAMES else None


def look_for_scripts(look: Look, suffix: str) -> str | None:
    """Report a script or source by its first bytes or its name."""
    if look.source.read_at(0, 2) == b"#!" or suffix in SCRIPT_NAMES:
        look.find("file.script", "it is a script")
        return "script"
    if suffix in SOURCE_NAMES:
        look.find("file.source", "it is source of Python")
        return "source"
    return None


def search_operations(look: Look) -> None:
    """Search a graph of TensorFlow."""
    for place, found in _search(look, _OPERATIONS):
        look.find("tensorflow.operation", f"a node of it is {found[2:].decode('ascii')}", place)


def search_tags(look: Look) -> None:
    """Search YAML for tags by which a loader makes objects of Python."""
    for place, found in _search(look, _TAGS):
        look.find("file.names_code", f"it holds the tag {found.decode('ascii')}", place)


def _search(look: Look, pattern: re.Pattern[bytes]) -> Iterator[tuple[int, bytes]]:
    """Where a short pattern stands, block by block; what lies across two blocks is seen in the second."""
    before, place = b"", 0
    for block in look.source.blocks():
        window = before + block
        for match in pattern.finditer(window):
            if match.end() > len(before):
                yield place - len(before) + match.start(), match[0]
        place += len(block)
        before = window[-64:]
