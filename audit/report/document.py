"""Document: what a report says, part by part and block by block, before anything is known of pages or of markup.

One document is made of an audit in each language, and each renderer sets it: so HTML and PDF say the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from audit.evidence import Figure
from audit.policy import Verdict

#: How a paragraph is meant: the sentence that sums up, what leads in, a question, a note in the margin, or what few need.
Voice = Literal["plain", "headline", "lead", "question", "note", "muted"]
Place = Literal["body", "appendix"]
#: What a document can be set as.
Format = Literal["html", "pdf"]
FORMATS: tuple[Format, ...] = get_args(Format)


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table, or beside a term.

    Args:
        text: What it says.
        small: What is added beneath in small print.
        verdict: The verdict that is told, as word, sign and colour, before the text.
        strong: Whether it stands out.
        code: Whether it is a name or a digest, to be set letter by letter.
        link: Id of the part or finding that it leads to.
    """

    text: str
    small: str = ""
    verdict: Verdict | None = None
    strong: bool = False
    code: bool = False
    link: str = ""


@dataclass(frozen=True)
class Paragraph:
    """One or more sentences."""

    text: str
    voice: Voice = "plain"


@dataclass(frozen=True)
class Points:
    """Short things that stand beside each other, each on a line of its own."""

    items: tuple[Cell, ...]


@dataclass(frozen=True)
class Facts:
    """Terms, and what each is."""

    facts: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True)
class Head:
    """What heads a column, and whether numbers stand in it."""

    text: str
    number: bool = False


@dataclass(frozen=True)
class Grid:
    """A table. The first cell of each row names the row; where it is empty, the row goes on under the name above it.

    Args:
        title: What it shows.
        heads: What heads each column.
        rows: As many cells each as there are heads; a row of one cell is a remark about the row above it.
    """

    title: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A figure, with words for whoever cannot see it and its numbers as a table.

    Args:
        check: The check that it is from.
        figure: What is drawn.
        title: What it shows.
        caption: How to read it.
        numbers: What is drawn, as a table, which a screen shows when it is asked for.
    """

    check: str
    figure: Figure
    title: str
    caption: str
    numbers: Grid


@dataclass(frozen=True)
class Signature:
    """A box in which somebody signs or seals by hand: what it is for, and the lines in it."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Blocks under a heading of their own.

    Args:
        id: By which links find it.
        title: Its heading.
        blocks: What it says.
        verdict: The verdict told beside the heading, if it is about one.
        folded: Whether a screen shows it only when it is asked for; paper always does.
    """

    id: str
    title: str
    blocks: tuple[Block, ...]
    verdict: Verdict | None = None
    folded: bool = False


Block = Paragraph | Points | Facts | Grid | Picture | Signature | Group


@dataclass(frozen=True)
class Part:
    """One part of a report, on a page of its own in print.

    Args:
        id: By which links find it.
        title: Its heading.
        place: Whether it is for every reader, or for whoever looks something up.
        blocks: What it says.
    """

    id: str
    title: str
    place: Place
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A report in one language.

    Args:
        language: Tag of the language, ``"zh-CN"``.
        title: What the report is of.
        kind: What kind of document it is.
        subtitle: What it says of itself in a line.
        id: By which it is cited; the same for the same record.
        revision: Which edition of it this is.
        date: The day on which the audit was run, in ISO 8601.
        footer: What stands at the foot of every page.
        parts: What it says.
    """

    language: str
    title: str
    kind: str
    subtitle: str
    id: str
    revision: str
    date: str
    footer: str
    parts: tuple[Part, ...]
