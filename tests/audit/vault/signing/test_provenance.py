"""A statement counts only from one who may make it, about what it is about, and now: every forgery is an attempt at less."""

from __future__ import annotations

import datetime
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit.vault.signing.dsse import sign_envelope
from audit.vault.signing.keys import SigningKey, generate_signing_key
from audit.vault.signing.predicates import Audited, Packaged, Predicate, Released, Role, Trained
from audit.vault.signing.provenance import MOST_ENVELOPES, Provenance, remember_version, require_provenance
from audit.vault.signing.seen import SeenVersions
from audit.vault.signing.trust_store import ModelRule, Signer, TrustStore
from classifier.errors import IntegrityError, StorageError

Sign = Callable[..., bytes]
Require = Callable[..., Provenance]
DAY = datetime.timedelta(days=1)
FILE = "cd" * 32
SEALED = {"credit.age": FILE}
TRAINED, AUDITED = Trained("ef" * 32), Audited("ef" * 32, ("RULE",))


def store(*signers: Signer, required: tuple[Role, ...] = (), minimum: int = 1) -> TrustStore:
    return TrustStore(signers, required, {"credit": ModelRule(minimum)}, "00" * 32, "trust.toml")


@pytest.fixture
def require(now: datetime.datetime, root: str) -> Require:
    """Require provenance of the model; what is not said is as it should be."""

    def required(trusted: TrustStore, *envelopes: bytes, **changes: Any) -> Provenance:
        named = [(f"statement {i}", envelope) for i, envelope in enumerate(envelopes)]
        given = {"subject_sha256": root, "model_id": "credit", "seen": None, "now": now} | changes
        return require_provenance(trusted, named, **given)

    return required


@pytest.fixture
def trainer(alice: SigningKey) -> Signer:
    return Signer("Alice", alice.verifying, ("trainer",), datetime.date(2026, 1, 1), datetime.date(2026, 12, 31))


@pytest.fixture
def auditor(bob: SigningKey) -> Signer:
    return Signer("Bob", bob.verifying, ("auditor",))


def test_statements_accumulate_and_say_who_said_what(
    require: Require, sign: Sign, alice: SigningKey, bob: SigningKey, trainer: Signer, auditor: Signer, now: datetime.datetime
) -> None:
    trusted = store(trainer, auditor, required=("trainer", "auditor"), minimum=3)
    found = require(trusted, sign(alice, TRAINED), sign(bob, AUDITED))
    assert (found.model, found.version, found.ignored, found.notes, found.trust) == ("credit", 3, (), (), trusted.digest)
    assert [(v.name, v.signer, v.key_id, v.statement.role, v.statement.claim.time) for v in found.statements] == [
        ("statement 0", "Alice", alice.key_id, "trainer", now),
        ("statement 1", "Bob", bob.key_id, "auditor", now),
    ]


def test_what_is_missing_is_named_with_the_reason_and_the_remedy(
    require: Require, sign: Sign, alice: SigningKey, trainer: Signer, auditor: Signer
) -> None:
    trusted = store(trainer, auditor, required=("trainer", "auditor"))
    with pytest.raises(IntegrityError, match="lacks the word of the auditor: statement 1 is a statement of the role 'auditor'") as caught:
        require(trusted, sign(alice, TRAINED), sign(alice, AUDITED))
    assert "'Alice' may speak as trainer only" in caught.value.problem
    assert "add its signer to trust.toml" in caught.value.remedy
    with pytest.raises(IntegrityError, match="nobody whose word is taken, and there are no statements"):
        require(store(trainer))


def test_a_signature_that_was_stripped_or_swapped_counts_for_nothing(
    require: Require, sign: Sign, alice: SigningKey, bob: SigningKey, trainer: Signer, auditor: Signer
) -> None:
    one, other = json.loads(sign(alice, TRAINED)), json.loads(sign(bob, TRAINED))
    forgeries = [{**one, "signatures": one["signatures"][:1]}, {**one, "signatures": one["signatures"][1:]}]
    for first, second in ((one, other), (other, one)):
        forgeries.append({**one, "signatures": [first["signatures"][0], second["signatures"][1]]})
    for signature in (0, 1):
        ids = json.loads(json.dumps(one))
        ids["signatures"][signature]["sig"] = other["signatures"][signature]["sig"]
        forgeries.append(ids)
    forgeries.append({**one, "payload": b64encode(json.dumps(json.loads(_payload(one))).encode()).decode()})
    forgeries.append({**one, "payloadType": "application/json"})
    for forgery in forgeries:
        with pytest.raises(IntegrityError, match="nobody whose word is taken: statement 0 "):
            require(store(trainer, replace(auditor, roles=("trainer",))), json.dumps(forgery).encode())


def _payload(envelope: dict[str, str]) -> str:
    return b64decode(envelope["payload"]).decode()


@pytest.mark.parametrize("predicate", [TRAINED, AUDITED, Released(), Packaged()], ids=lambda predicate: predicate.role)
@pytest.mark.parametrize("role", ["trainer", "auditor", "releaser", "packager"])
def test_each_role_may_make_its_own_statement_and_no_other(
    require: Require, sign: Sign, alice: SigningKey, predicate: Predicate, role: Role
) -> None:
    # The releaser's statement beside it vouches for the model, as a package alone does not.
    releaser = generate_signing_key()
    trusted = store(Signer("Alice", alice.verifying, (role,)), Signer("R", releaser.verifying, ("releaser",)))
    about = {"name": "credit.age", "sha256": FILE} if isinstance(predicate, Packaged) else {}
    found = require(trusted, sign(alice, predicate, **about), sign(releaser), sealed=SEALED)
    assert ("Alice" in {v.signer for v in found.statements}) == (role == predicate.role)


def test_a_statement_about_another_model_or_other_weights_counts_for_nothing(
    require: Require, sign: Sign, alice: SigningKey, trainer: Signer
) -> None:
    with pytest.raises(IntegrityError, match="is about the model 'another', expected is 'credit'"):
        require(store(trainer), sign(alice, TRAINED, model="another"))
    with pytest.raises(IntegrityError, match="statement 0 is about something else"):
        require(store(trainer), sign(alice, TRAINED, sha256="cd" * 32))
    assert require(store(trainer), sign(alice, TRAINED, model="another"), model_id=None).model == "another"


def test_a_package_is_about_the_file_and_says_nothing_of_what_is_in_it(
    require: Require, sign: Sign, alice: SigningKey, bob: SigningKey, trainer: Signer, root: str
) -> None:
    packager = Signer("Bob", bob.verifying, ("packager",))
    package = sign(bob, Packaged(), name="credit.age", sha256=FILE)
    trusted = store(trainer, packager, required=("packager",))
    assert len(require(trusted, sign(alice, TRAINED), package, sealed=SEALED).statements) == 2
    for sealed in (None, {"credit.age": "12" * 32}, {**SEALED, "shard.age": FILE}, {"fraud.age": FILE}):
        with pytest.raises(IntegrityError, match="lacks the word of the packager"):
            require(trusted, sign(alice, TRAINED), package, sealed=sealed)
    # A packager who names the root speaks of other bytes than those of the file; and by themself they vouch for no model.
    for alone in (package, sign(bob, Packaged(), sha256=root)):
        with pytest.raises(IntegrityError, match="nobody whose word is taken"):
            require(store(packager), alone, sealed=SEALED)
    with pytest.raises(IntegrityError, match="about something else"):
        require(store(trainer), sign(alice, TRAINED, sha256=FILE), sealed=SEALED)


def test_an_audit_that_found_a_rule_violated_vouches_for_no_model_and_is_told(
    require: Require, sign: Sign, alice: SigningKey, bob: SigningKey, trainer: Signer
) -> None:
    auditor = Signer("Bob", bob.verifying, ("auditor",))
    failed = sign(bob, Audited("ef" * 32, failed=("RULE",)))
    for trusted in (store(auditor), store(auditor, required=("auditor",))):
        with pytest.raises(IntegrityError, match=r"nobody whose word is taken.*found rules violated"):
            require(trusted, failed)
    assert {v.statement.role for v in require(store(trainer, auditor), failed, sign(alice, TRAINED)).statements} == {"auditor", "trainer"}
    # Of a bundle it is the audit that is asked for.
    assert require(store(auditor), failed, required_roles=("auditor",)).version == 3


def test_a_revoked_signer_counts_for_nothing_whatever_time_is_claimed(
    require: Require, sign: Sign, alice: SigningKey, trainer: Signer, now: datetime.datetime
) -> None:
    for revoked in ("2026-06-01", "2030-01-01", "the key was lost"):
        for time in (now, now - 100 * DAY):
            with pytest.raises(IntegrityError, match=rf"is signed by 'Alice', whose key was revoked \({revoked}\)"):
                require(store(replace(trainer, revoked=revoked)), sign(alice, TRAINED, time=time))


@pytest.mark.parametrize(
    ("time", "counts"),
    [
        ("2025-12-31T23:59:59Z", False),
        ("2026-01-01T00:00:00Z", True),
        ("2026-06-16T12:00:00Z", True),
        ("2026-06-16T12:00:01Z", False),
        ("2027-01-01T00:00:00Z", False),
    ],
)
def test_the_time_claimed_lies_in_the_validity_and_not_ahead(
    require: Require, sign: Sign, alice: SigningKey, trainer: Signer, time: str, counts: bool
) -> None:
    envelope = sign(alice, TRAINED, time=datetime.datetime.fromisoformat(time))
    if counts:
        assert require(store(trainer), envelope).statements
    else:
        with pytest.raises(IntegrityError, match=r"claims to be of 20.*(valid from 2026-01-01 to 2026-12-31|yet to come)"):
            require(store(trainer), envelope)


def test_the_last_day_of_a_validity_counts_to_its_end(require: Require, sign: Sign, alice: SigningKey, trainer: Signer) -> None:
    until = datetime.date(2026, 6, 14)
    last = datetime.datetime(2026, 6, 14, 23, 59, 59, tzinfo=datetime.UTC)
    for time, valid in ((last, True), (last + datetime.timedelta(seconds=1), False)):
        try:
            require(store(replace(trainer, valid_until=until)), sign(alice, TRAINED, time=time))
        except IntegrityError:
            assert not valid
        else:
            assert valid


def test_an_old_version_is_refused_by_the_store_and_by_memory(
    require: Require, sign: Sign, alice: SigningKey, trainer: Signer, tmp_path: Path
) -> None:
    with pytest.raises(IntegrityError, match=r"'credit' is version 3, and trust\.toml requires 4 or later"):
        require(store(trainer, minimum=4), sign(alice, TRAINED))
    seen = SeenVersions(tmp_path)
    newer = require(store(trainer), sign(alice, TRAINED, version=5), seen=seen)
    # What was not verified to its end raises nothing: anyone could otherwise lock out the true one.
    assert seen.highest("credit") == 0
    assert remember_version(newer, seen) == newer
    with pytest.raises(IntegrityError, match=r"'credit' is version 3, and version 5 was seen before"):
        require(store(trainer), sign(alice, TRAINED), seen=seen)
    assert require(store(trainer), sign(alice, TRAINED, version=5), seen=seen).version == 5


def test_a_memory_that_fails_is_told_and_shuts_nothing(
    require: Require, sign: Sign, alice: SigningKey, trainer: Signer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    seen = SeenVersions(tmp_path / "file")
    with pytest.raises(StorageError):
        seen.highest("credit")
    found = require(store(trainer), sign(alice, TRAINED), seen=seen)
    assert "cannot read the versions seen" in found.notes[0]
    assert "cannot keep the versions seen" in remember_version(found, seen).notes[1]
    assert remember_version(found, None) == found


@pytest.mark.parametrize("change", [{"version": 2}, {"model": "another"}])
def test_statements_that_count_and_disagree_are_refused(
    require: Require, sign: Sign, alice: SigningKey, bob: SigningKey, trainer: Signer, auditor: Signer, change: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError, match="the statements disagree: statement 0 says 'credit' version 3; statement 1 says"):
        require(store(trainer, auditor), sign(alice, TRAINED), sign(bob, AUDITED, **change), model_id=None)


def test_what_somebody_adds_neither_opens_nor_shuts_anything_and_is_told(
    require: Require, sign: Sign, alice: SigningKey, bob: SigningKey, trainer: Signer, auditor: Signer
) -> None:
    stranger = generate_signing_key()
    true = [sign(alice, TRAINED)]
    added = [
        b"",
        b"{}",
        sign(stranger, AUDITED),
        sign(bob, AUDITED),
        sign(alice, TRAINED, version=9, sha256=FILE),
        sign_envelope(b"{}", alice),
    ]
    trusted = store(trainer, replace(auditor, revoked="lost"))
    found = require(trusted, *added, *true)
    assert [v.name for v in found.statements] == ["statement 6"]
    assert len(found.ignored) == len(added)
    assert all(f"statement {i} " in reason for i, reason in enumerate(found.ignored))
    assert any("whose key was revoked (lost)" in reason for reason in found.ignored)
    with pytest.raises(IntegrityError, match="nobody whose word is taken"):
        require(trusted, *added)


def test_more_statements_than_anyone_makes_are_refused_before_any_is_read(require: Require, trainer: Signer) -> None:
    with pytest.raises(IntegrityError, match=f"there are {MOST_ENVELOPES + 1} statements"):
        require(store(trainer), *[b""] * (MOST_ENVELOPES + 1))


def test_a_file_s_name_does_not_steer_the_terminal(trainer: Signer, now: datetime.datetime, root: str) -> None:
    named: Sequence[tuple[str, bytes]] = [("a\x1b[2J\n.dsse.json", b"")]
    with pytest.raises(IntegrityError) as caught:
        require_provenance(store(trainer), named, subject_sha256=root, model_id=None, seen=None, now=now)
    assert str(caught.value).isprintable()


def test_the_caller_may_require_other_roles_than_the_store(
    require: Require, sign: Sign, alice: SigningKey, trainer: Signer, auditor: Signer
) -> None:
    trusted = store(trainer, auditor, required=("auditor",))
    assert require(trusted, sign(alice, TRAINED), required_roles=("trainer",)).statements
    with pytest.raises(IntegrityError, match="lacks the word of the releaser"):
        require(trusted, sign(alice, TRAINED), required_roles=("trainer", "releaser"))
