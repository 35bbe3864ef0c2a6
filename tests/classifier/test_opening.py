"""Files of data are opened in one place: plain as they are, sealed by what is at hand, and what is half sealed not at all."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import torch

from classifier import Dataset
from classifier.errors import DataError, StorageError
from classifier.formats.tables import read_table, table_size
from classifier.opening import (
    in_confidence,
    open_file,
    opening_with,
    plain_name,
    read_file,
    require_alike,
    stays_in_memory,
)
from classifier.storage import joined, room, room_for, take

ROWS = "age,label\n31,no\n45,yes\n28,no\n52,yes\n"


class Backwards:
    """Opens files that hold their plaintext from its end to its start, and notes which."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def open(self, path: Path) -> BinaryIO:
        self.opened.append(path.name)
        return io.BytesIO(path.read_bytes()[::-1])

    def read(self, path: Path) -> tuple[bytes, str]:
        self.opened.append(path.name)
        return path.read_bytes()[::-1], hashlib.sha256(path.read_bytes()).hexdigest()

    def secret(self, path: Path) -> bytes:
        return hashlib.sha256(b"secret" + path.read_bytes()).digest()


@pytest.fixture
def opener() -> Iterator[Backwards]:
    """What opens sealed files in these tests."""
    backwards = Backwards()
    with opening_with(backwards):
        yield backwards


def put(path: Path, content: str = ROWS) -> Path:
    """Write a file, sealed if its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode()[::-1] if path.suffix.lower() == ".age" else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "plain"),
    [("t.csv", "t.csv"), ("t.csv.age", "t.csv"), ("t.csv.gz.AGE", "t.csv.gz"), ("t.age", "t"), ("age", "age"), (".age", ".age")],
)
def test_the_plain_name_tells_the_kind(name: str, plain: str) -> None:
    assert plain_name(Path("folder.age") / name) == Path("folder.age") / plain


def test_plain_files_need_nothing_at_hand(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv")
    assert read_file(path) == (ROWS.encode(), hashlib.sha256(ROWS.encode()).hexdigest())
    with open_file(path) as file:
        assert file.read() == ROWS.encode()


@pytest.mark.parametrize("use", [read_file, open_file])
def test_a_sealed_file_without_an_identity_is_refused_with_the_way_out(tmp_path: Path, use: Callable[[Path], object]) -> None:
    path = put(tmp_path / "t.csv.age")
    with opening_with(Backwards()):
        use(path)
    with pytest.raises(DataError, match=r"t\.csv\.age is sealed, and no identity is at hand to open it; .*audit\.vault\.opening"):
        use(path)


def test_a_sealed_file_is_read_to_its_end_before_its_first_byte_is_given_out(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            content = super().read(size)
            if self.tell() == len(self.getvalue()):
                raise ValueError("the last byte was changed")
            return content

    class Late(Backwards):
        def open(self, path: Path) -> BinaryIO:
            return Broken(bytes(3 << 20))

    with opening_with(Late()), pytest.raises(ValueError, match="the last byte"):
        open_file(put(tmp_path / "t.csv.age"))


def test_an_opener_is_at_hand_within_its_block_alone(tmp_path: Path, opener: Backwards) -> None:
    path, other = put(tmp_path / "t.csv.age"), Backwards()
    with opening_with(other):
        read_file(path)
    read_file(path)
    assert other.opened == opener.opened == ["t.csv.age"]


@pytest.mark.parametrize("name", ["data.age", "data.AGE", ".data.age"])
@pytest.mark.parametrize("modality", ["tabular", "image", "text", "sequence", "graph"])
def test_a_sealed_file_must_say_what_it_is(tmp_path: Path, opener: Backwards, name: str, modality: str) -> None:
    path = put(tmp_path / name)
    stem = name.rpartition(".")[0]
    with pytest.raises(DataError, match=rf"its name does not tell what is in it; name it .* such as {stem}\.csv\.age"):
        Dataset.read(path, target="label", modality=modality)
    assert opener.opened == []


@pytest.mark.parametrize("name", ["t.xlsx.age", "t.csv.age.age", "t.exe.age"])
def test_a_sealed_file_of_no_kind_that_is_read_is_refused_unopened(tmp_path: Path, opener: Backwards, name: str) -> None:
    with pytest.raises(DataError, match="is not a table that can be read"):
        read_table(put(tmp_path / name))
    assert opener.opened == []


MIXTURES: dict[str, tuple[dict[str, str], str]] = {
    "shards": ({"a.csv": ROWS, "b.csv.age": ROWS}, "tabular"),
    "a shard in both forms": ({"a.csv": ROWS, "a.csv.age": ROWS}, "tabular"),
    "images": ({"cat/a.png.age": "", "dog/b.png": ""}, "image"),
    "TU folder": ({"T_A.txt": "1, 2\n", "T_graph_indicator.txt.age": "1\n1\n", "T_graph_labels.txt": "1\n"}, "graph"),
    "edge lists": ({"edges.csv.age": "graph,source,target\na,1,2\n", "graphs.csv": "graph,label\na,1\n"}, "graph"),
    "edge lists in both forms": ({"edges.csv": "graph,source,target\na,1,2\n", "edges.csv.age": "", "graphs.csv": ""}, "graph"),
}


@pytest.mark.parametrize("case", MIXTURES)
def test_a_folder_of_which_some_files_are_sealed_is_refused(tmp_path: Path, opener: Backwards, case: str) -> None:
    contents, modality = MIXTURES[case]
    for name, content in contents.items():
        put(tmp_path / "data" / name, content)
    with pytest.raises(DataError, match=r"in \S*data, \S+\.age is sealed and \S+ is not; seal all files of a data set, or none"):
        Dataset.read(tmp_path / "data", target="label", modality=modality)


@pytest.mark.parametrize(("table", "picture"), [("t.csv", "a.png.age"), ("t.csv.age", "a.png")])
def test_a_table_and_its_images_are_sealed_together(tmp_path: Path, opener: Backwards, table: str, picture: str) -> None:
    put(tmp_path / picture, "")
    path = put(tmp_path / table, "file,label\na.png,no\na.png,yes\n")
    with pytest.raises(DataError, match="seal all files of a data set, or none"):
        Dataset.read(path, target="label", modality="image")


def test_files_beside_the_data_may_be_sealed_for_somebody_else(tmp_path: Path) -> None:
    put(tmp_path / "data" / "a.csv")
    put(tmp_path / "data" / "notes.txt.age", "for others")
    put(tmp_path / "data" / ".b.csv.age", "half written")
    dataset = Dataset.read(tmp_path / "data", target="label")
    assert len(dataset) == 4
    assert dataset.secret is None


def test_a_plain_name_of_a_sealed_file_is_answered_with_the_sealed_one(tmp_path: Path, opener: Backwards) -> None:
    put(tmp_path / "loans.csv.age")
    with pytest.raises(DataError, match=r"there is no file .*loans\.csv; did you mean 'loans\.csv\.age'\?"):
        Dataset.read(tmp_path / "loans.csv", target="label")


def test_a_packed_table_counts_ten_times_also_when_it_is_sealed(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv.gz.age", "0123456789")
    assert table_size(path) == 100


def test_errors_name_the_sealed_file(tmp_path: Path, opener: Backwards) -> None:
    with pytest.raises(DataError, match=r"t\.csv\.age has 1 values in line 2, required are 2"):
        Dataset.read(put(tmp_path / "t.csv.age", "age,label\n31\n"), target="label")
    with pytest.raises(DataError, match=r"t\.jsonl\.age is no JSON in line 1"):
        Dataset.read(put(tmp_path / "t.jsonl.age", "{"), target="label", modality="text")


def test_what_came_from_sealed_files_stays_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opener: Backwards) -> None:
    monkeypatch.setattr("classifier.storage.IN_MEMORY", 1)
    monkeypatch.setattr("tempfile.NamedTemporaryFile", lambda **_: pytest.fail("a file was made"))
    with in_confidence() as confidence:
        assert not stays_in_memory()
        assert confidence.secret is None
        read_file(put(tmp_path / "t.csv.age"))
        assert stays_in_memory()
        x = room_for(3, (2,)).fill_(1.0)
        assert take(x, torch.tensor([2, 0])).equal(torch.ones(2, 2))
        assert joined([x, x]).equal(torch.ones(6, 2))
        monkeypatch.setattr("classifier.storage._free_memory", lambda: 4)
        with pytest.raises(StorageError, match=r"8 bytes from sealed files must stay in memory, and 4 are free; .*in the clear"):
            room((2,))
    assert not stays_in_memory()


def test_parts_of_sealed_data_stay_in_memory_long_after_they_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opener: Backwards
) -> None:
    sealed = Dataset.read(put(tmp_path / "t.csv.age"), target="label")
    plain = Dataset.read(put(tmp_path / "p.csv"), target="label")
    monkeypatch.setattr("classifier.storage.IN_MEMORY", 1)
    made: list[str] = []
    monkeypatch.setattr("classifier.storage.tempfile.NamedTemporaryFile", _noting(made))
    Dataset.joined([plain[:2], sealed[2:]])
    assert len(made) == 1  # the two plain rows that were taken
    Dataset.joined([sealed[:1], sealed[np.array([2, 1])]])
    assert len(made) == 1


def test_the_secret_of_a_dataset_is_one_of_all_its_files(tmp_path: Path, opener: Backwards) -> None:
    for name in ("a", "b"):
        put(tmp_path / "data" / f"{name}.csv.age")
    first = Dataset.read(tmp_path / "data", target="label")
    again = Dataset.read(tmp_path / "data", target="label")
    put(tmp_path / "data" / "b.csv.age", ROWS.replace("52", "53"))
    other = Dataset.read(tmp_path / "data", target="label")
    assert first.secret == again.secret != other.secret
    assert first.digest == again.digest != other.digest


@pytest.mark.parametrize("names", [[], ["a.csv"], ["a.csv.age", "b.csv.AGE"], ["a.csv", "b.csv"]])
def test_files_that_are_alike_are_taken(names: list[str]) -> None:
    require_alike(map(Path, names), Path("folder"))


def _noting(made: list[str]) -> Callable[..., object]:
    real = tempfile.NamedTemporaryFile

    def make(**options: str) -> object:
        made.append("file")
        return real(**options)  # type: ignore[call-overload]

    return make
