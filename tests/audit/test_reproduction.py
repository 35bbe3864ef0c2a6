"""An audit that is run again gives the numbers that it gave, and what does not is named with both."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit.manifests import verify_bundle, write_manifests
from audit.pipeline import audit_configuration
from audit.publication import publish
from audit.recomputation import Record
from audit.reproduction import Reproduction, compare_records, reproduce
from classifier.errors import ConfigurationError, IntegrityError

CONFIGURATION = """
[audit]
name = "small"
profile = "quick"

[data]
path = "../rows.csv"
target = "late"
event = "yes"

[decision]
favourable = "no"

[model]
architecture = "mlp"
hidden = [4]

[model.training]
epochs = 3

[checks."performance.accuracy"]
resamples = 50

[policy]
path = "rules/policy.toml"
"""
# It builds on another file, so that the one in the bundle is written out whole.
POLICY = '[policy]\nid = "p"\nextends = "base.toml"\n'
BASE = '[policy]\nid = "b"\n[[rule]]\nid = "R"\nmetric = "performance.roc_auc"\nmin = 0.5\nset_by = "Ada"\nrationale = "It must rank."\n'


@pytest.fixture(scope="module")
def own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        patch.delenv("CI", raising=False)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, own_settings: None) -> Path:
    """``rows.csv``, ``case/audit.toml`` and ``case/rules/policy.toml``, and what came of it in ``bundle``."""
    folder = tmp_path_factory.mktemp("reproduction")
    draws = np.random.default_rng(0)
    days, amount = draws.integers(1, 60, 120), draws.integers(10, 900, 120)
    late = (days + amount / 20 + draws.normal(0, 10, 120)) > 50
    rows = [f"{a},{b},{'yes' if c else 'no'}" for a, b, c in zip(days, amount, late, strict=True)]
    (folder / "rows.csv").write_text("days,amount,late\n" + "\n".join(rows) + "\n")
    (folder / "case" / "rules").mkdir(parents=True)
    (folder / "case" / "audit.toml").write_text(CONFIGURATION)
    (folder / "case" / "rules" / "policy.toml").write_text(POLICY)
    (folder / "case" / "rules" / "base.toml").write_text(BASE)
    audit_configuration(folder / "case" / "audit.toml", output=folder / "bundle", only=["performance", "data.quality"], progress=False)
    return folder


def again(place: Path, tmp_path: Path, bundle: Path | None = None, data: Path | None = None) -> Reproduction:
    return reproduce(bundle or place / "bundle", data=data or place / "case", output=tmp_path / "again", progress=False)


def test_every_number_of_an_audit_that_is_run_again_is_the_same(place: Path, tmp_path: Path) -> None:
    before = sorted(place.rglob("*"))
    found = again(place, tmp_path)
    measured = len(Record(verify_bundle(place / "bundle")).metrics())
    assert (found.exact, found.close, found.unlike, found.missing) == (measured, 0, (), ())
    assert measured > 10
    assert (found.classifier, dict(found.surroundings), found.exit_code) == (True, {}, 0)
    assert sorted(place.rglob("*")) == before  # nothing is left beside the data
    # The checks are those of the first run, and no others.
    assert Record(verify_bundle(found.folder)).evidence.keys() == Record(verify_bundle(place / "bundle")).evidence.keys()


def test_the_data_and_a_published_copy_are_enough(place: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "case").mkdir(parents=True)
    shutil.copy(place / "rows.csv", tmp_path / "elsewhere")
    public = publish(place / "bundle", tmp_path / "public").folder
    found = again(place, tmp_path, public, tmp_path / "elsewhere" / "case")
    assert (found.exit_code, found.classifier) == (0, True)
    assert list((tmp_path / "elsewhere" / "case").iterdir()) == []


def test_other_data_or_another_policy_are_refused_before_anything_runs(place: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(place, tmp_path / "other"))
    lines = (other / "rows.csv").read_text().splitlines()
    (other / "rows.csv").write_text("\n".join([lines[0], *lines[2:], lines[1]]) + "\n")
    with pytest.raises(IntegrityError, match=r"rows have the digest .* and the audit was of"):
        again(place, tmp_path, data=other / "case")
    shutil.copy(place / "rows.csv", other / "rows.csv")
    (other / "case" / "rules" / "base.toml").write_text(BASE.replace("0.5", "0.6"))
    with pytest.raises(IntegrityError, match=r"policy\.toml is another policy than that of the audit"):
        again(place, tmp_path, data=other / "case")
    assert not (tmp_path / "again").exists()
    assert not list((other / "case").glob(".assay*"))


def test_what_cannot_be_run_again_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is the bundle that is to be reproduced"):
        reproduce(place / "bundle", data=place / "case", output=place / "bundle", progress=False)
    with pytest.raises(ConfigurationError, match=r"rows\.csv"):
        again(place, tmp_path, data=tmp_path)
    bundle = Path(shutil.copytree(place / "bundle", tmp_path / "bundle"))
    (bundle / "audit.toml").unlink()
    write_manifests(bundle)
    with pytest.raises(ConfigurationError, match=r"holds no audit\.toml"):
        again(place, tmp_path, bundle)


def changed(place: Path, tmp_path: Path, old: str, new: str) -> Path:
    bundle = Path(shutil.copytree(place / "bundle", tmp_path / "changed"))
    text = (bundle / "audit.toml").read_text()
    assert old in text
    (bundle / "audit.toml").write_text(text.replace(old, new))
    write_manifests(bundle)
    return bundle


NETWORK = CONFIGURATION[CONFIGURATION.index("architecture") : CONFIGURATION.index("[checks")]


@pytest.mark.parametrize("model", ['python = "evil:predict"', 'rest = "http://10.0.0.1/"', 'skops = "a.skops"\ntrusted = ["os.system"]'])
def test_code_and_addresses_that_a_bundle_names_are_not_used_unasked(place: Path, tmp_path: Path, model: str) -> None:
    bundle = changed(place, tmp_path, NETWORK, f"{model}\n\n")
    with pytest.raises(ConfigurationError, match=r"names code or an address.*--allow-code"):
        again(place, tmp_path, bundle)


def test_a_policy_outside_the_folder_of_the_data_is_neither_read_nor_written(place: Path, tmp_path: Path) -> None:
    bundle = changed(place, tmp_path, "rules/policy.toml", "../escaped/policy.toml")
    with pytest.raises(ConfigurationError, match="lies outside"):
        again(place, tmp_path, bundle)
    assert not (place / "escaped").exists()


def test_neither_a_bundle_nor_what_lies_in_it_is_written_over(place: Path, tmp_path: Path) -> None:
    for output in (place / "bundle" / "inside", place):
        with pytest.raises(ConfigurationError, match="lies in it or around it"):
            reproduce(place / "bundle", data=place / "case", output=output, progress=False)
    shutil.copytree(place / "bundle", tmp_path / "again")
    with pytest.raises(ConfigurationError, match="is a bundle already"):
        again(place, tmp_path)


def forged(place: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Record:
    folder = Path(shutil.copytree(place / "bundle", tmp_path / "forged"))
    content = json.loads((folder / "audit.json").read_text())
    change(content)
    (folder / "audit.json").write_text(json.dumps(content))
    write_manifests(folder)
    return Record(verify_bundle(folder))


def metric(content: dict[str, Any], name: str) -> dict[str, Any]:
    return next(m for evidence in content["evidence"] for m in evidence["metrics"] if m["name"] == name)


def test_rounding_is_told_from_another_number_and_both_from_one_that_is_missing(place: Path, tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        metric(content, "performance.log_loss")["value"] *= 1 + 1e-7
        accuracy = metric(content, "performance.accuracy")
        accuracy.update(value=accuracy["value"] - 0.01, low=accuracy["low"] - 0.01)
        metric(content, "performance.brier").update(value=None, low=None, high=None, reason="the disk was full")
        content["evidence"] = [evidence for evidence in content["evidence"] if evidence["check"] != "performance.decision"]
        content["software"]["torch"] = "9.9"
        content["identity"]["classifier"] = "0" * 64

    before = Record(verify_bundle(place / "bundle"))
    found = compare_records(before, forged(place, tmp_path, change))
    assert found.close == 1
    (accuracy,) = found.unlike
    assert accuracy.metric == "performance.accuracy"
    assert accuracy.now is not None
    assert accuracy.before[0] - accuracy.now[0] == pytest.approx(0.01)
    missing = {one.metric: one.reason for one in found.missing}
    assert missing["performance.brier"] == "the disk was full"
    assert missing["performance.approval_rate"] == "this release has no such check"
    assert (found.classifier, found.exit_code) == (False, 1)
    assert found.surroundings == {"torch": (before.content["software"]["torch"], "9.9")}


@pytest.mark.parametrize(("drop", "code"), [("performance.decision", 3), ("", 0)])
def test_the_exit_code_is_that_of_the_worst(place: Path, tmp_path: Path, drop: str, code: int) -> None:
    def change(content: dict[str, Any]) -> None:
        content["evidence"] = [evidence for evidence in content["evidence"] if evidence["check"] != drop]

    assert compare_records(Record(verify_bundle(place / "bundle")), forged(place, tmp_path, change)).exit_code == code
