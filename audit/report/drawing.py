"""Drawing: every picture of a document, once for all that set it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from audit.report.catalogue import read_catalogue
from audit.report.document import Block, Document, Group, Picture
from audit.report.figures import draw_svg
from audit.report.wording import Wording


def draw_all(document: Document) -> dict[tuple[str, str], str]:
    """Every picture of a document as SVG, by its check and by the name of its figure.

    Args:
        document: What is shown.
    """
    wording = Wording(read_catalogue(document.language))
    shown = (picture for part in document.parts for picture in pictures_in(part.blocks))
    return {(picture.check, picture.figure.name): draw_svg(picture.check, picture.figure, wording) for picture in shown}


def pictures_in(blocks: Iterable[Block]) -> Iterator[Picture]:
    """The pictures among blocks and the groups in them, in their order."""
    for block in blocks:
        if isinstance(block, Picture):
            yield block
        elif isinstance(block, Group):
            yield from pictures_in(block.blocks)
