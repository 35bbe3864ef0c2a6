"""The notebooks of the examples: each runs anew, shows what it showed, and prints the numbers that it printed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(path.relative_to(EXAMPLES) for path in EXAMPLES.glob("*/*.ipynb"))
_LARGEST = 400_000
# Numbers of the line that states a measured number with its interval; another processor may round a few rows otherwise,
# and after training on what it rounded, decide so many rows otherwise.
_MEASURED = re.compile(r"(?P<name>\w[\w -]*): +(?P<value>\d\.\d+) \[[\d., ]+\], n = (?P<n>\d+)")
_NEAR, _ROWS = 0.03, 3


def read(notebook: Path) -> Any:
    # It takes seconds to load, which the other tests need not wait for.
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(EXAMPLES / notebook, as_version=4)


def kinds(cell: Any) -> list[str]:
    """What a cell shows, by its richest form: text, HTML or a picture.

    What is printed counts once, since a busy machine sends it in several pieces, and a library may warn in between.
    """
    printed = ["text/plain"] if any(output.output_type == "stream" and output.name == "stdout" for output in cell.outputs) else []
    forms = [set(output.data) for output in cell.outputs if output.output_type != "stream"]
    return printed + [next(form for form in ("image/png", "text/html", "text/plain") if form in found) for found in forms]


def measured(notebook: Any) -> dict[str, tuple[float, int]]:
    printed = "".join(output.text for cell in notebook.cells for output in cell.get("outputs", []) if output.output_type == "stream")
    return {line["name"]: (float(line["value"]), int(line["n"])) for line in _MEASURED.finditer(printed)}


def test_there_is_a_notebook_for_each_modality():
    assert [str(path.parent) for path in NOTEBOOKS] == ["digits", "german-credit", "gunpoint", "mutag", "reviews-zh"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=str)
def test_a_notebook_is_small_and_holds_no_more_than_its_story(notebook: Path):
    text, stored = (EXAMPLES / notebook).read_text(encoding="utf-8"), read(notebook)
    assert len(text.encode()) < _LARGEST
    assert str(Path.home()) not in text
    assert str(EXAMPLES.parent) not in text
    outputs = [output for cell in stored.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert not [cell for cell in stored.cells if cell.metadata], "cells hold times or other settings"
    assert stored.metadata.kernelspec.name == "python3"


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=str)
def test_a_notebook_runs_anew_and_shows_what_it_showed(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    client = pytest.importorskip("nbclient")
    # One thread a kernel, since workers share the processors.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    folder = shutil.copytree((EXAMPLES / notebook).parent, tmp_path / "example")
    stored = read(notebook)
    again = read(notebook)
    for cell in again.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None

    client.NotebookClient(again, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()

    for number, (before, after) in enumerate(zip(stored.cells, again.cells, strict=True)):
        if before.cell_type == "code":
            assert kinds(after) == kinds(before), f"cell {number} shows something else"
    assert not [out.text for cell in again.cells for out in cell.get("outputs", []) if out.get("name") == "stderr"]
    old, new = measured(stored), measured(again)
    assert old
    assert new.keys() == old.keys()
    for name, (value, n) in old.items():
        assert new[name][1] == n
        assert new[name][0] == pytest.approx(value, abs=max(_NEAR, _ROWS / n)), name
