"""From file to file and from the command line: whole or not at all, never over something else, and no secret in sight."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from assay.__main__ import main
from audit.deidentification import Plan
from classifier.formats.tables import read_table

Assay = Callable[..., tuple[int, str, str]]
PLAN = """
dataset = "people"
k = 2
max_suppressed = 0.5
[columns.id]
action = "pseudonym"
[columns.age]
action = "generalise"
role = "quasi"
widths = [10]
[columns.note]
action = "keep"
"""


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Assay:
    """Run ``assay deidentify`` beside ``people.csv`` and ``plan.toml``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    pd.DataFrame({"id": list("abcd"), "age": [21, 23, 35, 60], "note": ["p", "q, r", 's "t"', ""]}).to_csv("people.csv", index=False)
    Path("plan.toml").write_text(PLAN)
    Path("key").write_bytes(bytes(32))
    Path("key").chmod(0o600)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["assay", "deidentify", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run


def snapshot() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path().iterdir()) if path.is_file()}


ALL = ("people.csv", "--plan", "plan.toml", "--output", "out.csv", "--key-file", "key")


def test_a_table_is_released_with_its_report(assay: Assay) -> None:
    code, out, err = assay(*ALL, "--report", "report.json")
    assert (code, err) == (0, "")
    assert "2 of 4 rows released" in out
    assert "still personal data (GDPR, recital 26; PIPL, article" in out
    assert [line for line in out.splitlines() if len(line) > 80] == []
    table = pd.read_csv("out.csv")
    assert list(table["age"]) == ["20 to under 30"] * 2
    assert set(table["note"]) == {"p", "q, r"}
    assert not set(table["id"]) & set("abcd")
    assert Path("out.csv").stat().st_mode & 0o777 == 0o600
    assert json.loads(Path("report.json").read_text())["rows_released"] == 2


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_every_format_holds_the_same_table(assay: Assay, ending: str) -> None:
    pd.read_csv("people.csv", dtype=str, keep_default_na=False).to_parquet("people.parquet")
    assert assay("people.parquet", *ALL[1:4], f"out.{ending}", *ALL[5:])[0] == 0
    read = {"csv": pd.read_csv, "tsv": lambda path: pd.read_csv(path, sep="\t"), "parquet": pd.read_parquet}[ending]
    table = read(f"out.{ending}").astype(str)
    assert assay(*ALL, "--force")[0] == 0
    pd.testing.assert_frame_equal(table, pd.read_csv("out.csv").astype(str), check_dtype=False)


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_a_cell_holds_whatever_ends_lines_and_cells_elsewhere(assay: Assay, ending: str) -> None:
    notes = ["a\rb", "a\nb", "a\r\nb", 'a"b', "a,b", "a\tb", ""]
    pd.DataFrame({"note": notes, "name, of\rone": "x"}).to_parquet("people.parquet")
    Path("plan.toml").write_text(
        'dataset = "d"\norder = "kept"\n[columns.note]\naction = "keep"\n[columns."name, of\\rone"]\naction = "keep"\n'
    )
    assert assay("people.parquet", "--plan", "plan.toml", "--output", f"out.{ending}")[0] == 0
    table, _ = read_table(Path(f"out.{ending}"))
    assert list(table) == ["note", "name, of\rone"]
    assert list(table["note"].fillna("")) == notes


def test_a_parquet_file_holds_no_trace_of_what_was_left_out(assay: Assay) -> None:
    frame = pd.read_csv("people.csv", dtype=str, keep_default_na=False).astype({"note": "category"})
    frame.index = pd.Index(["ann", "bob", "cyd", "dan"], name="who")
    frame.reset_index(drop=True).to_parquet("people.parquet")
    assert assay("people.parquet", *ALL[1:4], "out.parquet", *ALL[5:])[0] == 0
    content = Path("out.parquet").read_bytes()
    assert b's "t"' not in content
    assert b"pandas" not in content


def test_the_json_on_standard_output_is_the_report(assay: Assay) -> None:
    code, out, _ = assay(*ALL, "--report", "report.json", "--json")
    assert code == 0
    assert json.loads(out) == json.loads(Path("report.json").read_text())


def test_a_key_is_made_once_and_used_again(assay: Assay) -> None:
    assert assay(*ALL[:-1], "new:fresh.key")[0] == 0
    first = Path("out.csv").read_bytes()
    assert Path("fresh.key").stat().st_mode & 0o777 == 0o600
    assert assay(*ALL[:-1], "fresh.key", "--force")[0] == 0
    assert Path("out.csv").read_bytes() == first
    code, _, err = assay(*ALL[:-1], "new:fresh.key", "--force")
    assert code == 2
    assert "is there already" in err


def test_a_key_comes_from_a_descriptor(assay: Assay) -> None:
    read, write = os.pipe()
    os.write(write, bytes(32))
    os.close(write)
    assert assay(*ALL[:-1], f"fd:{read}")[0] == 0


def test_a_plan_is_proposed_and_runs_unchanged(assay: Assay) -> None:
    code, out, _ = assay("people.csv", "--propose", "mine.toml", "--target", "note")
    assert code == 0
    assert "id: pseudonym" in out
    assert [line for line in out.splitlines() if len(line) > 80 and not line.startswith("Next")] == []
    Path("mine.toml").write_text(Path("mine.toml").read_text().replace("k = 5", "k = 1"))
    assert assay("people.csv", "--plan", "mine.toml", "--output", "out.csv", "--key-file", "new:k")[0] in (0, 2)


def test_a_proposed_plan_is_a_record_where_that_is_asked_for(assay: Assay) -> None:
    code, out, _ = assay("people.csv", "--propose", "mine.toml", "--json")
    assert code == 0
    assert json.loads(out) == Plan.read("mine.toml").model_dump(mode="json")


@pytest.mark.parametrize(
    ("name", "dataset"), [("people.csv", "people"), ("people.2024.csv", "people.2024"), ("a.b.csv.gz", "a.b"), ("p.2024.parquet", "p.2024")]
)
def test_files_of_two_years_are_two_data_sets(assay: Assay, name: str, dataset: str) -> None:
    frame = pd.read_csv("people.csv")
    (frame.to_parquet if name.endswith("parquet") else frame.to_csv)(name, index=False)
    assert assay(name, "--propose", "mine.toml")[0] == 0
    assert Plan.read("mine.toml").dataset == dataset
    assert "pseudonyms of data sets of the same name link" in Path("mine.toml").read_text()


REFUSED = {
    "a file that is there": (("out.csv",), ALL, "out.csv is there already"),
    "the table itself": ((), (*ALL[:4], "people.csv", *ALL[5:], "--force"), "people.csv is read or written as something else"),
    "the key": ((), (*ALL[:4], "key.csv", "--key-file", "key.csv", "--force"), "key.csv is read or written as something else"),
    "report and table in one": ((), (*ALL, "--report", "out.csv", "--force"), "out.csv is read or written as something else"),
    "an unknown ending": ((), (*ALL[:4], "out.xlsx", *ALL[5:]), "must end in .csv, .tsv or .parquet"),
    "no key": ((), ALL[:5], "there is no key"),
    "nothing to do": ((), ("people.csv",), "--plan and --output are needed"),
    "two things to do": ((), (*ALL, "--propose", "p.toml"), "--propose only writes a plan"),
    "a plan over another": (("p.toml",), ("people.csv", "--propose", "p.toml"), "p.toml is there already"),
    "no such table": ((), ("peple.csv", *ALL[1:]), "did you mean 'people.csv'"),
    "a key that nothing uses": ((), (*ALL[:-1], "new:fresh", "--plan", "bare.toml"), "the plan has no pseudonyms"),
    "a key that is made and nothing that holds": ((), (*ALL[:-1], "new:fresh", "--plan", "strict.toml"), "no levels meet what is required"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_changes_no_file(assay: Assay, case: str) -> None:
    there, arguments, problem = REFUSED[case]
    for name in there:
        Path(name).write_text("precious")
    strict = PLAN.replace("k = 2", "k = 9").replace("0.5", "0")
    Path("strict.toml").write_text(strict)
    Path("bare.toml").write_text(PLAN.replace("pseudonym", "drop"))
    before = snapshot()
    code, _, err = assay(*arguments)
    assert code == 2
    assert problem in err
    assert "next:" in err
    assert snapshot() == before


def test_where_ci_is_set_no_key_is_made(assay: Assay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    code, _, err = assay(*ALL[:-1], "new:fresh")
    assert code == 2
    assert "no key is made where CI is set" in err
    assert not Path("fresh").exists()
    assert not Path("out.csv").exists()


def test_a_full_disk_leaves_what_was_there(assay: Assay, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out.csv").write_text("old")

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    code, _, err = assay(*ALL, "--force", "--report", "report.json")
    assert code == 2
    assert "No space left" in err
    assert Path("out.csv").read_text() == "old"
    assert sorted(path.name for path in Path().iterdir()) == ["key", "out.csv", "people.csv", "plan.toml"]


def test_the_page_of_the_documentation_runs(assay: Assay) -> None:
    rows = range(400)
    table = pd.DataFrame({"customer": [f"c{i}" for i in rows], "name": [f"n{i}" for i in rows], "age": [20 + i % 40 for i in rows]})
    table = table.assign(postcode=[f"{10_000 + i % 50}" for i in rows], default=["yes" if i % 7 < 2 else "no" for i in rows])
    table.to_csv("loans.csv", index=False)
    page = (Path(__file__).parents[3] / "docs" / "deidentification.md").read_text(encoding="utf-8")
    program = page.split("```python\n")[1].split("```")[0]
    exec(program, {})
    plan = page.split("```toml\n")[1].split("```")[0]
    more = '[columns.customer]\naction = "pseudonym"\n[columns.age]\naction = "drop"\n'
    Path("page.toml").write_text(plan + more)
    table[["customer", "age", "postcode"]].assign(diagnosis=["abcd"[i // 50 % 4] for i in rows]).to_csv("sick.csv", index=False)
    assert assay("sick.csv", "--plan", "page.toml", "--output", "out.csv", "--key-file", "pseudonyms.key")[0] == 0
