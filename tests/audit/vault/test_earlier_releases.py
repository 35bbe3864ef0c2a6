"""What earlier releases sealed and signed stays readable."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.vault import ALLOW_UNSIGNED, TrustStore, decrypt_bytes, open_tensors, read_identities, unseal
from audit.vault.signing.trust_store import Signer
from classifier.errors import UnsealError

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize("release", ["vault-v1", "vault-v2"])
def test_a_model_and_a_file_open_to_what_was_sealed(release: str) -> None:
    folder = GOLDEN / release
    identities = read_identities(folder / "identity.txt")
    opened = unseal(folder / "model.safetensors.age", identities=identities, trusted=ALLOW_UNSIGNED)
    assert opened.digest == (folder / "digest.txt").read_text().strip()
    assert decrypt_bytes((folder / "data.csv.age").read_bytes(), identities=identities) == (folder / "data.csv").read_bytes()


def test_what_was_signed_verifies() -> None:
    folder = GOLDEN / "vault-v2"
    identities = read_identities(folder / "identity.txt")
    store = TrustStore.of([(folder / "signer.txt").read_text().strip()])
    (signer,) = store.signers
    strict = TrustStore((Signer("golden", signer.key),), ("trainer", "releaser", "packager"), {}, store.digest, "trust.toml")
    for trusted in (store, strict):
        lazy = open_tensors(folder / "model.safetensors.age", identities=identities, trusted=trusted)
        assert lazy.provenance is not None
        assert (lazy.provenance.model, lazy.provenance.version) == ("model", 2)
        assert len(dict(lazy)) == len(lazy)


def test_what_was_not_signed_does_not_pass_for_signed() -> None:
    folder = GOLDEN / "vault-v1"
    signer = (GOLDEN / "vault-v2" / "signer.txt").read_text().strip()
    identities = read_identities(folder / "identity.txt")
    with pytest.raises(UnsealError, match="without digests"):
        unseal(folder / "model.safetensors.age", identities=identities, trusted=[signer])
