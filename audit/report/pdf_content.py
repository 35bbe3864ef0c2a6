"""Content of a PDF: a document as plain data, which the template sets and never reads as markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.policy import VERDICTS
from audit.report.document import Block, Cell, Document, Facts, Grid, Group, Paragraph, Part, Picture, Place, Points, Signature
from audit.report.drawing import pictures_in
from audit.report.pdf_columns import Room, column_widths
from audit.report.pdf_letters import breakable, writable
from classifier.catalogue import Catalogue
from classifier.errors import DataError

# More rows than a page holds say nothing on paper.
_MOST_ROWS = 60
# In millimetres: a figure stands between wide margins, and a tall one leaves room for its title.
_WIDEST, _HIGHEST = 126.0, 200.0
# The Chinese font draws these as wide as a Chinese letter; between Latin letters they are the Latin font's.
_WIDE_SIGNS = re.compile(r"[‘’“”…·×±≤≥]+")
_NARROW_SIGN = r"""<tspan style="font-family: 'Libertinus Serif'">\g<0></tspan>"""
_VIEW_BOX = re.compile(r'viewBox="0 0 (\d[\d.]*) (\d[\d.]*)"')


@dataclass(frozen=True)
class PdfContent:
    """Puts a document into plain data.

    Args:
        document: What it says.
        pictures: Its pictures as SVG, by check and figure.
        say: The sentences of its language.
        font: The font that has the most letters.
    """

    document: Document
    pictures: Mapping[tuple[str, str], str]
    say: Catalogue
    font: Path

    def as_data(self) -> dict[str, Any]:
        """All of it, for JSON.

        Raises:
            DataError: If a picture is missing.
        """
        document, say = self.document, self.say
        language, _, region = document.language.partition("-")
        return {
            "language": language,
            "region": region or None,
            "name": self._text(say("report.title", {"kind": document.kind, "name": document.title})),
            "kind": self._text(document.kind),
            "title": self._text(document.title),
            "subtitle": self._text(document.subtitle),
            "id": document.id,
            "footer": self._text(document.footer),
            # Only the template knows the numbers of pages.
            "page": say("pdf.page", {"page": "{page}", "pages": "{pages}"}),
            "appendix": say("report.appendix"),
            "contents": say("report.contents"),
            "record": say("pdf.record"),
            "numbers": say("pdf.numbers"),
            "words": {"numbers": say("heading.data_table"), "colon": say("join.colon"), **self._verdicts},
            "parts": [self._part(part) for part in document.parts],
            "pictures": [self._numbers(name, picture) for name, picture in self._shown().items()],
        }

    @property
    def _verdicts(self) -> dict[str, str]:
        return {verdict: self.say(f"verdict.{verdict}.word") for verdict in VERDICTS}

    def _shown(self) -> dict[str, Picture]:
        """Each picture once, by the name of its numbers, in their order."""
        shown = (picture for part in self.document.parts for picture in pictures_in(part.blocks))
        return {_numbers_id(picture): picture for picture in shown}

    def _part(self, part: Part) -> dict[str, Any]:
        return {
            "id": part.id,
            "title": self._text(part.title),
            "place": part.place,
            "blocks": list(self._blocks(part.blocks, part.place)),
        }

    def _blocks(self, blocks: Sequence[Block], place: Place) -> Iterator[dict[str, Any]]:
        """The blocks; boxes to sign in that follow each other stand side by side."""
        boxes: list[dict[str, Any]] = []
        for block in blocks:
            if isinstance(block, Signature):
                boxes.append({"title": self._text(block.title), "lines": [self._text(line) for line in block.lines]})
                continue
            if boxes:
                yield {"kind": "signatures", "boxes": boxes}
                boxes = []
            yield self._block(block, place)
        if boxes:
            yield {"kind": "signatures", "boxes": boxes}

    def _block(self, block: Paragraph | Points | Facts | Grid | Picture | Group, place: Place) -> dict[str, Any]:
        match block:
            case Paragraph():
                return {"kind": "paragraph", "text": self._text(block.text), "voice": block.voice}
            case Points():
                return {"kind": "points", "items": [self._cell(item) for item in block.items]}
            case Facts():
                return {"kind": "facts", "facts": [[self._text(term), self._cell(said)] for term, said in block.facts]}
            case Grid():
                return self._grid(block, place)
            case Picture():
                return self._picture(block)
            case Group():
                inside = list(self._blocks(block.blocks, place))
                return {"kind": "group", "id": block.id, "title": self._text(block.title), "verdict": block.verdict, "blocks": inside}

    def _grid(self, grid: Grid, place: Room) -> dict[str, Any]:
        return {
            "kind": "grid",
            "title": self._text(grid.title),
            "heads": [{"text": self._text(head.text), "number": head.number} for head in grid.heads],
            "widths": column_widths(grid, place, self._verdicts),
            "rows": [[self._cell(cell) for cell in row] for row in grid.rows],
        }

    def _picture(self, picture: Picture) -> dict[str, Any]:
        drawn = self.pictures.get((picture.check, picture.figure.name))
        if drawn is None:
            raise DataError(
                f"the document shows the figure {picture.figure.name!r} of {picture.check}, which is not among the pictures that are given",
                remedy="draw them with draw_all(document)",
            )
        title, caption = self._text(picture.title), self._text(picture.caption)
        # Its letters are those of the report; a picture has no place where a name may break.
        svg = writable(drawn, self.font)
        if not self.document.language.startswith("zh"):
            svg = _WIDE_SIGNS.sub(_NARROW_SIGN, svg)
        return {
            "kind": "picture",
            "svg": svg,
            "width": _printed_width(svg),
            "title": title,
            "caption": caption,
            "numbers": _numbers_id(picture),
        }

    def _numbers(self, name: str, picture: Picture) -> dict[str, Any]:
        """The numbers of a picture; of a curve of many points, where they are to be found."""
        rows = len(picture.numbers.rows)
        grid = self._grid(picture.numbers, "column") if rows <= _MOST_ROWS else None
        return {"id": name, "title": self._text(picture.title), "grid": grid, "elsewhere": self.say("pdf.elsewhere", {"rows": rows})}

    def _cell(self, cell: Cell) -> dict[str, Any]:
        return {
            "text": breakable(writable(cell.text, self.font), code=cell.code),
            "small": self._text(cell.small),
            "verdict": cell.verdict,
            "strong": cell.strong,
            "code": cell.code,
            "link": cell.link,
        }

    def _text(self, text: str) -> str:
        return breakable(writable(text, self.font))


def _printed_width(svg: str) -> float:
    """Its width on paper in millimetres, so that a tall one fits on a page with its title."""
    box = _VIEW_BOX.search(svg)
    if box is None:
        raise DataError("a picture has no viewBox that tells its size", remedy="draw the pictures with draw_all(document)")
    return round(min(_WIDEST, _HIGHEST * float(box[1]) / float(box[2])), 2)


def _numbers_id(picture: Picture) -> str:
    return f"numbers {picture.check} {picture.figure.name}"
