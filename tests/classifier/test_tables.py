"""A CSV file is read exactly, or refused with the line that is wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from classifier.errors import DataError
from classifier.tables import read_table


def read(folder: Path, content: bytes | str, name: str = "loans.csv") -> dict[str, list[str]]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    frame, digest = read_table(path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    return {str(name): values.tolist() for name, values in frame.items()}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends_are_found(tmp_path: Path, separator: str, newline: str) -> None:
    content = newline.join(separator.join(row) for row in (("amount", "purpose"), ("1", "car"), ("", "NA")))
    assert read(tmp_path, content) == {"amount": ["1", ""], "purpose": ["car", "NA"]}


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfamount;purpose\n1;car\n") == {"amount": ["1"], "purpose": ["car"]}


def test_quoted_values_may_hold_separators_quotes_and_line_ends(tmp_path: Path) -> None:
    assert read(tmp_path, 'a,"b\nc"\n"1,5","say ""yes""\nor no"\n') == {"a": ["1,5"], "b\nc": ['say "yes"\nor no']}


def test_text_is_never_taken_for_anything_else(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n007,1e3\nTrue,nan\n") == {"a": ["007", "True"], "b": ["1e3", "nan"]}


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n\n1,2\n\n") == {"a": ["1"], "b": ["2"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n1,2,3\n", r"3 values in line 3, required are 2 as in the header"),
        ("a,b\n1,2,3\n1,2,3\n", r"3 values in line 2, required are 2 as in the header"),
        ("a,b\n1,2\n1\n", r"1 values in line 3, required are 2 as in the header"),
        ('a,b\n"1,2\n', r"not a regular table: unexpected end of data in line 2"),
        ("", "has no rows"),
        ("\n\n", "has no rows"),
        ("a,b\n", "has no rows"),
        (b"a,b\n" + b"1,2\n" * 5000 + b"\xe9,2\n", r"not UTF-8 text \(byte 20004\)"),
        ("a,b\n1,2\n".encode("utf-16"), r"not UTF-8 text \(byte 0\)"),
    ],
)
def test_an_irregular_file_is_refused(tmp_path: Path, content: bytes | str, message: str) -> None:
    with pytest.raises(DataError, match=rf"loans\.csv .*{message}"):
        read(tmp_path, content)


def test_a_missing_file_gives_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "loans.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"there is no file .*loan\.csv; did you mean 'loans\.csv'\?"):
        read_table(tmp_path / "loan.csv")
    with pytest.raises(DataError, match="there is no file"):
        read_table(tmp_path / "nowhere" / "loan.csv")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"give a \.csv, .*\.parquet.* or \.safetensors file"):
        read(tmp_path, "a,b\n1,2\n", "loans.xlsx")
