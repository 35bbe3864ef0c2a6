"""A scan for a terminal: readable without colours, in 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby

from audit.supply_chain.findings import SEVERITIES, Scan, ScannedFile
from audit.supply_chain.look import printable

_SIZES = ("B", "kB", "MB", "GB", "TB")
# Files that are listed one by one; of more, those with nothing to say are counted.
_LISTED = 40


def describe(scan: Scan, *, width: int = 80) -> str:
    """Files, then findings with their place, reason and next step, then counts.

    Args:
        scan: What was scanned.
        width: Columns of the terminal.
    """
    lines = [*_files(scan, width), *_findings(scan, width), ""]
    counts = scan.count()
    lines.append(f"{len(scan.files)} {_plural('file', len(scan.files))}; findings: " + ", ".join(f"{counts[s]} {s}" for s in SEVERITIES))
    missed = len(scan.not_looked_into)
    if missed:
        lines += textwrap.wrap(f"{missed} {_plural('file', missed)} could not be looked into, or not to the end.", width)
    if not scan.findings:
        lines += textwrap.wrap("Nothing was found. What a model does when it is used, no scan of its file can tell.", width)
    return "\n".join(lines)


def _files(scan: Scan, width: int) -> Iterator[str]:
    told = {finding.file for finding in scan.findings}
    shown = scan.files if len(scan.files) <= _LISTED else tuple(file for file in scan.files if file.name in told)
    if not shown:
        return
    room = max(20, width - 8 - 10 - 18 - 14)
    yield f"{'SHA-256':<14}{'size':>9} {'':1}{'kind':<18}file"
    for file in shown:
        name = file.name if len(file.name) <= room + 8 else f"{file.name[: room // 2]}...{file.name[-(room - room // 2) + 3 :]}"
        yield f"{(file.sha256 or '-')[:12]:<14}{_size(file):>9}  {_kind(file):<18}{printable(name)}".rstrip()
    if len(shown) < len(scan.files):
        yield f"and {len(scan.files) - len(shown)} files with nothing to report"


def _findings(scan: Scan, width: int) -> Iterator[str]:
    for (severity, place), group in groupby(scan.findings, key=lambda f: (f.severity, f"{f.file}!{f.member}" if f.member else f.file)):
        yield ""
        yield from textwrap.wrap(
            f"{severity.upper():<8}{printable(place)}", width, subsequent_indent=" " * 8, break_long_words=True, break_on_hyphens=False
        )
        remedy = None
        for finding in group:
            if remedy not in (None, finding.remedy):
                yield from _wrapped(f"next: {remedy}", width)
            remedy = finding.remedy
            at = "" if finding.offset is None else f"byte {finding.offset}: "
            yield from _wrapped(f"{at}{printable(finding.reason)} [{finding.rule}]", width)
        yield from _wrapped(f"next: {remedy}", width)


def _wrapped(text: str, width: int) -> list[str]:
    indent = " " * 8
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False)


def _size(file: ScannedFile) -> str:
    size, step = float(file.size), 0
    while size >= 1000 and step < len(_SIZES) - 1:
        size, step = size / 1000, step + 1
    return f"{size:.0f} {_SIZES[step]}" if step == 0 else f"{size:.1f} {_SIZES[step]}"


def _kind(file: ScannedFile) -> str:
    return file.kind if file.looked_into else f"{file.kind} (!)"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
