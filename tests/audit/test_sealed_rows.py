"""What an audit of sealed data keeps of single rows is sealed: in the bundle and beside it, and the record is the same."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from audit import Audit, Evidence, Subject, run
from audit.bundle import verify_bundle, write_manifests
from audit.evidence import Figure, Series, Table
from audit.performance.checks.accuracy import Accuracy
from audit.performance.checks.decision import Decision
from audit.sealed_rows import NOTE, SealedRows, with_single, without_single, write_single
from audit.vault import Identity, decrypt_bytes, encrypt_bytes, generate_identity
from classifier.errors import IntegrityError, UnsealError
from classifier.records import as_record, canonical_json
from classifier.seeds import Seed

CHECKS = ["performance.accuracy", "performance.decision"]
ME, OTHER = generate_identity("x25519"), generate_identity("x25519")


def sealed_to(me: Identity) -> SealedRows:
    return SealedRows((me.recipient,), partial(encrypt_bytes, recipients=[me.recipient]), partial(decrypt_bytes, identities=[me]))


MINE = sealed_to(ME)
# A pipeline that seals to others alone.
SHUT = replace(MINE, decrypt=None)


def record(audit: Audit) -> bytes:
    return canonical_json(as_record(replace(audit, evidence=tuple(replace(e, arrays={}) for e in audit.evidence))))


def audited(subject: Subject, workspace: Path | None, rows: SealedRows | None) -> Audit:
    options = {"performance.accuracy": {"resamples": 50}}
    return run(subject, only=CHECKS, options=options, progress=False, workspace=workspace, rows=rows)


@pytest.fixture(scope="module")
def known(credit_subject: Subject) -> Audit:
    return audited(credit_subject, None, None)


@pytest.mark.parametrize("rows", [MINE, SHUT], ids=["openable", "shut"])
def test_no_array_of_rows_lies_in_the_clear_and_the_bundle_verifies(
    credit_subject: Subject, known: Audit, tmp_path: Path, rows: SealedRows
) -> None:
    audit = audited(credit_subject, tmp_path, rows)
    audit.save(tmp_path, rows=rows)
    (tmp_path / "plan.json").unlink()
    write_manifests(tmp_path)
    assert [path.name for path in (tmp_path / "evidence").glob("*.safetensors*")] == ["performance.accuracy.safetensors.age"]
    scores = known["performance.accuracy"].arrays["probabilities"].tobytes()[:64]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and scores in path.read_bytes()]
    assert "evidence/performance.accuracy.safetensors.age" in verify_bundle(tmp_path).files
    opened, shut = Audit.load(tmp_path, decrypt=MINE.decrypt), Audit.load(tmp_path)
    assert record(opened) == record(known)
    assert record(shut) == record(known.without_single())
    assert shut["performance.accuracy"].notes[-1] == NOTE
    for name, array in known["performance.accuracy"].arrays.items():
        assert np.array_equal(opened["performance.accuracy"].arrays[name], array)
    assert shut["performance.accuracy"].arrays == {}
    with pytest.raises(UnsealError):
        Audit.load(tmp_path, decrypt=sealed_to(OTHER).decrypt)
    sealed = tmp_path / "evidence" / "performance.accuracy.safetensors.age"
    sealed.write_bytes(sealed.read_bytes()[:-1])
    with pytest.raises(IntegrityError):
        Audit.load(tmp_path, decrypt=MINE.decrypt)


@pytest.mark.parametrize(("rows", "again"), [(MINE, 1), (SHUT, 2)], ids=["openable", "shut"])
def test_a_stopped_audit_goes_on_to_the_same_record_with_what_it_can_open(
    credit_subject: Subject, known: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: SealedRows, again: int
) -> None:
    measured: list[str] = []
    measure = Accuracy.measure

    def tell(self: Accuracy, subject: Subject, seed: Seed) -> Evidence:
        measured.append(self.id)
        return measure(self, subject, seed)

    monkeypatch.setattr(Accuracy, "measure", tell)

    def stop(self: Decision, subject: Subject, seed: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Decision, "measure", stop)
        audited(credit_subject, tmp_path, rows).save(tmp_path, rows=rows)
    assert record(audited(credit_subject, tmp_path, rows)) == record(known)
    assert len(measured) == again


def test_tables_and_figures_of_single_cases_are_taken_out_and_come_back() -> None:
    one = Table("example", ("feature", "before"), (("income", "54,321"),), single=True)
    many = Table("parts", ("part", "rows"), (("test", 9),))
    picture = Figure("decision", "waterfall", (Series("contributions", (0.0,), (1.0,)),), labels=("income = 54,321",), single=True)
    whole = Evidence("robustness.attack", tables=(many, one), figures=(picture,), notes=("robustness.some",), arrays={"ids": np.arange(3)})
    public = without_single(whole)
    assert b"54,321" not in canonical_json(as_record(public))
    assert (public.tables, public.figures, public.notes) == ((many,), (), ("robustness.some", NOTE))
    again = with_single(public, write_single(whole))
    assert replace(again, arrays={}) == replace(whole, arrays={})
    assert np.array_equal(again.arrays["ids"], np.arange(3))
    assert without_single(public) is public
    for content in (b"", b"garbage", write_single(whole)[:-1]):
        with pytest.raises(IntegrityError):
            with_single(public, content)


def test_evidence_that_was_sealed_to_others_is_not_kept(credit_subject: Subject, tmp_path: Path) -> None:
    audited(credit_subject, tmp_path, sealed_to(OTHER))
    first = (tmp_path / "evidence" / "performance.accuracy.safetensors.age").read_bytes()
    audited(credit_subject, tmp_path, MINE)
    empty = Evidence("performance.accuracy")
    assert MINE.open((tmp_path / "evidence" / "performance.accuracy.safetensors.age").read_bytes(), empty) is not None
    assert MINE.open(first, empty) is None
    audited(credit_subject, tmp_path, None)
    assert [path.name for path in (tmp_path / "evidence").glob("*.safetensors*")] == ["performance.accuracy.safetensors"]
