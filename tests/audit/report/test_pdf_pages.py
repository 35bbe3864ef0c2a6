"""The pages of the PDF: where parts begin, what stands on each, and that nothing is cut."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO

import pytest
from pypdf import PdfReader
from pypdf.generic import Destination

from audit.bundle import Audit
from audit.policy import Policy, Verdict
from audit.report import compose, draw_all, languages
from audit.report.document import Block, Cell, Document, Facts, Grid, Group, Head, Paragraph, Part, Signature
from audit.report.pdf import render_pdf

CREATED = datetime(2026, 7, 1, tzinfo=UTC)
# The body that a reader of one hour gets; the facts of what a report holds say how many pages of it each part has.
MOST_PAGES = 12

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


def test_long_names_and_digests_break_and_stay_as_they_are() -> None:
    digest, name = "5356b02afe38c1d2" * 8, "debt_to_income_ratio_of_the_last_twelve_months" * 3
    heads = tuple(Head(f"Column {n}") for n in range(6))
    row = (Cell(name), Cell(digest, code=True), *(Cell(f"{name}{n}", small=digest) for n in range(4)))
    (page,) = made(part("1", Grid("G", heads, (row,)))).pages
    right: list[float] = []
    page.extract_text(visitor_text=lambda text, cm, tm, font, size: right.append(tm[4]) if text.strip() else None)
    assert max(right) < 595 - 57
    # Column by column, as they are read.
    text = "".join(page.extract_text().split())
    assert text.count(digest) == 5
    assert text.count(name) == 5


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
