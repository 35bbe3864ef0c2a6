"""``assay diff`` tells what changed between two bundles, and its exit code can be relied on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.bundle import Audit, write_manifests

Assay = Callable[..., tuple[int, str, str]]
GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """Two copies of one bundle, ``old`` and ``new``."""
    for name in ("old", "new"):
        shutil.copytree(GOLDEN, tmp_path / name)
    return tmp_path


def _rewrite(folder: Path, name: str, change: Callable[[Any], None]) -> None:
    """Change a record of a bundle as whoever made it could, with manifests that say so."""
    path = folder / name
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    write_manifests(folder)


def test_a_bundle_against_itself_is_0_and_says_that_nothing_is_worse(assay: Assay, bundles: Path) -> None:
    code, out, err = assay("diff", "old", "new")
    assert (code, err) == (0, "")
    assert "Nothing is found to be worse." in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_json_and_html_hold_the_same_and_the_exit_code_is_told(assay: Assay, bundles: Path) -> None:
    code, out, _ = assay("diff", "old", "new", "--json", "--html", "changes.html")
    told = json.loads(out)
    assert code == told["exit_code"] == 0
    assert {change["status"] for change in told["difference"]["changes"]} <= {"same", "incomparable"}
    page = (bundles / "changes.html").read_text(encoding="utf-8")
    assert "Comparison of two audits" in page
    # What had failed and fails still is told too.
    assert [remedy["rule"] for remedy in told["remediation"]] == ["PERFECT"]
    assert "still violated" in page


def test_a_rule_that_newly_fails_is_1_whatever_failed_before(assay: Assay, bundles: Path) -> None:
    def fail(record: Any) -> None:
        (finding,) = (finding for finding in record["findings"] if finding["rule"] == "LEARNED")
        finding |= {"verdict": "fail", "reason": "broken", "violated": True}

    _rewrite(bundles / "new", "audit.json", fail)
    code, out, _ = assay("diff", "old", "new")
    assert code == 1
    assert "LEARNED: Pass → Fail; newly violated." in out
    assert assay("diff", "new", "old")[0] == 0


def test_evidence_that_only_one_has_is_3(assay: Assay, bundles: Path) -> None:
    def lose(record: Any) -> None:
        record["evidence"] = [evidence for evidence in record["evidence"] if evidence["check"] != "performance.accuracy"]

    for path in (bundles / "new" / "evidence").glob("performance.accuracy.*"):
        path.unlink()
    _rewrite(bundles / "new", "audit.json", lose)
    for order in (("old", "new"), ("new", "old")):
        code, out, _ = assay("diff", *order)
        assert code == 3
        assert "Something cannot be told" in out


def test_what_was_answered_to_a_failure_is_told_with_what_it_is_now(assay: Assay, bundles: Path) -> None:
    answer = {"PERFECT": {"owner": "A. Person", "response": "trained anew", "due": "2027-01-31", "status": "open"}}
    (bundles / "old" / "run.json").write_text(json.dumps({"responses": answer}))
    write_manifests(bundles / "old")
    assert "Owner: A. Person; Response: trained anew; Due: 2027-01-31; Status: open" in " ".join(assay("diff", "old", "new")[1].split())
    (bundles / "old" / "run.json").write_text(json.dumps({"responses": {"PERFCT": {}}}))
    write_manifests(bundles / "old")
    code, out, err = assay("diff", "old", "new")
    assert (code, out) == (2, "")
    assert "did you mean 'PERFECT'?" in err


def test_a_changed_byte_is_4_and_names_the_file(assay: Assay, bundles: Path) -> None:
    path = bundles / "old" / "audit.json"
    path.write_bytes(path.read_bytes().replace(b"golden", b"silver"))
    code, out, err = assay("diff", "old", "new")
    assert (code, out) == (4, "")
    assert "old/audit.json was changed since the audit" in err


def test_other_profiles_missing_folders_and_languages_are_2_with_the_next_step(assay: Assay, bundles: Path) -> None:
    _rewrite(bundles / "new", "audit.json", lambda record: record.update(profile="thorough"))
    other = Audit.load(GOLDEN).profile
    for arguments, problem in (
        (("old", "new"), f"the old audit has the profile '{other}' and the new one 'thorough'"),
        (("old", "nowhere"), "there is no folder nowhere"),
        (("old/audit.json", "new"), "old/audit.json is a file"),
        (("old", "old", "--lang", "xx"), "there is no catalogue for the language 'xx'"),
    ):
        code, out, err = assay("diff", *arguments)
        assert (code, out) == (2, "")
        assert f"error: {problem}" in err
        assert "next:" in err


def test_comparing_two_bundles_imports_no_torch() -> None:
    program = (
        "import sys; from pathlib import Path; from audit.bundle import Audit; from audit.comparison import compare; "
        f"audit = Audit.load(Path({str(GOLDEN)!r})); compare(audit, audit); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
