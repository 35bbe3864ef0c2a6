"""``assay keygen`` prints the public part, keeps the secret one, and never replaces a key or makes one in a pipeline."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.vault import decrypt_bytes, default_identity, default_signing_key, read_identities, read_signing_key
from audit.vault.age import scrypt

Assay = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrypt, "WRITTEN", 4)


def descriptor(content: bytes) -> str:
    """An open descriptor that holds `content`."""
    reader, writer = os.pipe()
    with open(writer, "wb") as pipe:
        pipe.write(content)
    return str(reader)


def test_an_identity_is_hybrid_and_kept_in_the_configuration_folder(assay: Assay, tmp_path: Path) -> None:
    code, out, err = assay("keygen")
    file = tmp_path / "config" / "assay" / "identity.txt"
    assert code == 0
    assert out.strip() == default_identity(create=False).recipient
    assert out.startswith("age1pq1")
    assert str(file) in err
    assert "SECRET" not in out + err
    code, out, err = assay("keygen")
    assert (code, out) == (2, "")
    assert "is there already, and a key is never replaced" in err


def test_an_identity_for_older_tools_goes_where_it_is_told(assay: Assay, tmp_path: Path) -> None:
    code, out, _ = assay("keygen", "--recipient-type", "x25519", "--output", "keys.txt")
    assert code == 0
    assert [identity.recipient for identity in read_identities(tmp_path / "keys.txt")] == [out.strip()]
    assert (tmp_path / "keys.txt").stat().st_mode & 0o777 == 0o600
    before = (tmp_path / "keys.txt").read_bytes()
    code, out, err = assay("keygen", "--output", "keys.txt")
    assert (code, out) == (2, "")
    assert "keys.txt is there already" in err
    assert (tmp_path / "keys.txt").read_bytes() == before
    code, _, err = assay("keygen", "--output", "nowhere/keys.txt")
    assert code == 2
    assert "there is no folder nowhere" in err


def test_an_identity_under_a_passphrase_is_a_file_that_age_opens(assay: Assay, tmp_path: Path) -> None:
    code, out, _ = assay("keygen", "--output", "keys.age", "--passphrase-fd", descriptor(b"a passphrase\n"))
    assert code == 0
    [identity] = read_identities(tmp_path / "keys.age", "a passphrase")
    assert identity.recipient == out.strip()
    assert identity.reveal() in decrypt_bytes((tmp_path / "keys.age").read_bytes(), passphrase="a passphrase").decode()


def test_a_signing_key_is_sealed_unless_it_is_said_otherwise(assay: Assay, tmp_path: Path) -> None:
    code, out, err = assay("keygen", "--kind", "signing", "--passphrase-fd", descriptor(b"a passphrase\r\n"))
    assert code == 0
    assert out.strip() == default_signing_key("a passphrase").public
    assert "signing-key.age" in err
    code, out, _ = assay("keygen", "--kind", "signing", "--unprotected", "--output", "signing.txt")
    assert code == 0
    assert read_signing_key(tmp_path / "signing.txt").public == out.strip()


def test_a_pseudonym_key_has_no_public_part(assay: Assay, tmp_path: Path) -> None:
    code, out, err = assay("keygen", "--kind", "pseudonym")
    assert (code, out) == (0, "")
    assert "pseudonym.key" in err
    assert len((tmp_path / "config" / "assay" / "pseudonym.key").read_bytes()) == 32


@pytest.mark.parametrize("kind", ["identity", "signing", "pseudonym"])
@pytest.mark.parametrize("output", [(), ("--output", "keys.txt"), ("--output", "-")])
def test_where_ci_is_set_no_key_is_made(
    assay: Assay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, output: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CI", "true")
    code, out, err = assay("keygen", "--kind", kind, *output)
    assert (code, out) == (2, "")
    assert "no key is made where CI is set" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--kind", "signing", "--recipient-type", "hybrid"), "--recipient-type is for identities"),
        (("--unprotected",), "--unprotected is for a signing key"),
        (("--kind", "signing", "--unprotected", "--passphrase"), "--unprotected is for a signing key without"),
        (("--kind", "pseudonym", "--passphrase"), "not kept under a passphrase"),
        (("--passphrase",), "takes no passphrase"),
        (("--kind", "signing", "--passphrase", "--passphrase-fd", "9"), "give one of the two"),
        (("--kind", "signing", "--passphrase-fd", "999"), "cannot read descriptor 999: Bad file descriptor"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_made(
    assay: Assay, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = assay("keygen", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert list(tmp_path.iterdir()) == []


def at_a_terminal(folder: Path, typed: list[bytes], *arguments: str) -> tuple[int, bytes]:
    """Run a command at a terminal of its own, typing when it asks; gives its exit code and what the terminal showed."""
    environment = {key: value for key, value in os.environ.items() if key != "CI"} | {"XDG_CONFIG_HOME": str(folder / "config")}
    program = "import sys; from audit.vault.age import scrypt; scrypt.WRITTEN = 4; from assay.__main__ import main; main()"
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-c", program, *arguments], environment)
    shown, waiting = b"", list(typed)
    while True:
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if waiting and shown.count(b": ") > len(typed) - len(waiting):
            os.write(terminal, waiting.pop(0) + b"\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


def test_a_passphrase_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    file = str(tmp_path / "signing.age")
    code, shown = at_a_terminal(tmp_path, [b"first one", b"other one"], "keygen", "--kind", "signing", "--output", file)
    assert code == 2
    assert b"the two passphrases differ" in shown
    assert not os.path.exists(file)
    code, shown = at_a_terminal(tmp_path, [b"first one", b"first one"], "keygen", "--kind", "signing", "--output", file)
    assert code == 0
    assert b"first one" not in shown
    assert read_signing_key(file, "first one").public.encode() in shown


def test_a_secret_is_not_shown_on_a_terminal_and_goes_through_a_pipe(tmp_path: Path) -> None:
    code, shown = at_a_terminal(tmp_path, [], "keygen", "--output", "-")
    assert code == 2
    assert b"a secret is not shown on a terminal" in shown
    assert b"AGE-SECRET" not in shown
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    done = subprocess.run([sys.executable, "-m", "assay", "keygen", "--output", "-"], env=environment, capture_output=True, check=True)
    (tmp_path / "keys.txt").write_bytes(done.stdout)
    [identity] = read_identities(tmp_path / "keys.txt")
    assert done.stderr.decode().strip() == identity.recipient


def test_without_a_terminal_nothing_is_asked(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "CI"} | {"XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "assay", "keygen", "--kind", "signing"],
        env=environment,
        input=b"from standard input\n" * 2,
        capture_output=True,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"this is no terminal" in done.stderr
    assert list(tmp_path.iterdir()) == []
