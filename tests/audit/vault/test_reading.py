"""Sealed data are the data that were sealed, are opened in memory alone, and are refused if anything of them was changed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import save_file

from audit.vault import Identity, encrypt_file, generate_identity
from audit.vault.age.payload import BLOCK
from audit.vault.age.stream import CHUNK
from audit.vault.reading import SealedReader, opening
from classifier import Dataset
from classifier.formats.tables import read_table, table_digest, table_parts, table_size
from classifier.opening import open_file, read_file
from classifier.preparation import Reading
from classifier.streaming import read_in_parts

Made = tuple[Path, dict[str, Any]]
LABELS = ["no", "yes", "no", "yes", "yes", "no"]
TABLE = pd.DataFrame({"age": [31, 45, 28, 52, 39, 61], "income": [1.5, 2.25, 1.0, 3.5, 2.0, 2.5], "label": LABELS})
NUMBERS = TABLE.assign(label=[0, 1, 0, 1, 1, 0])
STEPS = pd.DataFrame(
    {"who": np.repeat(["p", "q", "r", "s"], 3), "hour": [0, 1, 2] * 4, "pulse": range(60, 72), "label": np.repeat(LABELS[:4], 3)}
)
TU = {"A": "1, 2\n2, 1\n3, 4\n4, 3\n", "graph_indicator": "1\n1\n2\n2\n", "graph_labels": "1\n-1\n", "node_labels": "0\n1\n1\n0\n"}
EDGE_LISTS = {
    "edges": "graph,source,target\na,1,2\nb,1,2\nb,2,3\n",
    "graphs": "graph,label\na,no\nb,yes\n",
    "nodes": "graph,node,size\na,1,0.5\na,2,1.5\nb,1,2\nb,2,3\nb,3,1\n",
}
TEXTS = [{"text": f"word {i}", "label": label} for i, label in enumerate(LABELS)]
GRAPHS = [{"nodes": ["C", "O"], "edges": [[0, 1]], "label": "no"}, {"nodes": ["C", "N"], "edges": [], "label": "yes"}]


def made(name: str, write: Callable[[Path], Any], **options: Any) -> Callable[[Path], Made]:
    def make(folder: Path) -> Made:
        write(folder / name)
        return folder / name, {"target": "label", **options}

    return make


def csv(path: Path, separator: str = ",", table: pd.DataFrame = TABLE) -> None:
    content = table.to_csv(index=False, sep=separator).encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def shards(path: Path) -> None:
    path.mkdir()
    csv(path / "part-1.csv", table=TABLE[:3])
    csv(path / "part-2.csv", table=TABLE[3:])


def lines(rows: list[dict[str, Any]]) -> Callable[[Path], Any]:
    return lambda path: path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def files(contents: dict[str, str], name: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.mkdir()
        for part, content in contents.items():
            (path / name.format(part)).write_text(content)

    return write


def pictures(path: Path) -> None:
    # "a-2.png" comes before "a.png", and "a.png.age" after "a.png-2.age": the order is that of the plain names.
    for seed, name in enumerate(("cat/a.png", "cat/a-2.png", "dog/b.png", "dog/c.png", "dog/d.png", "dog/e.png")):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (4, 5, 3)).astype(np.uint8)).save(path / name)


def paths(path: Path) -> None:
    pictures(path.parent)
    names = [file.relative_to(path.parent).as_posix() for file in sorted(path.parent.glob("*/*.png"))]
    csv(path, table=pd.DataFrame({"file": names, "label": LABELS}))


def arrays(shape: tuple[int, ...], name: str) -> Callable[[Path], None]:
    values: Any = np.random.default_rng(0).integers(0, 256, (6, *shape)).astype(np.uint8)
    return lambda path: np.savez_compressed(path, **{name: values, "labels": np.array(LABELS)})


def ts(path: Path) -> None:
    rows = [f"{','.join(map(str, np.random.default_rng(i).integers(0, 9, 5)))}:{LABELS[i]}" for i in range(6)]
    path.write_text("\n".join(["@timeStamps false", "@classLabel true no yes", "@data", *rows]), encoding="utf-8")


# Those that can be read in parts.
TABLES: dict[str, Callable[[Path], Made]] = {
    "csv": made("t.csv", csv, drop=["age"]),
    "csv.gz": made("t.csv.gz", csv),
    "tsv": made("t.tsv", lambda path: csv(path, "\t")),
    "tsv.gz": made("t.tsv.gz", lambda path: csv(path, "\t")),
    "capitals": made("T.CSV", csv),
    "parquet": made("t.parquet", TABLE.to_parquet),
    "arrow": made("t.arrow", TABLE.to_feather),
    "feather": made("t.feather", TABLE.to_feather),
    "npy": made("t.npy", lambda path: np.save(path, NUMBERS.to_numpy(np.float64).copy(order="C")), target="2"),
    "safetensors": made("t.safetensors", lambda path: save_file({str(name): NUMBERS[name].to_numpy() for name in NUMBERS}, path)),
    "shards": made("table", shards),
}
CASES: dict[str, Callable[[Path], Made]] = {
    **TABLES,
    "texts": made("t.jsonl", lines(TEXTS), modality="text"),
    "table of texts": made("t.csv", lambda path: csv(path, table=pd.DataFrame(TEXTS)), modality="text"),
    "images": made("images", pictures, modality="image", drop=["file"]),
    "array of images": made("t.npz", arrays((4, 5), "images"), modality="image"),
    "table of images": made("t.csv", paths, modality="image"),
    "ts": made("t.ts", ts, modality="sequence"),
    "array of series": made("t.npz", arrays((4,), "series"), modality="sequence"),
    "table of steps": made("t.csv", lambda path: csv(path, table=STEPS), modality="sequence", series=("who", "hour")),
    "TU folder": made("graphs", files(TU, "TOY_{}.txt"), modality="graph"),
    "edge lists": made("graphs", files(EDGE_LISTS, "{}.csv"), modality="graph"),
    "graphs": made("t.jsonl", lines(GRAPHS), modality="graph"),
}


@pytest.fixture(scope="module")
def quick() -> Identity:
    """An identity whose recipient is short, for tests that seal many files."""
    return generate_identity("x25519")


def seal(path: Path, identity: Identity, *, armor: bool = False) -> Path:
    """Seal what lies beside `path` too, into a folder of its own; gives the sealed form of `path`."""
    there = path.parent.with_name("sealed")
    for file in sorted(path.parent.rglob("*")):
        if file.is_file():
            to = there / file.relative_to(path.parent)
            to.parent.mkdir(parents=True, exist_ok=True)
            encrypt_file(file, to.with_name(f"{to.name}.age"), recipients=[identity.recipient], armor=armor)
    return there / path.name if path.is_dir() else there / f"{path.name}.age"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Where plain files are written."""
    (tmp_path / "plain").mkdir()
    return tmp_path / "plain"


@pytest.fixture
def sealed_csv(plain: Path, quick: Identity) -> Path:
    """A sealed table, and no plain one."""
    csv(plain / "t.csv")
    sealed = seal(plain / "t.csv", quick)
    (plain / "t.csv").unlink()
    return sealed


def require_same(one: Dataset, other: Dataset) -> None:
    """Hold two datasets against each other in everything but names and digests, which differ on purpose."""
    assert one.inputs.equal(other.inputs)
    assert one.labels.equal(other.labels)
    assert np.array_equal(one.ids, other.ids)
    assert one.attributes.equals(other.attributes)
    for name in ("schema", "classes", "protected", "cuts", "favourable", "cleaning"):
        assert getattr(one, name) == getattr(other, name), name


@pytest.mark.parametrize("armor", [False, True], ids=["binary", "armoured"])
@pytest.mark.parametrize("case", CASES)
def test_sealed_data_are_the_data_that_were_sealed(plain: Path, quick: Identity, case: str, armor: bool) -> None:
    path, options = CASES[case](plain)
    with opening(identities=[quick]):
        found = Dataset.read(seal(path, quick, armor=armor), **options)
    require_same(found, Dataset.read(path, **options))


@pytest.mark.parametrize("armor", [False, True], ids=["binary", "armoured"])
@pytest.mark.parametrize("case", TABLES)
def test_sealed_tables_in_parts_are_those_of_the_whole(plain: Path, quick: Identity, case: str, armor: bool) -> None:
    path, options = TABLES[case](plain)
    sealed = seal(path, quick, armor=armor)
    with opening(identities=[quick]):
        whole, digest = read_table(sealed)
        assert pd.concat(table_parts(sealed, 2), ignore_index=True).equals(whole)
        parts = read_in_parts(sealed, Reading(**options), rows=2)
        assert parts.source == Dataset.read(sealed, **options).source
    assert table_digest(sealed) == digest
    require_same(parts, read_in_parts(path, Reading(**options), rows=2))


def test_the_digest_of_a_sealed_file_is_that_of_the_sealed_bytes(sealed_csv: Path, quick: Identity) -> None:
    with opening(identities=[quick]):
        content, digest = read_file(sealed_csv)
    assert content == TABLE.to_csv(index=False).encode()
    assert digest == hashlib.sha256(sealed_csv.read_bytes()).hexdigest()
    assert table_size(sealed_csv) == sealed_csv.stat().st_size


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 777])
def test_a_sealed_file_reads_like_the_plain_one_at_every_place(plain: Path, quick: Identity, size: int) -> None:
    content = np.random.default_rng(size).bytes(size)
    (plain / "t.npy").write_bytes(content)
    path = seal(plain / "t.npy", quick)
    with opening(identities=[quick]), open_file(path) as file:
        assert file.read() == content
        assert file.read() == b""
        assert file.seek(-min(size, 5), 2) == max(0, size - 5)
        assert file.seek(min(size, 5), 1) == size


def test_a_sealed_file_is_sought_and_read_like_the_plain_one(plain: Path, quick: Identity, fuzz: settings) -> None:
    size = BLOCK + CHUNK + 777
    content = np.random.default_rng(0).bytes(size)
    (plain / "t.npy").write_bytes(content)
    path = seal(plain / "t.npy", quick)

    @settings(fuzz, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.integers(0, size + 9), st.integers(0, 2 * CHUNK)), max_size=5))
    def read_alike(steps: list[tuple[int, int]]) -> None:
        with io.BufferedReader(SealedReader(path, [quick])) as sealed, io.BytesIO(content) as known:
            for place, count in steps:
                assert sealed.seek(place) == known.seek(place)
                assert sealed.read(count) == known.read(count)
                assert sealed.tell() == known.tell()

    read_alike()


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The files that Python opened to write, by name."""
    opened: list[str] = []

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and opened is not None and arguments[2] & (os.O_WRONLY | os.O_RDWR) and watching:
            opened.append(str(arguments[0]))

    watching = [True]
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    sys.addaudithook(watch)
    yield opened
    watching.clear()
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize("case", CASES)
def test_nothing_of_sealed_data_is_written_anywhere(
    plain: Path, quick: Identity, case: str, monkeypatch: pytest.MonkeyPatch, watched: list[str]
) -> None:
    path, options = CASES[case](plain)
    sealed = seal(path, quick)
    monkeypatch.setattr("classifier.storage.IN_MEMORY", 1)
    watched.clear()
    with opening(identities=[quick]):
        dataset = Dataset.read(sealed, **options)
        if case in TABLES:
            read_in_parts(sealed, Reading(**options), rows=2)
    assert Dataset.joined([dataset[:1], dataset[1:]]).inputs.equal(dataset.inputs)
    assert watched == []
    # Plain data of that size do go into a file: the watch sees it.
    Dataset.read(path, **options)
    assert watched
