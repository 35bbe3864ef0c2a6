"""Whatever is wrong with a sealed file of data, not one row comes of it; and what can be read tells no more than it must."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from audit.vault import Identity, encrypt_file, generate_identity
from audit.vault.age.container import encrypt
from audit.vault.age.header import Stanza
from audit.vault.age.payload import BLOCK
from audit.vault.age.scrypt import ScryptOpener, ScryptRecipient
from audit.vault.age.stream import CHUNK, TAG
from audit.vault.reading import opening
from classifier import Dataset
from classifier.adapters.predictions import read_predictions
from classifier.errors import ConfigurationError, DataError, UnsealError
from classifier.formats.tables import read_table, table_parts
from classifier.opening import open_file
from classifier.preparation import Reading
from classifier.streaming import read_in_parts

TABLE = pd.DataFrame(
    {"age": [31, 45, 28, 52, 39, 61], "income": [1.5, 2.25, 1.0, 3.5, 2.0, 2.5], "label": ["no", "yes", "no", "yes", "yes", "no"]}
)


@pytest.fixture(scope="module")
def quick() -> Identity:
    """An identity whose recipient is short, for tests that open many files."""
    return generate_identity("x25519")


def seal(path: Path, identity: Identity, *, armor: bool = False) -> Path:
    """Seal a file beside itself."""
    sealed = path.with_name(f"{path.name}.age")
    encrypt_file(path, sealed, recipients=[identity.recipient], armor=armor)
    return sealed


def csv(path: Path, table: pd.DataFrame = TABLE) -> Path:
    """Write a table."""
    path.write_text(table.to_csv(index=False))
    return path


@pytest.fixture
def sealed_csv(tmp_path: Path, quick: Identity) -> Path:
    """A sealed table, and no plain one."""
    sealed = seal(csv(tmp_path / "t.csv"), quick)
    (tmp_path / "t.csv").unlink()
    return sealed


def test_every_flipped_byte_is_refused(sealed_csv: Path, quick: Identity) -> None:
    content = sealed_csv.read_bytes()
    with opening(identities=[quick]):
        for place in range(len(content)):
            sealed_csv.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            with pytest.raises(UnsealError, match=r"^t\.csv\.age: the sealed file did not open"):
                Dataset.read(sealed_csv, target="label")
            with pytest.raises(UnsealError, match=r"^t\.csv\.age: the sealed file did not open"):
                next(table_parts(sealed_csv, 1))


def test_nothing_comes_of_a_file_that_was_changed_in_any_way(sealed_csv: Path, quick: Identity, fuzz: settings) -> None:
    content = sealed_csv.read_bytes()
    places = st.integers(0, len(content))

    @fuzz
    @given(places, places, st.binary(max_size=40))
    def refuse(start: int, end: int, put: bytes) -> None:
        changed = content[:start] + put + content[max(start, end) :]
        assume(changed != content)
        sealed_csv.write_bytes(changed)
        with pytest.raises(UnsealError):
            read_table(sealed_csv)
        with pytest.raises(UnsealError):
            next(table_parts(sealed_csv, 1))

    with opening(identities=[quick]):
        refuse()


def test_every_cut_and_every_byte_more_is_refused(sealed_csv: Path, quick: Identity) -> None:
    content = sealed_csv.read_bytes()
    with opening(identities=[quick]):
        for changed in (*(content[:length] for length in range(0, len(content), 7)), content + b"\n"):
            sealed_csv.write_bytes(changed)
            with pytest.raises(UnsealError):
                next(table_parts(sealed_csv, 1))
            with pytest.raises(UnsealError):
                read_table(sealed_csv)


@pytest.mark.parametrize("armor", [False, True], ids=["binary", "armoured"])
@pytest.mark.parametrize("kind", ["csv", "parquet", "npy", "safetensors"])
@pytest.mark.parametrize("chunk", [0, 1, -1])
def test_not_one_row_comes_from_a_file_of_which_any_chunk_was_changed(
    tmp_path: Path, quick: Identity, kind: str, chunk: int, armor: bool
) -> None:
    numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(9000, 2)), columns=["x", "label"])
    write: dict[str, Callable[[Path], Any]] = {
        "csv": lambda path: numbers.to_csv(path, index=False),
        "parquet": lambda path: numbers.to_parquet(path, row_group_size=100),
        "npy": lambda path: np.save(path, numbers.to_numpy().copy(order="C")),
        "safetensors": lambda path: save_file({str(name): numbers[name].to_numpy() for name in numbers}, path),
    }
    write[kind](tmp_path / f"t.{kind}")
    path = seal(tmp_path / f"t.{kind}", quick, armor=armor)
    content = bytearray(path.read_bytes())
    size = (CHUNK + TAG) * (4 if armor else 3) // 3
    assert len(content) > 2 * size
    place = len(content) - 100 if chunk < 0 else 500 + chunk * size
    content[place] = ord("A") if content[place] != ord("A") else ord("B")
    path.write_bytes(content)
    with opening(identities=[quick]):
        with pytest.raises(UnsealError):
            next(table_parts(path, 1))
        with pytest.raises(UnsealError):
            read_table(path)


def test_a_file_that_is_changed_while_it_is_read_is_refused(tmp_path: Path, quick: Identity) -> None:
    (tmp_path / "t.npy").write_bytes(bytes(3 * BLOCK))
    path = seal(tmp_path / "t.npy", quick)
    with opening(identities=[quick]), open_file(path) as file:
        assert file.read(10) == bytes(10)
        with path.open("r+b") as changed:
            changed.seek(2 * BLOCK)
            changed.write(b"changed")
        with pytest.raises(UnsealError, match=r"^t\.npy\.age: "):
            file.read()


def test_a_reader_keeps_no_more_than_a_block(tmp_path: Path, quick: Identity) -> None:
    (tmp_path / "t.npy").write_bytes(bytes(24 * BLOCK))
    path = seal(tmp_path / "t.npy", quick)
    with opening(identities=[quick]), open_file(path) as file:
        tracemalloc.start()
        while file.read(1 << 16):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 4 * BLOCK


def test_a_passphrase_is_worked_out_once_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    csv(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open("rb") as source, (tmp_path / "t.csv.age").open("wb") as sealed:
        encrypt(source, sealed, [ScryptRecipient("open sesame", work_factor=10)])
    (tmp_path / "t.csv").unlink()
    tried: list[Stanza] = []
    unwrap = ScryptOpener.unwrap
    monkeypatch.setattr(ScryptOpener, "unwrap", lambda self, stanza: tried.append(stanza) or unwrap(self, stanza))
    with opening(passphrase="open sesame"):
        Dataset.read(tmp_path / "t.csv.age", target="label")
        read_in_parts(tmp_path / "t.csv.age", Reading(target="label"), rows=2)
    assert len(tried) == 1
    with opening(passphrase="open says me"), pytest.raises(UnsealError, match=r"^t\.csv\.age: the sealed file did not open"):
        Dataset.read(tmp_path / "t.csv.age", target="label")


def test_digests_of_sealed_rows_tell_nothing_to_who_cannot_open_them(tmp_path: Path, quick: Identity) -> None:
    csv(tmp_path / "t.csv")
    known = Dataset.read(tmp_path / "t.csv", target="label")
    with opening(identities=[quick]):
        first, again = (Dataset.read(seal(tmp_path / "t.csv", quick), target="label") for _ in range(2))
        sealed = tmp_path / "t.csv.age"
        same = Dataset.read(sealed, target="label")
        parts = read_in_parts(sealed, Reading(target="label"), rows=2)
    # Sealed anew, the file has another key, and its rows another digest.
    assert len({known.digest, first.digest, again.digest}) == 3
    assert same.digest == again.digest
    assert Dataset.joined([same[:3], same[3:]]).digest == same.digest
    assert same.secret is not None
    assert same.secret.hex() not in repr(same)
    for part, plain_part in ((same[:3], known[:3]), (Dataset.joined([known[:3], same[3:]]), known)):
        assert part.digest != plain_part.digest
    assert parts.inputs.equal(same.inputs)


def test_who_has_no_identity_or_another_one_is_told_which_file_it_was(sealed_csv: Path) -> None:
    with pytest.raises(DataError, match=r"t\.csv\.age is sealed, and no identity is at hand .*audit\.vault\.opening"):
        Dataset.read(sealed_csv, target="label")
    with pytest.raises(ConfigurationError, match="there is no identity in"), opening():
        pass
    with opening(identities=[generate_identity()]), pytest.raises(UnsealError, match=r"^t\.csv\.age: the sealed file did not open"):
        Dataset.read(sealed_csv, target="label")


def test_what_is_no_sealed_file_is_refused_as_one(tmp_path: Path, quick: Identity) -> None:
    csv(tmp_path / "t.csv")
    (tmp_path / "t.csv").rename(tmp_path / "t.csv.age")
    with opening(identities=[quick]), pytest.raises(UnsealError):
        Dataset.read(tmp_path / "t.csv.age", target="label")


def test_predictions_may_be_sealed_too(tmp_path: Path, quick: Identity) -> None:
    csv(tmp_path / "t.csv")
    csv(tmp_path / "p.csv", pd.DataFrame({"yes": [0.1, 0.9, 0.2, 0.8, 0.7, 0.3]}))
    dataset = Dataset.read(tmp_path / "t.csv", target="label", event="yes")
    with opening(identities=[quick]):
        found = read_predictions(seal(tmp_path / "p.csv", quick), dataset)
    assert found.equal(read_predictions(tmp_path / "p.csv", dataset))
    assert found[:, 1].tolist() == [0.1, 0.9, 0.2, 0.8, 0.7, 0.3]
