"""The verdict for a terminal: a table in words, readable without colours, in 80 columns, in the language of whoever reads it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TextIO

from rich.cells import cell_len
from rich.style import Style

from audit.bundle import Audit
from audit.policy import VERDICTS, Finding, Verdict
from audit.report.catalogue import languages, read_catalogue
from audit.report.contents import Contents
from classifier.catalogue import Catalogue

_STYLES: Mapping[Verdict, Style] = {
    "pass": Style(color="green"),
    "fail": Style(color="red", bold=True),
    "inconclusive": Style(color="yellow"),
    "not_run": Style(color="cyan"),
}
_STRONG = Style(bold=True)
_GAP, _LEAST = 2, 80
# The widest that a rule and a limit may be before they go on in the next line; what was measured takes the rest.
_RULE, _REQUIRED = 20, 20
# Where a line may end: behind a blank, and behind each Chinese letter. A blank that does not break stays in its word.
_PIECES = re.compile(r" +|[\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60]|[^ \u2e80-\u9fff\uf900-\ufaff\uff00-\uff60]+")
# No line begins with one of these, and none ends with one of those.
_CLOSING, _OPENING = "，。；：、）》”％", "（《“"


def preferred_language(environment: Mapping[str, str] | None = None) -> str:
    """The language of whoever sits before the terminal: Chinese where the locale says so, else English.

    Args:
        environment: Variables of the process; the first of ``LC_ALL``, ``LC_MESSAGES`` and ``LANG`` that says something counts.
    """
    variables = os.environ if environment is None else environment
    locale = next((variables[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if variables.get(name)), "")
    return "zh-CN" if locale.lower().startswith("zh") and "zh-CN" in languages() else "en"


def takes_colours(stream: TextIO, environment: Mapping[str, str] | None = None) -> bool:
    """Whether what is written to a stream may be coloured: it is a terminal, and nobody has asked for none (no-color.org)."""
    variables = os.environ if environment is None else environment
    return stream.isatty() and not variables.get("NO_COLOR") and variables.get("TERM") != "dumb"


def summarise(audit: Audit, *, language: str | None = None, width: int = 80, colours: bool = False) -> str:
    """What was found, rule by rule: the verdict, the rule, what was measured, and what is required.

    Args:
        audit: The record.
        language: Tag of a catalogue; by default that of the locale.
        width: Columns of the terminal; of a narrower one than 80, 80.
        colours: Whether verdicts are coloured as well as said.

    Raises:
        ConfigurationError: If there is no catalogue of the language.
    """
    say = read_catalogue(language or preferred_language())
    contents, painted, width = Contents(audit, say), _Painted(colours), max(width, _LEAST)
    lines = [painted.strong(line) for line in wrap_cells(say("report.title", {"name": audit.identity.name}), width)]
    if audit.findings:
        lines += ["", *_table(contents, width, painted), "", _counts(audit, say, painted)]
    missing = contents.not_measured()
    if missing:
        lines += ["", painted.strong(say("heading.not_measured"))]
        for what, why in missing:
            first, *others = wrap_cells(contents.wording.term(what, why), width - 4)
            lines += [f"  {first}", *(f"    {line}" for line in others)]
    held = sum(answer.holds for answer in audit.known_answers)
    lines += ["", say("terminal.known", {"held": held, "total": len(audit.known_answers)})]
    lines += [painted.strong(line) for sentence in contents.headline() for line in wrap_cells(sentence, width)]
    return "\n".join(lines).replace("\u00a0", " ")


def wrap_cells(text: str, width: int) -> list[str]:
    """A text in lines of so many columns, of which a Chinese letter takes two.

    A line ends between words, or between Chinese letters, and begins with no mark that closes; what is longer than a line is cut.
    """
    lines: list[str] = []
    line = ""
    for piece in _pieces(_printable(text), width):
        if cell_len(line + piece) > width and line:
            lines.append(line.rstrip())
            line = ""
        line += piece.lstrip() if not line else piece
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _pieces(text: str, width: int) -> Iterator[str]:
    """What stays together: words, and Chinese letters with the marks that cling to them."""
    together = ""
    for piece in _PIECES.findall(text):
        if together and piece[0] not in _CLOSING and together[-1] not in _OPENING:
            yield from _cut(together, width)
            together = ""
        together += piece
    yield from _cut(together, width)


def _cut(piece: str, width: int) -> Iterator[str]:
    """A piece that is wider than a line, in parts that are not."""
    part = ""
    for letter in piece:
        if part and cell_len(part + letter) > width:
            yield part
            part = ""
        part += letter
    yield part


class _Painted:
    """Paints words, for a terminal that takes colours."""

    def __init__(self, colours: bool) -> None:
        self.colours = colours

    def of(self, verdict: Verdict) -> Callable[[str], str]:
        return _STYLES[verdict].render if self.colours else str

    def strong(self, text: str) -> str:
        return _STRONG.render(text) if self.colours else text


def _table(contents: Contents, width: int, painted: _Painted) -> Iterator[str]:
    """Heads, a line of dashes, and the findings, those that weigh most first."""
    say, wording, ranked = contents.catalogue, contents.wording, contents.ranked()
    words = {verdict: say(f"verdict.{verdict}.word") for verdict in VERDICTS}
    heads = [say(f"finding.{head}") for head in ("verdict", "rule", "measured", "required")]
    first = max(map(cell_len, (*words.values(), heads[0])))
    second = min(_RULE, max(cell_len(text) for text in (*(finding.rule for finding in ranked), heads[1])))
    last = min(_REQUIRED, max(cell_len(text) for text in (*map(wording.limit, ranked), heads[3])))
    widths = (first, second, width - first - second - last - 3 * _GAP, last)
    yield from _rows(heads, widths, painted.strong)
    yield "-" * width
    for finding in ranked:
        verdict, rule, judged = words[finding.verdict], _printable(finding.rule), (_measured(contents, finding), wording.limit(finding))
        if cell_len(rule) > second:
            # A name is copied from here into a command: it stays whole, on a line of its own.
            yield from _rows((verdict, rule), (first, width - first - _GAP), painted.of(finding.verdict))
            verdict = rule = ""
        yield from _rows((verdict, rule, *judged), widths, painted.of(finding.verdict))


def _measured(contents: Contents, finding: Finding) -> str:
    wording, say, metric = contents.wording, contents.catalogue, finding.metric
    return wording.points(
        wording.measured(metric, beside=finding.limit),
        say("number.unreliable", {"why": wording.told(metric.unreliable)}) if metric is not None and metric.unreliable else "",
        say("terminal.waived") if finding.violated and finding.waived_by is not None else "",
    )


def _rows(cells: Sequence[str], widths: Sequence[int], paint: Callable[[str], str]) -> Iterator[str]:
    """One row of a table in as many lines as it takes, of which the first cell is painted."""
    columns = [wrap_cells(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for line in zip_longest(*columns, fillvalue=""):
        first, *others = (text + " " * (width + _GAP - cell_len(text)) for text, width in zip(line, widths, strict=True))
        yield (first.replace(line[0], paint(line[0]), 1) + "".join(others) if line[0] else first + "".join(others)).rstrip()


def _counts(audit: Audit, say: Catalogue, painted: _Painted) -> str:
    """How many findings there are of each verdict."""
    counts = audit.count()
    return "   ".join(painted.of(verdict)(f"{say(f'verdict.{verdict}.word')} {counts[verdict]}") for verdict in VERDICTS)


def _printable(text: str) -> str:
    """Without the control characters by which a name from a data file could command the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\u00a0" else "\N{REPLACEMENT CHARACTER}" for letter in text)
