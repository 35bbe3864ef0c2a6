"""New recipients for a sealed file, without sealing its content anew."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from audit.vault.age import hybrid
from audit.vault.age.armor import ArmorWriter, open_form
from audit.vault.age.container import find_file_key, wrap_header
from audit.vault.age.header import read_header
from audit.vault.age.parties import Identity, Opener, Recipient
from audit.vault.age.payload import Payload
from audit.vault.age.plaintext import Plaintext
from audit.vault.age.writing import write_sealed
from audit.vault.files import resolve_openers, resolve_recipients
from audit.vault.models.opened_model import as_unseal_error
from audit.vault.models.statement_files import SEALED, statement_paths, write_statement
from audit.vault.sealed_file import open_file, open_sealed
from audit.vault.signing.dsse import parse_envelope
from audit.vault.signing.keys import SigningKey
from audit.vault.signing.predicates import Packaged
from audit.vault.signing.statement import Statement, Subject, parse_statement
from audit.vault.tensors.shards import INDEX, LONGEST, parse_index
from classifier.errors import ConfigurationError, UnsealError
from classifier.records import file_atomically, sha256_file

#: Said wherever a file is rewrapped.
NOTHING_IS_TAKEN_BACK = (
    "Whoever could open the file before can still open every copy of it that they have, and knows what was in it. "
    "With the same file key, they can also open the new one if they kept that key: seal anew with reencrypt to change it."
)


@dataclass(frozen=True)
class Rewrapped:
    """What a rewrapping did.

    Args:
        files: The files that have new recipients: the statements beside the sealed file, then itself.
        left: Statements beside it that did not open, and are as they were.
        reissued: Packages that were signed anew, about the bytes that are there now.
        outdated: Packages about the bytes that were there before: their signers have to issue them anew.
    """

    files: tuple[Path, ...]
    left: tuple[Path, ...]
    reissued: tuple[Path, ...]
    outdated: tuple[Path, ...]


def rewrap(
    path: str | Path,
    *,
    identities: Sequence[Identity | str] = (),
    passphrase: str | None = None,
    recipients: Sequence[str] = (),
    new_passphrase: str | None = None,
    reencrypt: bool = False,
    allow_classical: bool = False,
    signers: Sequence[SigningKey] = (),
) -> Rewrapped:
    """Give a sealed file other recipients, and the statements beside it too. Each file changes whole or not at all.

    The header is verified, and a new one written before the same payload, whose content is neither decrypted nor checked. Nothing
    is taken back: see `NOTHING_IS_TAKEN_BACK`.

    Args:
        path: A sealed file of any content; it stays binary or armoured as it is, and is binary after `reencrypt`. With a sealed
            index, its shards are rewrapped too.
        identities: Identities that open it, or their revealed text; by default the user's own.
        passphrase: What it is sealed under now, if it is.
        recipients: Its new recipients, in place of all that it had.
        new_passphrase: Seal it under this instead.
        reencrypt: Whether to encrypt the payload anew under a new file key, which takes a pass over it.
        allow_classical: Whether a file that is shut to quantum computers may get recipients that are not.
        signers: Packagers, whose packages of the same model and version are issued anew.

    Raises:
        UnsealError: If the header was changed or nothing fits, or with `reencrypt` anything else; the file is then as it was.
        ConfigurationError: If there is no recipient, one is none, or they would open a post-quantum file to quantum computers.
        StorageError: If a file cannot be read or written; it is then as it was.
    """
    path = Path(path)
    if not recipients and new_passphrase is None:
        raise ConfigurationError("a file is rewrapped to recipients, got none", remedy="give recipients, or a new passphrase")
    readers = resolve_recipients(recipients, new_passphrase)
    openers = resolve_openers(identities, passphrase)
    beside = statement_paths(path)
    packages = [file for file in beside if file.suffix != SEALED]
    shards = _shards(path, openers)
    done: list[Path] = []
    left: list[Path] = []
    with ExitStack() as drafts:
        # What is entered first takes its place last: a run that was killed is repeated with the same identities.
        for file in [path, *shards]:
            _rewrap(file, openers, readers, drafts, reencrypt=reencrypt, allow_classical=allow_classical)
        for file in [file for file in beside if file.suffix == SEALED]:
            try:
                _rewrap(file, openers, readers, drafts, reencrypt=True, allow_classical=allow_classical)
            except UnsealError:
                left.append(file)
            else:
                done.append(file)
    reissued = [_reissue(path, file, key) for file in packages for key in signers if key.key_id[:8] in file.name]
    return Rewrapped((*done, *shards, path), tuple(left), tuple(reissued), tuple(file for file in packages if file not in reissued))


def _shards(path: Path, openers: Sequence[Opener]) -> list[Path]:
    """The sealed shards of a sealed index; of any other file, none."""
    if not path.name.endswith(INDEX + SEALED):
        return []
    with as_unseal_error(), open_sealed(path, openers) as payload:
        return [path.with_name(name + SEALED) for name in parse_index(payload.read(LONGEST), path.name).shards()]


def _reissue(path: Path, package: Path, key: SigningKey) -> Path:
    """Sign again what a package says, about the bytes that are there now."""
    payload, _ = parse_envelope(package.read_bytes(), package.name).open([key.verifying])
    claim = parse_statement(payload, package.name).claim
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    statement = Statement((Subject(path.name, sha256_file(path)),), replace(claim, time=now), Packaged())
    return write_statement(path, statement, key, ())


def _rewrap(
    path: Path, openers: Sequence[Opener], recipients: Sequence[Recipient], drafts: ExitStack, *, reencrypt: bool, allow_classical: bool
) -> None:
    """Write the new form beside the file; it takes the place of the file when `drafts` are done."""
    with open_file(path) as file:
        form = open_form(file)
        header = read_header(form)
        if not allow_classical and all(stanza.type == hybrid.TYPE for stanza in header.stanzas):
            _require_post_quantum(path, recipients)
        file_key = find_file_key(header, openers)
        if reencrypt:
            with open_sealed(path, openers) as payload:
                draft = drafts.enter_context(file_atomically(path))
                write_sealed(Plaintext([_Content(payload)]), draft, recipients)
            return
        draft = drafts.enter_context(file_atomically(path))
        sink = draft if form is file else ArmorWriter(draft)
        sink.write(memoryview(wrap_header(file_key, recipients)))
        buffer = memoryview(bytearray(1 << 20))
        while count := form.readinto(buffer):
            sink.write(buffer[:count])
        if isinstance(sink, ArmorWriter):
            sink.close()


def _require_post_quantum(path: Path, recipients: Sequence[Recipient]) -> None:
    if not all(recipient.post_quantum for recipient in recipients):
        raise ConfigurationError(
            f"{path.name} is shut to quantum computers, and the new recipients are not",
            remedy="give hybrid recipients, age1pq1..., or say that classical ones are meant",
        )


class _Content:
    """The plaintext of a sealed file, opened by as many threads as ask for it."""

    def __init__(self, payload: Payload) -> None:
        self._payload, self._local = payload, threading.local()
        self.size = payload.size

    def read_into(self, buffer: memoryview, start: int, /) -> None:
        if not hasattr(self._local, "fill"):
            self._local.fill = self._payload.opener()
        self._local.fill(buffer, start)
