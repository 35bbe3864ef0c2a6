"""``assay scan``: what it prints, and how it ends."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from assay.__main__ import main
from audit.supply_chain import scan
from audit.supply_chain.rules import RULES
from audit.supply_chain.sarif import as_sarif
from audit.supply_chain.text import describe

Assay = Callable[..., tuple[int, str, str]]


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Assay:
    """Run a command in `tmp_path`; gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["assay", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Something of every severity, something sealed, and something harmless."""
    made = tmp_path / "models"
    (made / "a folder with a long name, in which one file lies").mkdir(parents=True)
    (made / "high.pkl").write_bytes(b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.")
    (made / "a folder with a long name, in which one file lies" / "medium.npy").write_bytes(b"\x93NUMPY\x09")
    (made / "low.py").write_text("x = 1\n")
    (made / "sealed.age").write_bytes(b"age-encryption.org/v1\n")
    np.save(made / "harmless.npy", np.arange(3))
    return made


def test_the_exit_code_follows_the_gravest_finding(assay: Assay, folder: Path) -> None:
    assert assay("scan", "models/harmless.npy")[0] == 0
    assert assay("scan", "models/high.pkl")[0] == 1
    assert assay("scan", "models/low.py")[0] == 0
    assert assay("scan", "models/low.py", "--fail-on", "low")[0] == 1
    assert assay("scan", "models")[0] == 1
    # Nothing grave was found, and not everything was looked into.
    assert assay("scan", "models/sealed.age")[0] == 3
    assert assay("scan", "absent")[0] == 2
    assert assay("scan", "models", "--json", "--sarif")[0] == 2


def test_the_record_is_printed_as_json(assay: Assay, folder: Path) -> None:
    record = json.loads(assay("scan", "models", "--json")[1])
    assert {file["name"]: file["kind"] for file in record["files"]}["harmless.npy"] == "numpy"
    (finding,) = [finding for finding in record["findings"] if finding["rule"] == "pickle.global"]
    assert (finding["file"], finding["severity"], finding["offset"]) == ("high.pkl", "high", 17)
    assert record["version"] == 1


def test_the_text_is_read_in_80_columns(folder: Path) -> None:
    text = describe(scan(folder))
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"^HIGH +high\.pkl\n +byte 17: it imports posix\.system, which is on no list \[pickle\.global\]$", text, re.M)
    assert "next: do not open it; ask its sender for the weights as safetensors" in text
    assert "5 files; findings: 1 high, 1 medium, 2 low" in text
    assert "could not be looked into" in text


def test_the_text_of_nothing_found_promises_nothing(folder: Path) -> None:
    text = describe(scan(folder / "harmless.npy"))
    assert "no scan of its file can" in text
    assert "safe " not in text


def test_sarif_names_rules_files_and_places(folder: Path) -> None:
    log = as_sarif(scan(folder))
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (location,) = result["locations"]
        place = location["physicalLocation"]["artifactLocation"]
        assert run["artifacts"][place["index"]]["location"]["uri"] == place["uri"]
    (grave,) = [result for result in run["results"] if result["level"] == "error"]
    assert grave["locations"][0]["physicalLocation"]["region"] == {"byteOffset": 17}
    assert " " not in json.dumps([artifact["location"]["uri"] for artifact in run["artifacts"]]).replace('", "', "")


def test_no_library_of_models_is_imported() -> None:
    program = (
        "import sys; from audit.supply_chain import scan; scan(sys.argv[1]); "
        "print([name for name in ('torch', 'sklearn', 'joblib', 'onnx', 'h5py', 'pandas', 'pickle') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, __file__], capture_output=True, text=True, check=True)
    assert set(eval(done.stdout)) <= {"pickle"}  # numpy imports pickle itself


def test_every_rule_stands_in_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "scan.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z0-9]+\.[a-z_]+)` \| (high|medium|low) \|", page, re.M)
    assert dict(listed) == {rule: known.severity for rule, known in RULES.items()}


def test_every_rule_can_be_found() -> None:
    """Each is named where something is found, and none is left over."""
    room = Path(__file__).parents[3] / "audit" / "supply_chain"
    code = "".join(path.read_text(encoding="utf-8") for path in room.rglob("*.py") if path.name != "rules.py")
    assert [rule for rule in RULES if f'"{rule}"' not in code] == []
