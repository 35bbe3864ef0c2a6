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
from classifier.formats.tables import read_table, table_digest, table_parts
from classifier.preparation import Reading
from classifier.splitting import same_rows
from classifier.storage import joined, room, take
from classifier.streaming import read_in_parts

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


def written(folder: Path, **columns: Any) -> Path:
    """Four hundred rows with a number, a label and the columns in question."""
    plain = {"amount": np.arange(400) * 7 % 31, "label": ["yes", "no", "no", "yes"] * 100}
    pd.DataFrame({**plain, **columns}).to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


TEXTS: dict[str, dict[str, Any]] = {
    "groups": {"drop": ("column",)},
    "protected": {"protected": ("column",)},
    "categories": {"features": {"column": {"kind": "categorical"}}},
    "target": {"target": "column"},
}


@pytest.mark.parametrize("role", TEXTS)
@pytest.mark.parametrize("values", [["00", "01"], ["1.0", "1"], ["10.0", "11"], ["true", "False"], [str(2**53), str(2**53 + 1)]])
def test_a_column_is_one_thing_in_all_parts(tmp_path: Path, role: str, values: list[str]) -> None:
    path = written(tmp_path, column=values * 190 + ["unknown"] * 20)
    reading = {"target": "label", **TEXTS[role]}
    parts = read_in_parts(path, Reading(**reading), rows=50)
    same(parts, Dataset.read(path, **reading))
    if role in ("groups", "protected"):
        assert parts.column("column").tolist() == values * 190 + ["unknown"] * 20


def test_truth_values_with_a_gap_in_one_part_are_one_thing(tmp_path: Path) -> None:
    frame = pd.DataFrame({"flag": [True, False, False, True] * 100, "amount": np.arange(400) % 31, "label": ["a", "b"] * 200})
    frame["flag"] = frame["flag"].astype(object).where(frame.index != 333, None)
    frame.to_parquet(tmp_path / "table.parquet")
    for target in ("label", "flag"):
        parts = read_in_parts(tmp_path / "table.parquet", Reading(target=target), rows=50)
        same(parts, Dataset.read(tmp_path / "table.parquet", target=target))


def test_rows_without_a_label_decide_nothing_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.read_csv(written(tmp_path, colour=["red", "blue"] * 200)).astype(object)
    frame.loc[[250, 251, 252, 253], "label"] = None
    frame.loc[250, "amount"], frame.loc[251, "amount"], frame.loc[253, "amount"], frame.loc[252, "colour"] = 1e6, None, 0.5, "green"
    frame.to_csv(tmp_path / "table.csv", index=False)
    monkeypatch.setattr("classifier.streaming.SAMPLE", 30)
    same(read_in_parts(tmp_path / "table.csv", Reading(target="label"), rows=50), Dataset.read(tmp_path / "table.csv", target="label"))


def test_medians_and_cuts_are_those_of_the_sample_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Sorted, so that the rows that show what is in a column lie at its start and its end.
    values: list[Any] = [*sorted(np.random.default_rng(0).normal(size=5000)), None]
    labels = ["a", "b", "b"] * 1667
    frame = pd.DataFrame({"amount": values, "age": values, "label": labels})
    frame.to_csv(tmp_path / "table.csv", index=False)
    reading: dict[str, Any] = {"target": "label", "protected": ("age",), "cuts": {}}
    monkeypatch.setattr("classifier.grouping.SMALLEST_GROUP", 1)
    whole = Dataset.read(tmp_path / "table.csv", **reading)
    all_rows = read_in_parts(tmp_path / "table.csv", Reading(**reading), rows=500)
    same(all_rows, whole)
    assert all_rows.cuts == whole.cuts
    monkeypatch.setattr("classifier.streaming.SAMPLE", 400)
    some = read_in_parts(tmp_path / "table.csv", Reading(**reading), rows=500)
    ranks = np.searchsorted(values[:-1], [*some.cuts["age"], float(some.schema["amount"].fill or 0)]) / 5000
    # Four standard deviations of a quantile of 400 rows at random.
    assert np.abs(ranks - [0.25, 0.5, 0.75, 0.5]).max() < 0.1


def test_what_is_said_of_columns_is_said_in_parts(tmp_path: Path) -> None:
    path = written(tmp_path, number=range(400), code=["007", "8"] * 200, leak=["p", "q", "q", "p"] * 100, again=np.arange(400) * 7 % 31)
    stated = {"amount": {"low": 5, "high": 20}}
    whole = Dataset.read(path, target="label", features=stated).cleaning
    parts = read_in_parts(path, Reading(target="label", features=stated), rows=50).cleaning
    assert whole is not None
    assert parts is not None
    assert len(whole.notes) == 5
    assert parts.notes[1:] == whole.notes
    assert parts.outside == whole.outside


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (("colour", "green"), {}, "in table.csv, column 'colour' has the unknown category 'green' in row 377"),
        (("label", "maybe"), {"classes": ("no", "yes")}, "unknown class 'maybe' in row 377"),
        (("amount", "inf"), {}, "must hold finite numbers, got 'inf' in row 377"),
    ],
)
def test_an_error_in_a_part_names_the_row_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], options: dict[str, Any], message: str
) -> None:
    path = written(tmp_path, colour=["red", "blue"] * 200)
    schema = Dataset.read(path, target="label").schema
    frame = pd.read_csv(path).astype(object)
    frame.loc[377, change[0]] = change[1]
    frame.to_csv(path, index=False)
    monkeypatch.setattr("classifier.preparation.LARGE", 1)
    with pytest.raises(DataError, match=message):
        Dataset.read(path, target="label", schema=schema, **options)


def test_a_column_may_have_any_name(tmp_path: Path) -> None:
    path = written(tmp_path, **{"(order)": np.arange(400) % 13})
    same(read_in_parts(path, Reading(target="label"), rows=50), Dataset.read(path, target="label"))


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
