"""Single rows explained: one explanation for terminal, picture and sheet, and bad input refused before anything is trained."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.single import SingleDecision

Assay = Callable[..., tuple[int, str, str]]

# Ten inputs are too many for exact values of a hundred cases.
NAMES = [f"x{i}" for i in range(10)]
CONFIGURATION = """\
[audit]
name = "small"
[data]
path = "small.csv"
target = "y"
event = "b"
[model]
architecture = "logistic"
[model.training]
epochs = 20
learning_rate = 0.1
"""
DECLARED = '[decision]\nfavourable = "g"\n'


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A table of 120 rows with an ``audit.toml``."""
    generator = np.random.default_rng(0)
    x = generator.random((120, len(NAMES)))
    pd.DataFrame(x, columns=NAMES).assign(y=np.where(x[:, 0] > 0.5, "b", "g")).to_csv(tmp_path / "small.csv", index=False)
    (tmp_path / "audit.toml").write_text(CONFIGURATION + DECLARED)
    return tmp_path


def untrained(*arguments: object, **options: object) -> None:
    raise AssertionError("something was trained")


def plain(page: Path) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8")))


def test_terminal_and_sheet_of_a_row_tell_the_same_numbers_whatever_rows_come_with_it(assay: Assay, small: Path) -> None:
    code, alone, _ = assay("explain", "--rows", "9", "--quiet")
    assert code == 0
    assert alone.strip() in assay("explain", "--rows", "0,9", "--quiet")[1]
    assert assay("explain", "--rows", "9", "--quiet", "--output", "why")[0] == 0
    first = float(re.search(r"([+-]\d+\.\d{3})  x\d", alone)[1])  # type: ignore[index]  # else the test fails
    page = plain(small / "why" / "row-9.en.html")
    method = re.search(r"^  (\w+), log-odds of", alone, re.MULTILINE)[1]  # type: ignore[index]
    assert f"Method: {method}." in page
    told = re.search(r"x\d+ [\d.]+ ([+−]\d+\.\d+)", page)[1]  # type: ignore[index]
    assert float(told.replace("−", "-")) == pytest.approx(first, abs=0.006)
    assert re.search(r"(exact; they add up|standard error at most)", alone)


def test_what_the_person_wants_is_told_only_where_somebody_declared_it(assay: Assay, small: Path) -> None:
    assert assay("explain", "--rows", "0", "--quiet", "--output", "declared")[0] == 0
    assert "the person concerned wants" in plain(small / "declared" / "row-0.en.html")
    (small / "audit.toml").write_text(CONFIGURATION)
    assert assay("explain", "--rows", "0", "--quiet", "--output", "silent")[0] == 0
    page = plain(small / "silent" / "row-0.en.html")
    assert "the person concerned wants" not in page
    assert "The main reasons" not in page


def test_a_row_that_is_named_twice_is_explained_once(assay: Assay, small: Path) -> None:
    code, out, _ = assay("explain", "--rows", "3,3", "--quiet")
    assert code == 0
    assert out.count("Row 3 ") == 1


def test_the_record_is_data_of_every_row_and_names_the_files(assay: Assay, small: Path) -> None:
    code, out, _ = assay("explain", "--rows", "3", "--quiet", "--json", "--output", "why")
    assert code == 0
    (record,) = json.loads(out)
    assert record["row"] == 3
    assert record["files"] == ["why/row-3.png", "why/row-3.en.html"]
    assert sum(record["probabilities"].values()) == pytest.approx(1)
    total = sum(part["attribution"] for part in record["parts"])
    assert total == pytest.approx(record["value"] - record["base_value"], abs=1e-5)


@pytest.mark.parametrize("output", ["afile", "afile/below", "/proc/why"])
def test_an_output_that_cannot_be_written_is_said_before_anything_is_trained(
    assay: Assay, small: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.setattr("audit.configuration.train", untrained)
    (small / "afile").touch()
    code, _, err = assay("explain", "--rows", "3", "--output", output, "--quiet")
    assert code == 2
    assert f"error: cannot write into the folder {output}" in err
    assert "next:  name another folder with --output" in err


@pytest.mark.parametrize(
    ("wording", "problem", "remedy"),
    [
        ('[de.names]\nb = "x"\n', "unknown key 'de'", "there are: en, zh-CN"),
        ('[zh_cn.names]\nb = "x"\n', "unknown key 'zh_cn'", "there are: en, zh-CN"),
        ('[zh-CN.name]\nb = "x"\n', "unknown key 'zh-CN.name'", "did you mean 'names'?"),
        ('[en.names]\nx11 = "x"\n', "[en]: there is a name for 'x11', which is no class", "did you mean 'x1'"),
        ('[en.reasons]\nage = "x"\n', "[en]: there is a text for 'age', which is no feature", "there are: x0, x1"),
    ],
)
def test_a_wording_that_does_not_fit_is_said_before_anything_is_trained(
    assay: Assay, small: Path, monkeypatch: pytest.MonkeyPatch, wording: str, problem: str, remedy: str
) -> None:
    monkeypatch.setattr("audit.configuration.train", untrained)
    (small / "words.toml").write_text(wording)
    code, _, err = assay("explain", "--rows", "3", "--output", "why", "--wording", "words.toml", "--quiet")
    assert code == 2
    assert problem in err
    assert remedy in err
    assert not (small / "why").exists()


def test_a_sheet_by_slopes_is_refused_before_anything_is_trained_and_the_terminal_shows_them(
    assay: Assay, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = assay("explain", "--rows", "3", "--method", "saliency", "--quiet")
    assert code == 0
    assert "each is slope; their sum means nothing" in out
    monkeypatch.setattr("audit.configuration.train", untrained)
    code, _, err = assay("explain", "--rows", "3", "--method", "saliency", "--output", "why", "--quiet")
    assert code == 2
    assert "saliency gives each part its slope" in err


def test_a_folder_in_the_place_of_the_configuration_is_told_as_one(assay: Assay, small: Path) -> None:
    code, _, err = assay("explain", ".", "--rows", "3", "--quiet")
    assert code == 2
    assert ". is a folder, required is a file" in err
    assert "did you mean 'audit.toml'?" in err


def test_a_run_that_is_stopped_says_that_it_starts_anew(assay: Assay, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SingleDecision, "write_sheets", stop)
    code, out, err = assay("explain", "--rows", "3,5", "--output", "why", "--quiet")
    assert code == 3
    assert "the same command starts from the beginning" in err
    assert "goes on from there" not in err
    assert [path.name for path in (small / "why").iterdir()] == ["row-3.png"]
    assert "Row 5" not in out
