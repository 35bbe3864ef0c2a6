"""What is done about findings is said once and carried over, but only from a bundle that its manifests vouch for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from audit.manifests import write_manifests
from audit.responses_part import ResponsePart, gather_responses, read_earlier
from classifier.errors import ConfigurationError

GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"
ANSWER = {"owner": "Wu Lan", "response": "retrain", "due": "2027-03-01", "status": "open"}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle that showed a response to the rule PERFECT, as its second edition."""
    folder = shutil.copytree(GOLDEN, tmp_path / "bundle")
    write_run(folder, {"responses": {"PERFECT": ANSWER}, "revision": 2})
    return folder


def write_run(folder: Path, told: dict[str, object]) -> None:
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**run, **told}))
    write_manifests(folder)


def test_a_response_is_carried_over_until_another_is_stated(bundle: Path) -> None:
    earlier = read_earlier(bundle)
    assert (earlier.responses, earlier.revision) == ({"PERFECT": ANSWER}, 2)
    assert gather_responses({}, ["PERFECT", "GROUPS"], earlier.responses) == {"PERFECT": ANSWER}
    stated = {"PERFECT": ResponsePart(owner="Li Na", status="done")}
    assert gather_responses(stated, ["PERFECT"], earlier.responses) == {"PERFECT": {"owner": "Li Na", "status": "done"}}


def test_a_response_to_a_rule_that_is_gone_is_dropped(bundle: Path) -> None:
    assert gather_responses({}, ["GROUPS"], read_earlier(bundle).responses) == {}


def test_a_response_to_an_unknown_rule_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="answers to the rule 'PERFCT'") as refused:
        gather_responses({"PERFCT": ResponsePart(owner="Li Na")}, ["PERFECT"], {})
    assert "PERFECT" in str(refused.value.remedy)


@pytest.mark.parametrize("told", [[1], None, {"PERFECT": "accepted"}, {"PERFECT": {"owner": 5}}, {"PERFECT": {"boss": "Wu Lan"}}])
def test_what_is_no_response_ends_nothing_and_is_not_carried_over(bundle: Path, told: object, caplog: pytest.LogCaptureFixture) -> None:
    write_run(bundle, {"responses": told})
    assert read_earlier(bundle).responses == {}
    assert "responses are not carried over" in caplog.text


def test_what_somebody_wrote_into_a_bundle_is_not_carried_over(bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    (bundle / "run.json").write_text((bundle / "run.json").read_text().replace("Wu Lan", "Mallory"))
    assert read_earlier(bundle).responses == {}
    assert "run.json" in caplog.text


def test_where_there_is_no_bundle_there_is_nothing_to_carry_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_earlier(tmp_path / "nowhere").revision == 0
    assert caplog.text == ""
