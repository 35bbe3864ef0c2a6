"""The runner: one check's failure is its own, and a killed audit goes on as if it had not been."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from audit import Audit, Evidence, Policy, Subject, run
from audit.check import check_ids
from audit.performance.checks.accuracy import Accuracy
from audit.privacy.checks.membership import MembershipInference
from classifier.errors import ConfigurationError, IntegrityError
from classifier.records import as_record, canonical_json
from classifier.seeds import Seed

Options = dict[str, dict[str, object]]


def record(audit: Audit) -> bytes:
    return canonical_json(as_record(replace(audit, evidence=tuple(replace(e, arrays={}) for e in audit.evidence))))


def breaking(error: BaseException) -> Callable[..., Evidence]:
    def measure(self: object, subject: Subject, seed: Seed) -> Evidence:
        raise error

    return measure


def test_a_check_that_raises_is_not_run_with_its_reason_and_the_others_go_on(
    credit_subject: Subject, quick: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Accuracy, "measure", breaking(ValueError("no luck")))
    audit = run(credit_subject, only=["performance"], options=quick, progress=False)
    said = "it ended with ValueError, whose message may quote rows and is not kept"
    assert audit["performance.accuracy"].not_run == said
    assert {metric.reason for metric in audit["performance.accuracy"].metrics} == {said}
    assert audit["performance.decision"].not_run is None


def test_what_a_subject_lacks_is_the_reason_why_a_check_is_not_run(credit_subject: Subject) -> None:
    predictions = credit_subject.model.probabilities(credit_subject.test.inputs)
    audit = run(
        Subject(credit_subject.test, predictions=predictions), only=["robustness", "privacy", "performance.accuracy"], progress=False
    )
    assert audit["robustness.attack"].not_run == "there are predictions only, and this asks the classifier itself"
    assert audit["privacy.membership"].not_run is not None
    assert audit["performance.accuracy"].not_run is None


def test_a_check_that_does_not_exist_is_refused_with_the_nearest(credit_subject: Subject) -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean 'privacy\.membership'"):
        run(credit_subject, only=["privacy.membrship"], progress=False)
    with pytest.raises(ConfigurationError, match="has no option 'ep'"):
        run(credit_subject, options={"robustness.attack": {"ep": 1}}, progress=False)


def test_the_same_seed_gives_the_same_record_and_a_check_alone_gives_the_same_evidence(credit_subject: Subject, quick: Options) -> None:
    again = replace(credit_subject, _memory={})
    skipped = ["explanation", *(name for name in check_ids() if name.startswith("robustness.") and name != "robustness.attack")]
    whole = run(credit_subject, skip=skipped, options=quick, seed=3, progress=False)
    assert record(whole) == record(run(again, skip=skipped, options=quick, seed=3, progress=False))
    alone = run(again, only=["robustness.attack"], options=quick, seed=3, progress=False)
    assert as_record(replace(alone["robustness.attack"], arrays={})) == as_record(replace(whole["robustness.attack"], arrays={}))


def test_a_stopped_audit_goes_on_where_it_was_and_gives_the_same_record(
    credit_subject: Subject, quick: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def audit(workspace: Path | None) -> Audit:
        return run(credit_subject, only=["performance", "privacy"], options=quick, progress=False, workspace=workspace)

    expected = record(audit(None))
    with monkeypatch.context() as patch:
        patch.setattr(MembershipInference, "measure", breaking(KeyboardInterrupt()))
        stopped = audit(tmp_path)
    assert stopped.interrupted
    assert stopped.exit_code == 3
    assert stopped["privacy.membership"].not_run == "the audit was interrupted"
    with monkeypatch.context() as patch:
        # What was finished is not measured again.
        patch.setattr(Accuracy, "measure", breaking(AssertionError("measured twice")))
        assert record(audit(tmp_path)) == expected
    other = run(credit_subject, only=["performance", "privacy"], options=quick, seed=9, progress=False, workspace=tmp_path)
    assert other["performance.accuracy"].seed == 9


def judged(audit: Audit, **changes: object) -> int:
    return replace(audit, **changes).exit_code  # type: ignore[arg-type]


def test_exit_codes_take_the_gravest(credit_subject: Subject, quick: Options) -> None:
    from audit.toml_files import parse_toml

    def policy(*limits: str) -> Policy:
        rule = '[[rule]]\nid = "{}"\nmetric = "performance.accuracy"\n{}\nset_by = "s"\nrationale = "r"\n'
        rules = "".join(rule.format(number, limit) for number, limit in enumerate(limits))
        return parse_toml(Policy, f'[policy]\nid = "p"\n{rules}', "p")

    def code(*limits: str) -> int:
        return run(credit_subject, policy(*limits), only=["performance.accuracy"], options=quick, progress=False).exit_code

    assert code("min = 0.1") == 0
    assert code("min = 0.1", "min = 0.99") == 1
    assert code("min = 0.1", 'limit = "unset"') == 3
    assert code("min = 0.99", 'limit = "unset"') == 1
    audit = run(credit_subject, only=["performance.accuracy"], options=quick, progress=False)
    assert audit.exit_code == 0
    missed = replace(audit.known_answers[0], measured=float("nan"))
    assert judged(audit, known_answers=(missed,)) == 5
    assert judged(audit, evidence=()) == 3


def test_a_bundle_is_read_back_without_loss_and_any_change_is_named(credit_subject: Subject, quick: Options, tmp_path: Path) -> None:
    from audit.bundle import write_manifests

    audit = run(credit_subject, only=["performance", "privacy"], options=quick, progress=False)
    audit.save(tmp_path)
    write_manifests(tmp_path)
    again = Audit.load(tmp_path)
    assert record(again) == record(audit)
    assert (again["privacy.membership"].arrays["scores"] == audit["privacy.membership"].arrays["scores"]).all()
    target = tmp_path / "evidence" / "privacy.membership.safetensors"
    content = target.read_bytes()
    for position in (0, len(content) // 2, len(content) - 1):
        target.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        with pytest.raises(IntegrityError, match=r"privacy\.membership\.safetensors was changed"):
            Audit.load(tmp_path)
    target.unlink()
    with pytest.raises(IntegrityError, match=r"privacy\.membership\.safetensors is missing"):
        Audit.load(tmp_path)
    target.write_bytes(content)
    (tmp_path / "extra.txt").write_text("x")
    with pytest.raises(IntegrityError, match=r"extra\.txt is named in no manifest"):
        Audit.load(tmp_path)
    (tmp_path / "extra.txt").unlink()
    manifest = tmp_path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"audit.json"', '"../audit.json"'))
    with pytest.raises(IntegrityError, match="outside the bundle"):
        Audit.load(tmp_path)
