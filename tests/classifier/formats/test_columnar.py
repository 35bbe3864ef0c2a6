"""Parquet and Arrow files: nothing of them is lost on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pyarrow import feather, parquet

from classifier import Dataset
from classifier.errors import DataError
from classifier.formats.tables import read_table, table_parts

FRAME = pd.DataFrame({"amount": np.arange(60) % 7, "label": ["a", "b"] * 30})


@pytest.mark.parametrize("name", ["table.parquet", "table.feather"])
@pytest.mark.parametrize("patients", [np.arange(60)[::-1], np.arange(60) * 7 % 60])
def test_a_column_that_was_stored_as_index_is_a_column(tmp_path: Path, name: str, patients: NDArray[np.int64]) -> None:
    path = tmp_path / name
    table = pa.Table.from_pandas(FRAME.set_index(pd.Index(patients, name="patient")))
    if name.endswith("parquet"):
        parquet.write_table(table, path)
    else:
        feather.write_feather(table, path)
    assert sorted(read_table(path)[0].columns) == ["amount", "label", "patient"]
    assert read_table(path)[0]["patient"].tolist() == patients.tolist()
    assert pd.concat(table_parts(path, 7), ignore_index=True).equals(read_table(path)[0])


def test_an_index_without_a_name_is_none(tmp_path: Path) -> None:
    FRAME[::2].to_parquet(tmp_path / "table.parquet")
    assert list(read_table(tmp_path / "table.parquet")[0].columns) == ["amount", "label"]


def test_large_whole_numbers_beside_gaps_stay_what_they_are(tmp_path: Path) -> None:
    FRAME.assign(id=pd.array([None, *(2**53 + i for i in range(59))], dtype="Int64")).to_parquet(tmp_path / "table.parquet")
    data = Dataset.read(tmp_path / "table.parquet", target="label", drop=["id"])
    assert data.column("id").nunique() == 59


def test_an_arrow_stream_is_read(tmp_path: Path) -> None:
    table = pa.Table.from_pandas(FRAME, preserve_index=False)
    with pa.ipc.new_stream(tmp_path / "table.arrow", table.schema) as stream:
        stream.write_table(table, max_chunksize=25)
    assert read_table(tmp_path / "table.arrow")[0].equals(FRAME)
    assert list(map(len, table_parts(tmp_path / "table.arrow", 20))) == [20, 5, 20, 5, 10]


@pytest.mark.parametrize("cells", [[{"a": i % 2} for i in range(60)], [[i % 2, 1] for i in range(60)]])
def test_cells_of_several_values_are_refused(tmp_path: Path, cells: list[object]) -> None:
    FRAME.assign(cell=cells).to_parquet(tmp_path / "table.parquet")
    with pytest.raises(DataError, match=r"in table\.parquet, column 'cell' holds several values in one cell, .* in row 0; .*under drop"):
        Dataset.read(tmp_path / "table.parquet", target="label")
    assert Dataset.read(tmp_path / "table.parquet", target="label", drop=["cell"]).schema.names == ("amount",)
