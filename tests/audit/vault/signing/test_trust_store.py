"""A trust store says what it means, or is refused with its file and line."""

from __future__ import annotations

import datetime
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.vault.age import bech32
from audit.vault.signing.keys import SigningKey
from audit.vault.signing.predicates import ROLES
from audit.vault.signing.trust_store import ModelRule, TrustStore
from classifier.errors import ConfigurationError, StorageError

FUZZ = pytest.mark.parametrize("examples", [500, pytest.param(10_000, marks=pytest.mark.slow)])


@pytest.fixture
def text(alice: SigningKey, bob: SigningKey) -> str:
    """A store that uses everything there is."""
    return f"""# whose word counts
[trust]
required_roles = ["trainer"]

[[signer]]
name = "Alice"
public = "{alice.public}"
roles = ["trainer", "releaser"]
valid_from = 2026-01-01
valid_until = 2026-12-31

[[signer]]
name = "Bob 鲍勃"
public = "{bob.public}"
roles = ["auditor"]
revoked = 2026-03-01

[[model]]
id = "credit"
minimum_version = 3
required_roles = ["auditor"]
"""


def test_a_store_is_read_as_it_is_written(tmp_path: Path, text: str, alice: SigningKey, bob: SigningKey) -> None:
    path = tmp_path / "trust.toml"
    path.write_text(text, encoding="utf-8")
    store = TrustStore.read(path)
    first, second = store.signers
    assert (first.name, first.key, first.roles) == ("Alice", alice.verifying, ("trainer", "releaser"))
    assert (first.valid_from, first.valid_until, first.revoked) == (datetime.date(2026, 1, 1), datetime.date(2026, 12, 31), None)
    assert (second.name, second.key, second.roles, second.revoked) == ("Bob 鲍勃", bob.verifying, ("auditor",), "2026-03-01")
    assert store.digest == sha256(path.read_bytes()).hexdigest()


def test_what_is_required_of_one_model_comes_on_top_of_what_is_required_of_all(text: str) -> None:
    store = TrustStore.parse(text.encode(), "it")
    assert store.rule("credit") == ModelRule(3, ("trainer", "auditor"))
    assert store.rule("another") == ModelRule(1, ("trainer",))


def test_public_keys_alone_make_a_store_that_takes_their_word_for_everything(alice: SigningKey, bob: SigningKey) -> None:
    store = TrustStore.of([alice.public, bob.public])
    assert [(signer.name, signer.key, signer.roles) for signer in store.signers] == [
        (alice.key_id, alice.verifying, ROLES),
        (bob.key_id, bob.verifying, ROLES),
    ]
    assert store.rule("any") == ModelRule(1, ())
    assert store.digest == TrustStore.of([bob.public, alice.public]).digest != TrustStore.of([alice.public]).digest
    for keys, problem in (([], "nobody is trusted"), ([alice.public] * 2, "has a key of"), (alice.public, "must be a list")):
        with pytest.raises(ConfigurationError, match=problem):
            TrustStore.of(keys)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[trust]", "[trust", r"it is not TOML: .*line 2"),
        ("[trust]", "[trusted]", r"unknown key 'trusted'; did you mean 'trust'"),
        ('name = "Alice"', 'nmae = "Alice"', r"line 5: .*'signer.0.name' is missing|line 6: unknown key"),
        ('roles = ["auditor"]', 'roles = ["auditer"]', r"line 15: 'signer.1.roles.0' input should be 'trainer', 'auditor'"),
        ('roles = ["auditor"]', "roles = []", r"line 15: 'signer.1.roles'"),
        ('\nroles = ["auditor"]', '\nroles = ["releaser"]', r"it requires the role 'auditor', and no signer has it"),
        ("valid_from = 2026-01-01", "valid_from = 2027-01-01", r"line 7: 'Alice' is valid from 2027-01-01"),
        ("valid_from = 2026-01-01", "valid_from = 2026-01-01T10:00:00Z", r"line 9: 'signer.0.valid_from'"),
        ("valid_until = 2026-12-31", "valid_until = 1798675200", r"line 10: 'signer.0.valid_until'"),
        ("valid_until = 2026-12-31", 'valid_until = "2026-12-31"', r"line 10: 'signer.0.valid_until'"),
        ("revoked = 2026-03-01", "revoked = true", r"line 16: 'signer.1.revoked"),
        ("revoked = 2026-03-01", 'revoked = ""', r"line 16: 'signer.1.revoked"),
        ("revoked = 2026-03-01", "revokd = 2026-03-01", r"line 16: unknown key 'signer.1.revokd'; did you mean 'revoked'"),
        ("minimum_version = 3", "minimum_version = 0", r"line 20: 'model.0.minimum_version'"),
        ("minimum_version = 3", 'minimum_version = "3"', r"line 20: 'model.0.minimum_version'"),
        ("minimum_version = 3", "minimum_version = 3.0", r"line 20: 'model.0.minimum_version'"),
        ("minimum_version = 3", "minimum_version = true", r"line 20: 'model.0.minimum_version'"),
        ('name = "Bob 鲍勃"', 'name = "ALICE"', r"line 14: the signer 'ALICE' stands twice"),
        ('name = "Bob 鲍勃"', 'name = "Bob\\u202e"', r"line 14: a signer's name must be 1 to 256 printable characters"),
        ('id = "credit"', 'id = "credit\\n"', r"line 19: the model id must be 1 to 256 printable characters"),
        ('id = "credit"', 'id = "credit"\n[[model]]\nid = "credit"', r"line 21: the model 'credit' stands twice"),
    ],
)
def test_a_store_that_does_not_fit_is_refused_with_its_line(text: str, old: str, new: str, problem: str) -> None:
    assert old in text
    with pytest.raises(ConfigurationError, match=problem):
        TrustStore.parse(text.replace(old, new).encode(), "it")


def test_two_signers_share_no_key_nor_half_of_one(text: str, alice: SigningKey, bob: SigningKey) -> None:
    for key in (alice.public, *(bech32.encode("assaysigner", half) for half in _mixtures(alice, bob))):
        with pytest.raises(ConfigurationError, match="line 14: 'Bob 鲍勃' has a key of 'Alice'"):
            TrustStore.parse(text.replace(bob.public, key).encode(), "it")


def _mixtures(alice: SigningKey, bob: SigningKey) -> list[bytes]:
    (alice_ed, alice_ml), (bob_ed, bob_ml) = alice.verifying.halves, bob.verifying.halves
    return [alice_ed + bob_ml, bob_ed + alice_ml]


def test_a_secret_that_stands_there_by_mistake_is_told_and_not_repeated(text: str, alice: SigningKey) -> None:
    with pytest.raises(ConfigurationError, match="line 7: the public key is a secret signing key") as caught:
        TrustStore.parse(text.replace(alice.public, alice.reveal()).encode(), "it")
    assert alice.reveal()[20:60] not in str(caught.value)
    with pytest.raises(ConfigurationError, match="line 7: the public key cannot be read"):
        TrustStore.parse(text.replace(alice.public, alice.public[:-1]).encode(), "it")


@pytest.mark.parametrize("content", [b"", b"[trust]\n", b"signer = []\n", b"signer = 1\n", b"\xff", b"\0"])
def test_a_store_without_signers_is_none(content: bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"^it"):
        TrustStore.parse(content, "it")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no trust store .*trust\.toml"):
        TrustStore.read(tmp_path / "trust.toml")
    with pytest.raises(StorageError, match="cannot read the trust store"):
        TrustStore.read(tmp_path)
    (tmp_path / "long.toml").write_bytes(b"#" * ((4 << 20) + 1))
    with pytest.raises(ConfigurationError, match="is longer than"):
        TrustStore.read(tmp_path / "long.toml")


@FUZZ
def test_whatever_is_read_is_a_store_or_is_refused(alice: SigningKey, examples: int) -> None:
    lines = ["[trust]", "[[signer]]", "[[model]]", 'name = "A"', f'public = "{alice.public}"', 'roles = ["trainer"]', 'id = "m"']
    lines += ["minimum_version = 2", 'required_roles = ["trainer"]', "revoked = 1", "valid_from = 2026-01-01", "[x]", "= 1", '"']

    @settings(max_examples=examples, deadline=None)
    @given(st.binary(max_size=60) | st.lists(st.sampled_from(lines), max_size=8).map(lambda chosen: "\n".join(chosen).encode()))
    def law(content: bytes) -> None:
        try:
            store = TrustStore.parse(content, "it")
        except ConfigurationError:
            return
        assert len(store.signers) == 1
        assert store.digest == sha256(content).hexdigest()

    law()
