"""A table that is larger than memory becomes the dataset that it would be whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save_file

from classifier import Dataset
from classifier.builtin import GERMAN_CREDIT
from classifier.errors import DataError
from classifier.preparation import Reading
from classifier.splitting import same_rows
from classifier.storage import joined, room, take
from classifier.streaming import read_in_parts
from classifier.tables import read_table, table_digest, table_parts

CREDIT: dict[str, Any] = {"target": "credit_risk", "event": "bad", "protected": ("age_years", "foreign_worker")}


def same(one: Dataset, other: Dataset) -> None:
    assert one.schema == other.schema
    assert one.digest == other.digest
    assert one.source == other.source
    assert one.attributes.equals(other.attributes)
    assert one.cleaning is not None
    assert other.cleaning is not None
    for name in ("rows_read", "rows_without_target", "duplicates", "missing", "filled", "constant", "kinds"):
        assert getattr(one.cleaning, name) == getattr(other.cleaning, name)


@pytest.mark.parametrize("rows", [97, 1000, 5000])
def test_parts_make_the_dataset_of_the_whole(rows: int) -> None:
    same(read_in_parts(GERMAN_CREDIT, Reading(**CREDIT), rows=rows), Dataset.read(GERMAN_CREDIT, **CREDIT))


def test_gaps_labels_and_rare_values_are_found_in_whatever_part_they_lie(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "amount": generator.integers(1, 5, 400).astype(float),
            "colour": generator.choice(["red", "blue"], 400),
            "empty": 3,
            "label": generator.choice(["yes", "no"], 400),
        }
    )
    frame.loc[399, "amount"], frame.loc[200, "amount"], frame.loc[123, "amount"] = 999.5, np.nan, -7
    frame.loc[301, "colour"] = "green"
    frame.loc[250:299, "label"] = None  # all of one part
    frame.to_csv(tmp_path / "table.csv", index=False)
    whole = Dataset.read(tmp_path / "table.csv", target="label")
    parts = read_in_parts(tmp_path / "table.csv", Reading(target="label"), rows=50)
    assert (whole.schema["amount"].low, whole.schema["amount"].high) == (-7, 999.5)
    assert whole.schema["colour"].categories == ("blue", "green", "red")
    same(parts, whole)


def test_a_broken_number_in_a_late_part_is_found(tmp_path: Path) -> None:
    values = [str(number) for number in range(400)]
    values[377] = "many"
    pd.DataFrame({"amount": values, "label": ["a", "b"] * 200}).to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(DataError, match=r"'amount' holds numbers mixed with text .*'many'"):
        read_in_parts(tmp_path / "table.csv", Reading(target="label"), rows=50)


def test_every_format_gives_the_same_table(tmp_path: Path) -> None:
    frame = pd.DataFrame({"0": [0.5, 1.5, -2.0], "1": [1.0, 2.0, 3.0]})
    frame.to_csv(tmp_path / "table.csv", index=False)
    frame.to_parquet(tmp_path / "table.parquet")
    frame.to_feather(tmp_path / "table.arrow")
    np.save(tmp_path / "table.npy", np.ascontiguousarray(frame))
    save_file({name: values.to_numpy() for name, values in frame.items()}, tmp_path / "table.safetensors")  # type: ignore[misc]
    for path in sorted(tmp_path.iterdir()):
        whole, digest = read_table(path)
        assert np.array_equal(whole.astype(float), frame), path.name
        assert pd.concat(table_parts(path, 2), ignore_index=True).equals(whole), path.name
        assert table_digest(path) == digest


def test_the_shards_of_a_folder_are_one_table(tmp_path: Path) -> None:
    for index in range(3):
        save_file({"x": np.full((2, 2), index, dtype=np.float32), "y": np.array([0, 1])}, tmp_path / f"part-{index}.safetensors")
    frame, digest = read_table(tmp_path)
    assert list(frame.columns) == ["x.0", "x.1", "y"]
    assert frame["x.0"].tolist() == [0, 0, 1, 1, 2, 2]
    assert table_digest(tmp_path) == digest
    (tmp_path / "note.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match="tables of several kinds"):
        read_table(tmp_path)


@pytest.mark.parametrize("name", ["table.npy", "table.parquet", "table.arrow", "table.safetensors"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no table at all, whatever its name says")
    with pytest.raises(DataError, match=r"table\."):
        read_table(tmp_path / name)


def test_rows_on_disk_are_those_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    x, index = torch.randn(50, 3), torch.randperm(50)[:20]
    monkeypatch.setattr("classifier.storage.IN_MEMORY", 16)
    filled = room((50, 3)).copy_(x)
    assert torch.equal(filled, x)
    assert torch.equal(take(filled, index), x[index])
    assert torch.equal(joined([filled[:7], filled[7:]]), x)


def test_hashes_tell_rows_apart_as_the_rows_do(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randint(0, 3, (300, 4)).float()
    x[0], x[1] = 0.0, -0.0
    whole = same_rows(x)
    monkeypatch.setattr("classifier.splitting.IN_MEMORY", 0)
    hashed = same_rows(x)
    assert len(np.unique(np.stack([whole, hashed]), axis=1).T) == len(np.unique(whole)) == len(np.unique(hashed))


MEMORY = """
import sys
from pathlib import Path
import classifier.preparation, classifier.storage, classifier.splitting
from classifier import Dataset
from trainer import Recipe, train

def private():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon")) // 1024

classifier.storage.IN_MEMORY = classifier.splitting.IN_MEMORY = 2**22
classifier.preparation.LARGE = 2**20
train(Dataset.builtin("moons"), Recipe("logistic", epochs=1), progress=False)  # loads what is loaded once
before, most = private(), 0
def tell(epoch):
    global most
    most = max(most, private())
dataset = Dataset.read(Path(sys.argv[1]), target="39")
most = private()
splits = dataset.split()
train(splits, Recipe("logistic", epochs=1, batch_size=4096), progress=tell)
print(dataset.inputs.nbytes // 2**20, most - before)
"""


@pytest.mark.slow
def test_what_is_larger_than_memory_is_never_all_in_it(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(1_500_000, 40)).astype(np.float32)
    values[:, 39] = values[:, 0] > 0
    np.save(tmp_path / "table.npy", values)
    done = subprocess.run([sys.executable, "-c", MEMORY, str(tmp_path / "table.npy")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    size, used = map(int, done.stdout.split())
    assert size > 200
    assert used < size
