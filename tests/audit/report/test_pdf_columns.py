"""How wide the columns of a printed table are, and where its words break."""

from __future__ import annotations

import pytest

from audit.report.document import Cell, Grid, Head
from audit.report.pdf_columns import Room, column_widths
from audit.report.pdf_letters import BREAK, breakable, width

WORDS = {"pass": "Pass", "fail": "Fail", "inconclusive": "Inconclusive", "not_run": "Not run"}
LONG = "Calibrate the probabilities on rows that were set aside, or set the threshold by what was observed. " * 3


def widths(*columns: str, numbers: tuple[int, ...] = (), room: Room = "body") -> list[float]:
    heads = tuple(Head("x", number=column in numbers) for column in range(len(columns)))
    return column_widths(Grid("G", heads, (tuple(Cell(text) for text in columns),)), room, WORDS)


def test_columns_fill_the_page() -> None:
    pages = {sum(widths(*columns)) for columns in (("a", "b"), (LONG, LONG), ("a", LONG, "12.5 %"), (LONG, "b", "c", "d", "e"))}
    assert max(pages) - min(pages) < 0.1
    assert sum(widths("a", "b", room="column")) < sum(widths("a", "b")) < sum(widths("a", "b", room="appendix"))


def test_a_long_text_leaves_numbers_their_room() -> None:
    text, number, other = widths(LONG, "0.742 to 0.858", "250")
    assert number >= len("0.742 to 0.858")
    assert other >= len("250")
    assert text > number + other


def test_of_long_texts_the_longer_one_gets_more() -> None:
    short, long = widths(LONG, LONG * 4)
    assert short < long < 4 * short


def test_what_nobody_needs_goes_to_the_first_column_unless_it_has_numbers() -> None:
    first, *others = widths("a", "b", "c")
    assert first > 10 * max(others)
    even = widths("1", "2", "3", numbers=(0, 1, 2))
    assert max(even) == min(even)


@pytest.mark.parametrize("verdict", ["fail", "inconclusive"])
def test_a_verdict_does_not_break(verdict: str) -> None:
    heads = tuple(Head("x") for _ in range(6))
    row = (*(Cell(LONG) for _ in range(5)), Cell("", verdict=verdict))  # type: ignore[arg-type]  # one of the four
    assert column_widths(Grid("G", heads, (row,)), "body", WORDS)[-1] > len(WORDS[verdict])


def test_remarks_have_no_say_in_how_wide_columns_are() -> None:
    heads, row = (Head("x"), Head("y")), (Cell("a"), Cell("b"))
    plain, remarked = Grid("G", heads, (row,)), Grid("G", heads, (row, (Cell(LONG),)))
    assert column_widths(remarked, "body", WORDS) == column_widths(plain, "body", WORDS)


def test_heads_break_only_where_room_is_short() -> None:
    head = "Known from a larger eps"
    heads = (Head("x"), *(Head(head) for _ in range(3)))
    row = tuple(Cell("1") for _ in heads)
    assert min(column_widths(Grid("G", heads, (row,)), "body", WORDS)) >= len(head)
    assert max(column_widths(Grid("G", heads * 4, (row * 4,)), "body", WORDS)[1:]) < len(head)


def test_a_table_without_rows_has_room_for_its_heads() -> None:
    first, second = column_widths(Grid("G", (Head("Name"), Head("Anomaly")), ()), "body", WORDS)
    assert first > second >= len("Anomaly")


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("a plain sentence", "a plain sentence"),
        ("personal_status_sex", "personal_|status_|sex"),
        ("eu-ai-act:10.2.f", "eu-ai-act:10.2.f"),
        ("nist-ai-rmf:MEASURE-2.11,", "nist-|ai-|rmf:|MEASURE-|2.|11,"),
        ("counterfactually", "counterfactually"),
        ("internationalisation", "internationalisation"),
        ("x" * 30, "xxxxxxxx|xxxxxxxx|xxxxxxxx|xxxxxx"),
        ("字" + "x" * 30, "字xxxxxxxx|xxxxxxxx|xxxxxxxx|xxxxxx"),
        ("一个很长的句子没有空格也可以换行" * 3, "一个很长的句子没有空格也可以换行" * 3),
    ],
)
def test_only_what_is_long_breaks(text: str, broken: str) -> None:
    assert breakable(text).replace(BREAK, "|") == broken


def test_a_digest_breaks_anywhere_and_stays_a_digest() -> None:
    digest = "5356b02afe38c1d2" * 4
    broken = breakable(digest, code=True)
    assert broken.replace(BREAK, "") == digest
    assert max(map(len, broken.split(BREAK))) == 8


def test_a_chinese_letter_is_two_wide() -> None:
    assert (width("abc"), width("审计"), width(f"a{BREAK}b")) == (3, 4, 2)
