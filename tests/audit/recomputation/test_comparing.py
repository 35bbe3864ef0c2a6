"""What the rows give is what the record says, and a number that is not is named with both values."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from audit import Audit, Subject, run
from audit.manifests import verify_bundle, write_manifests
from audit.recomputation import Record, recompute_numbers, require_one_record
from audit.recomputation.comparing import _RECOMPUTED
from audit.recomputation.record import NO_ROWS, RESAMPLED, SEALED
from audit.sealed_rows import SealedRows
from audit.vault import encrypt_bytes, generate_identity
from classifier import Dataset
from classifier.errors import IntegrityError

GOLDEN = Path(__file__).parents[2] / "golden" / "bundle-v1"
Forge = Callable[[Callable[[dict[str, Any], Path], object]], Record]
# What no single row has a share in, or what is stored of no row.
LEFT = {
    "data.duplicates_across_splits", "data.label_disagreement", "data.label_noise", "data.missing_values", "data.rows",
    "data.rows_outside_bounds", "data.smallest_class", "explanation.completeness_error", "performance.generalisation_gap",
    "performance.learned_p_value", "robustness.corruption_brier", "robustness.corruption_calibration_error", "robustness.ood_kept",
    "robustness.trigger_anomaly", "robustness.trigger_p_value", "robustness.trigger_size",
}  # fmt: skip


def metrics(content: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [m for evidence in content["evidence"] for m in evidence["metrics"] if m["name"] == name and m["value"] is not None]


def test_every_number_that_rows_determine_is_recomputed_and_agrees(audited: Path) -> None:
    record = Record(verify_bundle(audited))
    require_one_record(record)
    found = recompute_numbers(record)
    assert found.differing == ()
    assert found.numbers == found.agreeing + sum(found.left.values())
    assert set(found.left) == {NO_ROWS, RESAMPLED}
    measured = {metric["name"] for _, metric in record.metrics()}
    assert measured - set(_RECOMPUTED) <= LEFT
    # None of the recomputations is there for nothing.
    assert set(_RECOMPUTED) <= measured


@pytest.mark.parametrize("name", sorted(_RECOMPUTED))
def test_a_value_that_is_not_what_the_rows_give_is_named_with_both(forge: Forge, name: str) -> None:
    before = {}

    def change(content: dict[str, Any], folder: Path) -> None:
        metric = metrics(content, name)[-1]
        before["value"], metric["value"] = metric["value"], metric["value"] + 1e-4
        metric["low"], metric["high"] = min(metric["low"], metric["value"]), max(metric["high"], metric["value"])

    found = recompute_numbers(forge(change))
    (value,) = (one for one in found.differing if one.part == "value")
    assert (value.metric, value.stored) == (name, before["value"] + 1e-4)
    assert value.found == pytest.approx(before["value"], abs=1e-9)
    assert f"{name}" in str(value)
    assert repr(value.stored) in str(value)
    assert repr(value.found) in str(value)


@pytest.mark.parametrize("part", ["low", "high", "n"])
@pytest.mark.parametrize("name", ["performance.accuracy", "performance.roc_auc", "privacy.membership_tpr", "robustness.smoothed_accuracy"])
def test_an_interval_or_a_count_that_is_not_what_the_rows_give_is_named(forge: Forge, name: str, part: str) -> None:
    def change(content: dict[str, Any], folder: Path) -> None:
        metric = metrics(content, name)[0]
        metric[part] += 1 if part == "n" else 1e-6

    found = {one.part for one in recompute_numbers(forge(change)).differing}
    assert found == {part}


def test_an_interval_follows_from_its_count_where_no_row_is_stored(forge: Forge) -> None:
    def change(content: dict[str, Any], folder: Path) -> None:
        metrics(content, "robustness.ood_kept")[0]["high"] += 1e-6

    assert [(one.metric, one.part) for one in recompute_numbers(forge(change)).differing] == [("robustness.ood_kept", "high")]


def test_a_changed_row_shows_in_every_number_that_rests_on_it(forge: Forge) -> None:
    def change(content: dict[str, Any], folder: Path) -> None:
        path = folder / "evidence" / "performance.accuracy.safetensors"
        arrays = load_file(path)
        arrays["probabilities"][0] = arrays["probabilities"][0, ::-1]
        save_file(arrays, path)

    found = {one.metric for one in recompute_numbers(forge(change)).differing}
    assert {"performance.accuracy", "performance.log_loss", "performance.brier", "performance.approval_rate"} <= found


def test_rows_that_do_not_fit_are_an_integrity_failure_that_names_check_and_metric(forge: Forge) -> None:
    def change(content: dict[str, Any], folder: Path) -> None:
        path = folder / "evidence" / "privacy.membership.safetensors"
        arrays = load_file(path)
        save_file({**arrays, "members": arrays["members"][:-1]}, path)

    with pytest.raises(IntegrityError, match=r"the rows of privacy\.membership do not give privacy\.membership_auc"):
        recompute_numbers(forge(change))


def test_rows_that_are_sealed_are_not_recomputed_and_said_to_be(credit_subject: Subject, tmp_path: Path) -> None:
    me = generate_identity("x25519")
    rows = SealedRows((me.recipient,), partial(encrypt_bytes, recipients=[me.recipient]))
    run(credit_subject, only=["performance.accuracy"], progress=False).save(tmp_path, rows=rows)
    write_manifests(tmp_path)
    found = recompute_numbers(Record(verify_bundle(tmp_path)))
    # Of fifteen numbers the two ends of Wilson's interval follow from the record alone.
    assert (found.agreeing, dict(found.left)) == (2, {SEALED: 7, RESAMPLED: 6})


def test_several_classes_are_recomputed_too(tmp_path: Path) -> None:
    digits = Dataset.builtin("digits")
    test = digits[np.arange(200)]
    scores = torch.from_numpy(np.random.default_rng(0).normal(size=(200, 10)))
    scores[torch.arange(200), test.labels] += 1
    run(Subject(test, predictions=scores.softmax(1)), only=["performance"], progress=False).save(tmp_path)
    write_manifests(tmp_path)
    record = Record(verify_bundle(tmp_path))
    found = recompute_numbers(record)
    assert found.differing == ()
    assert found.left[NO_ROWS] <= 3  # the permutation test


def test_an_older_bundle_is_read_and_what_it_does_not_store_is_left() -> None:
    record = Record(verify_bundle(GOLDEN))
    require_one_record(record)
    found = recompute_numbers(record)
    assert (found.numbers, found.agreeing, found.differing) == (67, 29, ())


def test_a_newer_record_is_refused_by_its_number(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(GOLDEN, tmp_path / "bundle"))
    content = json.loads((folder / "audit.json").read_text())
    for version, problem in (
        (2, "is of version 2, and this release reads versions up to 1"),
        ("1", "holds no record"),
        (None, "holds no record"),
    ):
        (folder / "audit.json").write_text(json.dumps({**content, "version": version, "new": []}))
        write_manifests(folder)
        with pytest.raises(IntegrityError, match=f"audit.json {problem}"):
            Record(verify_bundle(folder))


def test_parts_of_a_bundle_that_tell_different_things_are_refused(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(GOLDEN, tmp_path / "bundle"))
    path = folder / "evidence" / "performance.decision.json"
    evidence = json.loads(path.read_text())
    path.write_text(json.dumps({**evidence, "seed": evidence["seed"] + 1}))
    write_manifests(folder)
    with pytest.raises(IntegrityError, match=r"performance\.decision\.json and audit\.json tell different things"):
        require_one_record(Record(verify_bundle(folder)))
    path.rename(path.with_name("performance.other.json"))
    write_manifests(folder)
    with pytest.raises(IntegrityError, match=r"performance\.decision\.json is missing"):
        require_one_record(Record(verify_bundle(folder)))
    shutil.copy(GOLDEN / "evidence" / path.name, path)
    write_manifests(folder)
    with pytest.raises(IntegrityError, match=r"performance\.other\.json is of a check that audit\.json does not tell of"):
        require_one_record(Record(verify_bundle(folder)))


def test_nothing_that_measured_and_no_numerical_library_takes_part(audited: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from audit.manifests import verify_bundle; from audit.recomputation import *;"
        "r = Record(verify_bundle(Path(sys.argv[1]))); recompute_numbers(r); judge_again(r);"
        "print(sorted({'torch', 'numpy', 'scipy', 'pandas', 'safetensors', 'audit.policy', 'classifier.statistics'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(audited)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_was_recomputed_is_what_the_library_reads(audited: Path) -> None:
    accuracy = Audit.load(audited)["performance.accuracy"]
    hits = (accuracy.arrays["probabilities"][:, 1] >= 0.5) == (accuracy.arrays["labels"] == 1)
    assert accuracy.metric("performance.accuracy").value == pytest.approx(hits.mean(), abs=1e-12)
