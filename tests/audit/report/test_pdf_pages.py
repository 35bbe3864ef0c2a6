"""The pages of the PDF: where parts begin, what stands on each, and that nothing is cut."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from pypdf import PdfReader
from pypdf.generic import Destination

from audit.bundle import Audit
from audit.policy import Policy, Verdict
from audit.report import compose, draw_all, languages
from audit.report.document import Block, Cell, Document, Facts, Grid, Group, Head, Paragraph, Part, Points, Signature
from audit.report.pdf import render_pdf

CREATED = datetime(2026, 7, 1, tzinfo=UTC)
# The body that a reader of one hour gets; the facts of what a report holds say how many pages of it each part has.
MOST_PAGES = 12
# A4 in points, less a margin of 20 mm, and a hair.
RIGHT_EDGE = 595.28 - 56.69 + 0.1

Bookmarks = list[tuple[int, str, int]]


def made(*parts: Part, language: str = "en") -> PdfReader:
    document = Document(language, "credit", "Audit report", "", "452aa64e7f63", "1", "", "credit, document 452aa64e7f63", parts)
    return PdfReader(BytesIO(render_pdf(document, {}, record=b"{}", created=CREATED)))


def part(name: str, *blocks: Block, place: str = "body") -> Part:
    return Part(name, f"Part {name}", place, blocks)  # type: ignore[arg-type]


def bookmarks(reader: PdfReader) -> Bookmarks:
    """Depth, title and page, from one on, of every bookmark."""

    def under(outline: list[object], depth: int) -> Iterator[tuple[int, str, int]]:
        for mark in outline:
            if isinstance(mark, Destination):
                yield depth, str(mark.title), (reader.get_destination_page_number(mark) or 0) + 1
            elif isinstance(mark, list):
                yield from under(mark, depth + 1)

    return list(under(list(reader.outline), 0))


def body_pages(reader: PdfReader) -> int:
    """How many pages stand before the appendix."""
    (appendix,) = (page for depth, title, page in bookmarks(reader) if depth == 0 and title in ("Appendix", "附录"))
    return appendix - 1


@pytest.fixture(scope="module")
def pages_of(judged: Audit, policy: Policy) -> Callable[[str], PdfReader]:
    def pages(language: str) -> PdfReader:
        document = compose(judged, language=language, policy=policy)
        return PdfReader(BytesIO(render_pdf(document, draw_all(document), record=b"{}", created=CREATED)))

    return pages


@pytest.mark.parametrize("language", languages())
def test_the_body_of_a_whole_audit_has_at_most_twelve_pages(language: str, pages_of: Callable[[str], PdfReader]) -> None:
    reader = pages_of(language)
    assert body_pages(reader) <= MOST_PAGES
    first = [page for depth, _, page in bookmarks(reader) if depth == 0]
    # The verdict stands on page one alone, and each part of the body begins a page.
    assert first[:2] == [1, 2]
    assert first == sorted(set(first))
    assert len(first) == 11


def test_the_body_keeps_to_its_pages_whatever_the_policy_asks_and_whoever_wrote_at_length(judged: Audit) -> None:
    (model,) = (finding for finding in judged.findings if finding.rule == "BROKEN")
    measured = [m for e in judged.evidence for m in e.metrics if m.value is not None]
    said = "the committee of " * 60
    findings = tuple(
        replace(model, rule=f"RULE-{place}-{said}", asked=m.name, metric=m, set_by=said, rationale=said, limit=0.123)
        for place, m in enumerate(measured[:300])
    )
    run = {"signers": [f"signer {place} of the institution" for place in range(30)]}
    document = compose(replace(judged, findings=findings), run=run)
    reader = PdfReader(BytesIO(render_pdf(document, draw_all(document), record=b"{}", created=CREATED)))
    assert body_pages(reader) <= MOST_PAGES


def test_bookmarks_follow_the_document() -> None:
    inner = Group("b", "Inner", (Paragraph("x"),))
    reader = made(part("1", Group("a", "Outer", (inner,))), part("2"), part("3", place="appendix"), part("4", place="appendix"))
    assert bookmarks(reader) == [
        (0, "Part 1", 1),
        (1, "Outer", 1),
        (2, "Inner", 1),
        (0, "Part 2", 2),
        (0, "Appendix", 3),
        (1, "Part 3", 4),
        (1, "Part 4", 5),
    ]


def test_the_appendix_begins_with_a_list_of_what_is_in_it() -> None:
    reader = made(part("1"), part("2", Group("a", "All of it", ()), place="appendix"))
    contents = reader.pages[1].extract_text()
    assert re.search(r"Part 2[ .]*3\s+All of it[ .]*3", contents)
    assert "Part 1" not in contents


@pytest.mark.parametrize(("language", "words"), [("en", "Page {} of 3"), ("zh-CN", "第 {} 页，共 3 页")])
def test_every_page_says_which_it_is_and_of_what(language: str, words: str) -> None:
    for number, page in enumerate(made(part("1"), part("2"), part("3"), language=language).pages, start=1):
        text = page.extract_text()
        assert words.format(number).replace(" ", "") in text.replace(" ", "")
        assert "document 452aa64e7f63" in text
        # Page one has its title in large; the others say in their head what they are a part of.
        assert text.count(f"Part {number}") == (1 if number == 1 else 2)


def test_a_table_repeats_its_heads_and_keeps_its_rows_whole() -> None:
    rows = tuple((Cell(f"row{n}"), Cell(f"value{n}\n1\n2\n3\n4\nend{n}")) for n in range(60))
    reader = made(part("1", Grid("Many rows", (Head("Name of it"), Head("Value of it")), rows)))
    shown = []
    for page in reader.pages:
        text = page.extract_text()
        assert text.count("Name of it") == text.count("Value of it") == 1
        names, values, ends = (re.findall(rf"{word}(\d+)", text) for word in ("row", "value", "end"))
        assert names == values == ends
        shown += names
    assert shown == [str(n) for n in range(60)]
    assert len(reader.pages) > 2


def test_a_small_table_stands_on_one_page() -> None:
    """Wherever on the page it comes."""
    rows = tuple((Cell(f"row{n}"), Cell("x")) for n in range(6))
    for lines in range(40, 52):
        reader = made(part("1", *[Paragraph("line")] * lines, Grid("Few rows", (Head("Name"), Head("Value")), rows)))
        (page,) = {number for number, page in enumerate(reader.pages) if re.search(r"Few rows|row\d", page.extract_text())}
        assert len(re.findall(r"row\d", reader.pages[page].extract_text())) == 6


def test_rows_under_one_name_and_remarks_lose_nothing() -> None:
    rows: list[tuple[Cell, ...]] = [(Cell("the name"), Cell("v0"))]
    rows += [(Cell(""), Cell(f"v{n}")) for n in range(1, 90)]
    rows += [(Cell("a remark on them"),), (Cell("", verdict="fail"), Cell("v90")), (Cell("another remark"),)]
    text = "".join(page.extract_text() for page in made(part("1", Grid("G", (Head("A"), Head("B")), tuple(rows)))).pages)
    assert re.findall(r"v(\d+)", text) == [str(n) for n in range(91)]
    for said in ("the name", "a remark on them", "another remark", "Fail"):
        assert text.count(said) == 1


def test_a_cell_longer_than_a_page_goes_on_on_the_next() -> None:
    words = " ".join(f"word{n}" for n in range(3000))
    heads = (Head("A"), Head("B"))
    blocks = (Grid("G", heads, ((Cell("a"), Cell(words)),)), Facts((("Term", Cell(words)),)), Grid("H", heads, ((Cell(words),),)))
    for block in blocks:
        text = "".join(page.extract_text() for page in made(part("1", block)).pages)
        assert re.findall(r"word(\d+)", text) == [str(n) for n in range(3000)]


def words_of_pages(pdf: bytes, folder: Path) -> list[tuple[float, float, str]]:
    """Where each piece of a line begins and ends from the left, and what it is."""
    (folder / "report.pdf").write_bytes(pdf)
    said = subprocess.run(["pdftotext", "-bbox", folder / "report.pdf", "-"], capture_output=True, text=True, check=True).stdout
    found = re.findall(r'<word xMin="([\d.]+)" yMin="[\d.]+" xMax="([\d.]+)" yMax="[\d.]+">(.*?)</word>', said)
    return [(float(left), float(right), unescape(word)) for left, right, word in found]


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext, which measures where letters end, is not installed")
@pytest.mark.parametrize("pattern", ["{}", "abc_{}_"])
def test_names_of_120_letters_and_digests_end_within_their_columns(pattern: str, tmp_path: Path) -> None:
    def name(letter: str) -> str:
        made = pattern.format(letter * 7)
        return (made * 120)[:120]

    # Capitals are the widest; each column has a letter of its own.
    letters = "WKQ0"
    heads = tuple(Head(name(letter)) for letter in letters)
    cells = tuple(Cell(name(letter), small=name(letter), code=letter == "0") for letter in letters)
    paragraphs = (Paragraph(name("W"), voice) for voice in ("plain", "headline", "note"))  # type: ignore[arg-type]  # voices that there are
    facts, points = Facts(((name("K"), Cell(name("Q"))),)), Points((Cell(name("W"), small=name("W")),))
    first = part("1", Grid(name("W"), heads, (cells,)), facts)
    more = part("2", *paragraphs, points, Signature(name("W"), (name("W"),)), Group("g", name("W"), ()), place="appendix")
    document = Document("en", name("W"), name("W"), name("W"), "452aa64e7f63", "1", "", name("W"), (first, more))
    placed = words_of_pages(render_pdf(document, {}, record=b"{}", created=CREATED), tmp_path)
    assert max(right for _, right, _ in placed) <= RIGHT_EDGE
    alone = Document("en", "x", "x", "x", "452aa64e7f63", "1", "", "x", (part("1", Grid("x", heads, (cells,))),))
    table = words_of_pages(render_pdf(alone, {}, record=b"{}", created=CREATED), tmp_path)
    columns = [[(left, right) for left, right, word in table if letter in word] for letter in letters]
    for here, beside in pairwise(columns):
        assert max(right for _, right in here) < min(left for left, _ in beside)


def test_long_names_and_digests_stay_as_they_are() -> None:
    digest, name = "5356b02afe38c1d2" * 8, "debt_to_income_ratio_of_the_last_twelve_months" * 3
    heads = tuple(Head(f"Column {n}") for n in range(6))
    row = (Cell(name), Cell(digest, code=True), *(Cell(f"{name}{n}", small=digest) for n in range(4)))
    reader = made(part("1", Grid("G", heads, (row,)), Group("g", name, ())))
    # Column by column, as they are read, and without a letter where a line broke.
    text = re.sub(r"[ \n]", "", reader.pages[0].extract_text())
    assert text.count(digest) == 5
    assert text.count(name) == 6
    assert bookmarks(reader)[-1][1] == name


def test_no_property_of_the_file_holds_a_place_to_break() -> None:
    name = "debt_to_income_ratio_of_the_last_twelve_months"
    document = Document("en", name, name, name, "452aa64e7f63", "1", "", name, ())
    properties = PdfReader(BytesIO(render_pdf(document, {}, record=b"{}", created=CREATED))).metadata
    assert properties is not None
    assert (properties.title, properties.subject) == (f"Audit of {name}", name)
    assert properties["/Keywords"] == f"{name}, {name}, 452aa64e7f63"


@pytest.mark.parametrize("verdict", ["pass", "fail", "inconclusive", "not_run"])
def test_a_verdict_has_a_word_and_a_sign_of_its_own(verdict: Verdict) -> None:
    """The signs differ in what is drawn, not in colour alone."""

    def drawn(of: Verdict) -> str:
        page = made(part("1", Grid("G", (Head("A"), Head("B")), ((Cell("", verdict=of), Cell("")),)))).pages[0]
        operators = page["/Contents"].get_data().decode("latin-1")  # type: ignore[attr-defined]
        return " ".join(re.findall(r"\b(?:c|l|m|f|S|B)\b", operators))

    others = {drawn(other) for other in ("pass", "fail", "inconclusive", "not_run") if other != verdict}
    assert drawn(verdict) not in others


def test_boxes_to_sign_have_their_lines() -> None:
    boxes = (Signature("Head of the institution", ("Name", "Date")), Signature("Seal", ()), Signature("Lead", ("Name: Wei",)))
    text = made(part("1", *boxes)).pages[0].extract_text()
    assert [text.count(word) for word in ("Head of the institution", "Seal", "Lead", "Name", "Date", "Name: Wei")] == [1, 1, 1, 2, 1, 1]


def test_a_document_without_parts_has_its_title() -> None:
    (page,) = made().pages
    assert "Audit report\ncredit" in page.extract_text()
