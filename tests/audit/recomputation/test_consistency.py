"""What a record says more than once is held against itself, and what it says of its own numbers against what its checks make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.manifests import verify_bundle
from audit.recomputation import Record, judge_again, missed_answers, recompute_numbers, require_one_record
from classifier.errors import IntegrityError

Change = Callable[[dict[str, Any], Path], object]
Forge = Callable[[Change], Record]


def evidence(content: dict[str, Any], check: str) -> dict[str, Any]:
    return next(one for one in content["evidence"] if one["check"] == check)


def set_metric(name: str, **changes: Any) -> Change:
    def change(content: dict[str, Any], folder: Path) -> None:
        checks = {"performance": "performance.accuracy", "robustness": "robustness.attack", "privacy": "privacy.membership"}
        check = evidence(content, checks[name.split(".")[0]])
        next(m for m in check["metrics"] if m["name"] == name).update(changes)

    return change


def drop(name: str) -> Change:
    def change(content: dict[str, Any], folder: Path) -> None:
        check = evidence(content, "performance.accuracy")
        check["metrics"] = [m for m in check["metrics"] if m["name"] != name]

    return change


def set_cell(check: str, column: int, value: Any) -> Change:
    def change(content: dict[str, Any], folder: Path) -> None:
        evidence(content, check)["tables"][0]["rows"][0][column] = value

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (set_metric("performance.accuracy", interval="exact", low=0.99, high=0.99), "performance.accuracy is stored as exact, with"),
        (set_metric("performance.log_loss", interval="exact"), "performance.log_loss is stored as exact"),
        (set_metric("performance.log_loss", low=0.001, high=0.002), "with an interval from 0.001 to 0.002"),
        (set_metric("performance.log_loss", low=9.0, high=0.0), "with an interval from 9.0 to 0.0"),
        (set_metric("performance.accuracy", interval="bootstrap"), "with an interval 'bootstrap', and its check makes wilson"),
        (set_metric("performance.accuracy", confidence=0.5), "with a confidence of 0.5"),
        (set_metric("robustness.accuracy", bound="estimate"), "robustness.accuracy is stored as bound 'estimate'"),
        (set_metric("performance.accuracy", value=None, low=None, high=None, reason="no"), "accuracy is stored as not measured, and the"),
        (set_metric("privacy.membership_tpr", value=None, low=None, high=None, reason="no"), "tpr is stored as not measured, and the"),
        (drop("performance.log_loss"), "performance.accuracy does not tell performance.log_loss"),
        (set_cell("performance.accuracy", 1, 999), "the table of performance.accuracy counts"),
        (set_cell("fairness.groups", 3, 0.123456), "the table of groups has 0.123456 as approval_rate"),
        (lambda content, _: content["identity"]["rows"].update(test=7), "stored as one of 7 test rows"),
        (lambda _, folder: (folder / "run.json").write_text('{"seal":{"digest":"x"}}'), "the one that was sealed is 'x'"),
        (lambda content, _: evidence(content, "privacy.membership")["metrics"].append(
            dict(evidence(content, "privacy.membership")["metrics"][0])), "tells privacy.membership_auc twice"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(forge: Forge, change: Change, told: str) -> None:
    faults = recompute_numbers(forge(change)).faults
    assert any(told in fault for fault in faults), faults


def test_an_audit_has_no_faults_and_says_which_verdicts_rest_on_what_was_not_recomputed(audited: Path) -> None:
    record = Record(verify_bundle(audited))
    found = recompute_numbers(record)
    assert found.faults == ()
    drawn = [f for f in record.findings if f["metric"] is not None and f["metric"]["interval"] == "bootstrap"]
    assert found.resting == len(drawn) > 0


def test_features_that_trade_their_numbers_are_told(forge: Forge) -> None:
    def change(content: dict[str, Any], folder: Path) -> None:
        first, second = [m for m in evidence(content, "explanation.attribution")["metrics"] if m["name"] == "explanation.importance"][:2]
        first["where"], second["where"] = second["where"], first["where"]

    assert {one.metric for one in recompute_numbers(forge(change)).differing} == {"explanation.importance"}


def test_one_check_is_told_once_and_arrays_belong_to_a_check(forge: Forge) -> None:
    with pytest.raises(IntegrityError, match="tells of one check twice"):
        forge(lambda content, _: content["evidence"].append(dict(content["evidence"][0])))
    record = forge(lambda _, folder: (folder / "evidence" / "a.safetensors").write_bytes(b""))
    with pytest.raises(IntegrityError, match=r"a\.safetensors is of a check that audit\.json does not tell of"):
        require_one_record(record)


def test_a_missed_answer_is_named(forge: Forge, audited: Path) -> None:
    assert missed_answers(Record(verify_bundle(audited))) == ()
    record = forge(lambda content, _: content["known_answers"][0].update(measured=5.0))
    assert missed_answers(record) == (record.content["known_answers"][0]["id"],)


@pytest.mark.parametrize("what", ["figures", "tables", "metrics"])
@pytest.mark.parametrize("value", [None, 3, [None]])
def test_a_strangers_record_is_an_integrity_failure_and_nothing_else(forge: Forge, what: str, value: Any) -> None:
    record = forge(lambda content, _: evidence(content, "performance.accuracy").update({what: value}))
    with pytest.raises(IntegrityError):
        _ = require_one_record(record), recompute_numbers(record), judge_again(record)
