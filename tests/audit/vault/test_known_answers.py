"""The vault's known answers hold, and stop holding when the vault is broken."""

from __future__ import annotations

import pytest

from audit.vault.age import stream
from audit.vault.age.header import Header
from audit.vault.age.x25519 import X25519Identity
from audit.vault.known_answers import measure_known_answers
from classifier.seeds import Seed


def test_the_known_answers_hold() -> None:
    answers = measure_known_answers(Seed(0))
    assert len(answers) == 5
    assert all(answer.holds for answer in answers)


@pytest.mark.parametrize(
    ("place", "name", "fault", "found"),
    [
        (stream, "nonce", lambda counter, final: bytes(12), {"vault.published_vector"}),
        (Header, "verify", lambda header, file_key: None, {"vault.flipped_bytes"}),
        (X25519Identity, "unwrap", lambda identity, stanza: None, {"vault.published_vector", "vault.round_trip"}),
    ],
    ids=["chunks not numbered", "header not verified", "nothing opened"],
)
def test_a_broken_vault_is_found_out(monkeypatch: pytest.MonkeyPatch, place: object, name: str, fault: object, found: set[str]) -> None:
    monkeypatch.setattr(place, name, fault)
    assert {answer.id for answer in measure_known_answers(Seed(0)) if not answer.holds} == found
