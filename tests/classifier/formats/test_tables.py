"""A CSV file is read exactly, or refused with the line that is wrong."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from classifier.errors import DataError
from classifier.formats.tables import read_table, table_parts


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


def test_a_quoted_separator_separates_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, '"x, in cm, a";y\n1;2\n') == {"x, in cm, a": ["1"], "y": ["2"]}
    assert read(tmp_path, "a,b;y\n1;2\n") == {"a,b": ["1"], "y": ["2"]}


def test_a_tsv_is_separated_by_tabs(tmp_path: Path) -> None:
    assert read(tmp_path, "x, in cm, a\ty\n1,5\t2\n", "loans.TSV") == {"x, in cm, a": ["1,5"], "y": ["2"]}


def test_blank_lines_before_the_header_are_skipped(tmp_path: Path) -> None:
    assert read(tmp_path, "\n  \nx;y\n1;2\n") == {"x": ["1"], "y": ["2"]}


def test_an_error_names_the_separator_that_was_guessed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 values in line 3, required are 3 as in the header, where ';' separates them"):
        read(tmp_path, "a;b;c\n1;2;3\n1;2\n")


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    content = gzip.compress(b"x\ty\n1\t2\n3\t4\n")
    assert read(tmp_path, content, "loans.tsv.gz") == {"x": ["1", "3"], "y": ["2", "4"]}
    assert list(map(len, table_parts(tmp_path / "loans.tsv.gz", 1))) == [1, 1]
    for broken in (content[:-9], b"x\ty\n"):
        with pytest.raises(DataError, match=r"loans\.csv\.gz is not a whole gzip file"):
            read(tmp_path, broken, "loans.csv.gz")


def shards(folder: Path, **contents: str) -> Path:
    for name, content in contents.items():
        (folder / f"{name}.csv").write_text(content)
    return folder


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("x,Z\n1,2\n", r"b\.csv has not the columns of a\.csv: it lacks 'z' and has 'Z' besides"),
        ("x\n1\n", "it lacks 'z'; give each file the same columns"),
        ("5,6\n7,8\n", "it lacks 'x', 'z' and has '5', '6' besides; each file of a table needs the same header"),
        ("x,z,x\n1,2,3\n", r"b\.csv has two columns 'x'"),
    ],
)
def test_shards_must_have_the_same_columns(tmp_path: Path, second: str, message: str) -> None:
    folder = shards(tmp_path, a="x,z\n1,2\n", b=second)
    for read_all in (lambda: read_table(folder), lambda: list(table_parts(folder, 1))):
        with pytest.raises(DataError, match=message):
            read_all()


def test_the_columns_of_shards_may_be_in_any_order(tmp_path: Path) -> None:
    folder = shards(tmp_path, a="x,z\n1,2\n", b="z,x\n4,3\n")
    for frame in table_parts(folder, 1):
        assert list(frame.columns) == ["x", "z"]
    assert read_table(folder)[0]["x"].tolist() == ["1", "3"]


def test_every_table_of_a_folder_is_read_or_spoken_of(tmp_path: Path) -> None:
    folder = shards(tmp_path, a="x\n1\n")
    (folder / "b.CSV").write_text("x\n2\n")
    (folder / "._a.csv").write_bytes(b"\0\1")
    (folder / "c.csv").mkdir()
    (folder / "notes.md").write_text("#")
    assert read_table(folder)[0]["x"].tolist() == ["1", "2"]
    refused = {"d.csv.zip": r"d\.csv\.zip in .* looks like a table that cannot be read", "d.csv.gz": "tables of several kinds"}
    for name, message in refused.items():
        (folder / name).write_bytes(b"")
        with pytest.raises(DataError, match=message):
            read_table(folder)
        (folder / name).unlink()
