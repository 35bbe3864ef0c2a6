"""What a copy leaves out is named, is what the manifests name, and counts for nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from audit.manifests import verify_bundle
from audit.redactions import ROWS as BY_ROW
from audit.redactions import Redactions, Withheld
from classifier.errors import IntegrityError
from classifier.records import sha256

GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"
ROWS = "evidence/performance.accuracy.safetensors"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "bundle"))


def withhold(folder: Path, name: str, digest: str | None = None, made: dict[str, str] | None = None) -> None:
    known = json.loads((folder / "manifest.json").read_text())["sha256"]
    redactions = Redactions({name: Withheld(digest or known[name], BY_ROW)}, made or {})
    (folder / "redactions.json").write_bytes(redactions.to_json())


def test_a_file_that_is_named_as_left_out_may_be_missing_and_no_other(copy: Path) -> None:
    (copy / ROWS).unlink()
    with pytest.raises(IntegrityError, match=r"performance\.accuracy\.safetensors is missing"):
        verify_bundle(copy)
    withhold(copy, ROWS)
    found = verify_bundle(copy)
    assert (len(found.files), set(found.withheld)) == (11, {ROWS})
    with pytest.raises(IntegrityError, match="is named in no manifest"):
        found.read(ROWS)
    (copy / "run.json").unlink()
    with pytest.raises(IntegrityError, match=r"run\.json is missing"):
        verify_bundle(copy)


def test_a_file_that_is_given_later_is_held_against_its_digest(copy: Path) -> None:
    withhold(copy, ROWS)
    found = verify_bundle(copy)
    assert (len(found.files), found.withheld) == (12, {})
    (copy / ROWS).write_bytes(b"something else")
    with pytest.raises(IntegrityError, match="was changed since the audit"):
        verify_bundle(copy)


def test_what_no_manifest_names_cannot_be_left_out(copy: Path) -> None:
    for name, digest in (("nowhere.json", "0" * 64), (ROWS, "0" * 64), ("manifest.json", "0" * 64)):
        withhold(copy, name, digest)
        with pytest.raises(IntegrityError, match="with a digest that no manifest has"):
            verify_bundle(copy)


def test_nothing_but_the_public_record_is_made_for_a_copy_and_its_digest_holds(copy: Path) -> None:
    withhold(copy, ROWS, made={"audit.public.json": sha256(b"{}")})
    with pytest.raises(IntegrityError, match=r"audit\.public\.json is missing"):
        verify_bundle(copy)
    (copy / "audit.public.json").write_bytes(b"{}")
    found = verify_bundle(copy)
    assert "audit.public.json" in found.made
    assert "audit.public.json" not in found.files
    assert (found.record, found.read("audit.public.json")) == ("audit.json", b"{}")
    (copy / "audit.public.json").write_bytes(b"[]")
    with pytest.raises(IntegrityError, match=r"audit\.public\.json was changed"):
        verify_bundle(copy)
    withhold(copy, ROWS, made={"report.en.html": sha256(b"{}")})
    with pytest.raises(IntegrityError, match=r"is not audit\.public\.json"):
        verify_bundle(copy)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not strict JSON"),
        (b"[]", "does not say what was left out"),
        (b'{"version":1,"withheld":{}}', "does not say what was left out"),
        (b'{"version":1,"withheld":{},"made":{},"more":1}', "does not say what was left out"),
        (b'{"version":2,"withheld":{}}', "is of version 2, and this release reads version 1"),
        (b'{"version":1,"withheld":{"a":"b"},"made":{}}', "does not name each file with its digest"),
        (b'{"version":1,"withheld":{"a":{"sha256":"0","reason":""}},"made":{}}', "does not name each file with its digest"),
        (b'{"version":1,"withheld":{"a":{"sha256":"%s","reason":"\\u001b[31mred"}},"made":{}}' % (b"0" * 64), "does not name each file"),
        (
            b'{"version":1,"withheld":{"policy.toml":{"sha256":"%s","reason":"results row by row"}},"made":{}}' % (b"0" * 64),
            "no copy leaves",
        ),
        (b'{"version":1,"withheld":[],"made":{}}', "does not name each file with its digest"),
        (b'{"version":1,"withheld":{},"made":[]}', "made for the copy"),
        (b'{"version":1,"withheld":{},"made":{"audit.public.json":1}}', "made for the copy"),
    ],
)
def test_a_list_that_is_none_is_refused(copy: Path, content: bytes, problem: str) -> None:
    (copy / "redactions.json").write_bytes(content)
    with pytest.raises(IntegrityError, match=rf"redactions\.json.*{problem}"):
        verify_bundle(copy)


def test_what_was_written_is_read_back() -> None:
    redactions = Redactions({"a": Withheld("0" * 64, BY_ROW)}, {"audit.public.json": "1" * 64})
    assert Redactions.from_json(redactions.to_json(), "") == redactions
