"""The vault's known answers hold, and stop holding when the vault is broken."""

from __future__ import annotations

import pytest

from audit.vault.age import armor, hybrid, scrypt, stream
from audit.vault.age.header import Header
from audit.vault.age.hybrid import HybridIdentity
from audit.vault.age.x25519 import X25519Identity
from audit.vault.known_answers import measure_known_answers
from classifier.seeds import Seed

PUBLISHED = {"vault.published_vector", "vault.published_hybrid", "vault.published_passphrase"}


def test_the_known_answers_hold() -> None:
    answers = measure_known_answers(Seed(0))
    assert len(answers) == 8
    assert all(answer.holds for answer in answers)


@pytest.mark.parametrize(
    ("place", "name", "fault", "found"),
    [
        (stream, "nonce", lambda counter, final: bytes(12), PUBLISHED),
        (Header, "verify", lambda header, file_key: None, {"vault.flipped_bytes"}),
        (X25519Identity, "unwrap", lambda identity, stanza: None, {"vault.published_vector"}),
        (HybridIdentity, "unwrap", lambda identity, stanza: None, {"vault.published_hybrid", "vault.round_trip"}),
        (hybrid, "INFO", b"another label", {"vault.published_hybrid"}),
        (scrypt, "LABEL", b"another label", {"vault.published_passphrase"}),
        (armor.ArmorReader, "readinto", lambda reader, buffer: 0, PUBLISHED - {"vault.published_vector"} | {"vault.round_trip"}),
    ],
    ids=[
        "chunks not numbered",
        "header not verified",
        "nothing opened",
        "nothing hybrid opened",
        "another suite",
        "another salt",
        "no text",
    ],
)
def test_a_broken_vault_is_found_out(monkeypatch: pytest.MonkeyPatch, place: object, name: str, fault: object, found: set[str]) -> None:
    monkeypatch.setattr(place, name, fault)
    assert {answer.id for answer in measure_known_answers(Seed(0)) if not answer.holds} == found
