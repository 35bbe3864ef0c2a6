"""Other implementations open what is sealed here, and the other way round; where one is not installed, the test says so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path

import pyrage
import pytest

from audit.vault import decrypt_bytes, encrypt_bytes, generate_identity, read_identities
from audit.vault.age import scrypt

CHUNK = 1 << 16
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK]


@pytest.mark.parametrize("size", SIZES)
def test_armoured_files_with_rage(size: int) -> None:
    identity, plain = generate_identity("x25519"), os.urandom(size)
    theirs = pyrage.x25519.Identity.from_str(identity.reveal())
    assert pyrage.decrypt(encrypt_bytes(plain, recipients=(identity.recipient,), armor=True), [theirs]) == plain
    assert decrypt_bytes(pyrage.encrypt(plain, [theirs.to_public()], armored=True), identities=(identity,)) == plain


def test_passphrases_to_rage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrypt, "WRITTEN", 10)
    for armor in (False, True):
        assert pyrage.passphrase.decrypt(encrypt_bytes(b"secret", passphrase="wörter", armor=armor), "wörter") == b"secret"


@pytest.mark.slow
def test_passphrases_from_rage() -> None:
    """It takes as long as it finds right on this machine, which is about a second."""
    assert decrypt_bytes(pyrage.passphrase.encrypt(b"secret", "wörter"), passphrase="wörter") == b"secret"
    assert decrypt_bytes(pyrage.passphrase.encrypt(b"secret", "wörter", armored=True), passphrase="wörter") == b"secret"


@pytest.mark.skipif(shutil.which("age") is None or shutil.which("age-keygen") is None, reason="age and age-keygen are not installed")
@pytest.mark.parametrize("armor", [False, True])
def test_files_and_identities_with_age(tmp_path: Path, armor: bool) -> None:
    subprocess.run(["age-keygen", "-o", tmp_path / "keys.txt"], check=True, capture_output=True)
    [identity] = read_identities(tmp_path / "keys.txt")
    for size in SIZES:
        plain = os.urandom(size)
        ours = encrypt_bytes(plain, recipients=(identity.recipient,), armor=armor)
        opened = subprocess.run(["age", "-d", "-i", tmp_path / "keys.txt"], input=ours, check=True, capture_output=True).stdout
        assert opened == plain
        form = ["-a"] if armor else []
        theirs = subprocess.run(["age", "-r", identity.recipient, *form], input=plain, check=True, capture_output=True).stdout
        assert decrypt_bytes(theirs, identities=(identity,)) == plain


TYPAGE = """
const age = await import(require.resolve("age-encryption"));
const bytes = text => Uint8Array.from(Buffer.from(text, "base64"));
const text = bytes => Buffer.from(bytes).toString("base64");
const task = JSON.parse(require("fs").readFileSync(0, "utf8"));
const opened = [], sealed = [];
for (const [file, armored] of task.files) {
  const reader = new age.Decrypter();
  reader.addIdentity(task.identity);
  opened.push(text(await reader.decrypt(armored ? age.armor.decode(Buffer.from(file, "base64").toString()) : bytes(file))));
}
for (const plain of task.plain) {
  const writer = new age.Encrypter();
  writer.addRecipient(task.recipient);
  const file = await writer.encrypt(bytes(plain));
  sealed.push(text(file), text(Buffer.from(age.armor.encode(file))));
}
const made = await age.generateHybridIdentity();
const words = new age.Encrypter();
words.setPassphrase("wörter");
words.setScryptWorkFactor(10);
const recipient = await age.identityToRecipient(task.identity);
const passphrase = text(await words.encrypt("secret"));
console.log(JSON.stringify({opened, sealed, recipient, passphrase, made: [made, await age.identityToRecipient(made)]}));
"""


def _typage_is_missing() -> bool:
    if shutil.which("node") is None:
        return True
    return subprocess.run(["node", "-e", 'require.resolve("age-encryption")'], capture_output=True, check=False).returncode != 0


@pytest.mark.skipif(_typage_is_missing(), reason="Node or its package age-encryption is not installed")
def test_hybrid_files_and_identities_with_typage() -> None:
    identity = generate_identity()
    plains = [os.urandom(size) for size in SIZES]
    files = [
        (b64encode(encrypt_bytes(plain, recipients=(identity.recipient,), armor=armor)).decode(), armor)
        for plain in plains
        for armor in (False, True)
    ]
    task = {
        "identity": identity.reveal(),
        "recipient": identity.recipient,
        "files": files,
        "plain": [b64encode(plain).decode() for plain in plains],
    }
    script = f"(async () => {{{TYPAGE}}})().catch(error => {{ console.error(error); process.exit(1) }})"
    answer = json.loads(subprocess.run(["node", "-e", script], input=json.dumps(task).encode(), check=True, capture_output=True).stdout)
    twice = [plain for plain in plains for _ in (False, True)]
    assert [b64decode(opened) for opened in answer["opened"]] == twice
    assert [decrypt_bytes(b64decode(sealed), identities=(identity,)) for sealed in answer["sealed"]] == twice
    assert answer["recipient"] == identity.recipient
    assert decrypt_bytes(b64decode(answer["passphrase"]), passphrase="wörter") == b"secret"
    secret, recipient = answer["made"]
    assert decrypt_bytes(encrypt_bytes(b"secret", recipients=(recipient,)), identities=(secret,)) == b"secret"
