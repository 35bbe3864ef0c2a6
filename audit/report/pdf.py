"""One PDF of a document: PDF/A-3a and PDF/UA-1, with the audit's record attached inside; the same bytes for the same document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from audit.report.catalogue import read_catalogue
from audit.report.document import Document
from audit.report.pdf_content import PdfContent
from classifier.errors import ConfigurationError, DataError, InternalError

if TYPE_CHECKING:
    from typst import Fonts

_TEMPLATES = Path(__file__).parent / "typst"
_PACKAGES = {"typst": "typst", "pylopdf_fonts_zh_cn": "pylopdf-fonts-zh-cn"}
_REMEDY = "install what it needs with `pip install 'assay[pdf]'`"


def render_pdf(document: Document, pictures: Mapping[tuple[str, str], str], *, record: bytes, created: datetime) -> bytes:
    """Set a document as one PDF.

    Args:
        document: What it says.
        pictures: Its pictures as SVG, by check and figure, as `draw_all` gives them.
        record: What ``audit.json`` holds, which is attached.
        created: When the report was made, with its time zone; it stands in the file's properties.

    Raises:
        ConfigurationError: If typst or the Chinese font is not installed, or there is no catalogue of the document's language.
        DataError: If a picture is missing, the record is no text, or `created` has no time zone.
        InternalError: If typst refuses what it was given.
    """
    if created.utcoffset() is None:
        raise DataError(f"created must have a time zone, got {created.isoformat()}", remedy="give datetime.now(timezone.utc)")
    for module, package in _PACKAGES.items():
        _require(module, package)
    from pylopdf_fonts_zh_cn import sans_path
    from typst import Compiler, TypstError

    content = PdfContent(document, pictures, read_catalogue(document.language), sans_path())
    inputs = {"document": json.dumps(content.as_data(), ensure_ascii=False), "record": _as_text(record)}
    try:
        compiler = Compiler(_TEMPLATES / "report.typ", root=_TEMPLATES, font_paths=_fonts(sans_path().parent), ignore_system_fonts=True)
        made = compiler.compile(format="pdf", sys_inputs=inputs, pdf_standards=["a-3a", "ua-1"], timestamp=created)
    except TypstError as error:
        raise InternalError(f"typst could not set the report: {error.message}") from error
    if not isinstance(made, bytes):
        raise InternalError(f"typst gave {type(made).__name__} for a PDF")
    return made


def _require(module: str, package: str) -> None:
    try:
        import_module(module)
    except ImportError as missing:
        raise ConfigurationError(f"the PDF of a report needs the package {package}, which is not installed", remedy=_REMEDY) from missing


@cache
def _fonts(folder: Path) -> Fonts:
    """The Chinese fonts and those that typst brings, and none of this machine's: elsewhere the same report has the same bytes."""
    from typst import Fonts

    return Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[folder])


def _as_text(record: bytes) -> str:
    try:
        return record.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"the record must be UTF-8, as audit.json is, but byte {error.start} is not") from error
