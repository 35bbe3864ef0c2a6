"""New recipients for a sealed file, without sealing its content anew."""

from __future__ import annotations

import datetime
import os
import stat
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from io import BufferedReader
from pathlib import Path

from audit.vault.age.armor import ArmorWriter, open_form
from audit.vault.age.container import find_file_key, wrap_header
from audit.vault.age.header import read_header
from audit.vault.age.parties import Identity, Opener, Recipient
from audit.vault.age.payload import Payload
from audit.vault.age.plaintext import Plaintext
from audit.vault.age.scrypt import READ
from audit.vault.age.writing import write_sealed
from audit.vault.files import resolve_openers, resolve_recipients
from audit.vault.inspection import POST_QUANTUM
from audit.vault.models.file_set import files_atomically, finish_files
from audit.vault.models.opened_model import as_unseal_error
from audit.vault.models.regular_files import open_regular
from audit.vault.models.statement_files import SEALED, draft_statement, read_statement, remove_earlier, statement_paths
from audit.vault.sealed_file import open_sealed
from audit.vault.signing.dsse import parse_envelope
from audit.vault.signing.keys import SigningKey
from audit.vault.signing.predicates import Packaged
from audit.vault.signing.statement import Statement, Subject, parse_statement
from audit.vault.tensors.shards import INDEX, LONGEST, parse_index
from classifier.errors import ConfigurationError, IntegrityError, StorageError, UnsealError
from classifier.records import file_atomically

#: Said wherever a file is rewrapped.
NOTHING_IS_TAKEN_BACK = "Whoever could open the file before can still open every copy of it that they have, and knows what was in it."
#: Said where the payload stays as it is.
SAME_FILE_KEY = "The file key is the same: who kept it can open the new file too. Encrypting it anew (--reencrypt) changes the key."


@dataclass(frozen=True)
class Rewrapped:
    """What a rewrapping did.

    Args:
        files: The files that have new recipients: the statements beside the sealed file, then itself.
        left: Statements beside it that did not open, and are as they were.
        reissued: Packages that were signed anew, about the bytes that are there now.
        outdated: Packages about other bytes, or none at all: their signers have to issue them anew.
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
    highest_work_factor: int = READ,
    recipients: Sequence[str] = (),
    new_passphrase: str | None = None,
    reencrypt: bool = False,
    allow_classical: bool = False,
    signers: Sequence[SigningKey] = (),
) -> Rewrapped:
    """Give a sealed file other recipients, and the statements beside it too: all of them, or none.

    The header is verified, and a new one written before the same payload, whose content is neither decrypted nor checked. Nothing
    is taken back: see `NOTHING_IS_TAKEN_BACK`. A process that is killed while the files take their places has replaced some of
    them; the next rewrapping of the same file begins with the others.

    Args:
        path: A sealed file of any content; it stays binary or armoured as it is, and is binary after `reencrypt`. With a sealed
            index, its shards are rewrapped too.
        identities: Identities that open it, or their revealed text; by default the user's own.
        passphrase: What it is sealed under now, if it is.
        highest_work_factor: The most that the file may ask to be spent on its passphrase; see `decrypt_file`.
        recipients: Its new recipients, in place of all that it had.
        new_passphrase: Seal it under this instead.
        reencrypt: Whether to encrypt the payload anew under a new file key, which takes a pass over it.
        allow_classical: Whether a file that is shut to quantum computers may get recipients that are not.
        signers: Packagers, whose packages of the very bytes that were there are issued anew.

    Raises:
        UnsealError: If the header was changed or nothing fits, or with `reencrypt` anything else; all is then as it was.
        ConfigurationError: If there is no recipient, one is none, or they would open a post-quantum file to quantum computers.
        StorageError: If a file cannot be read or written, or is a link.
    """
    path = Path(path)
    if not recipients and new_passphrase is None:
        raise ConfigurationError("a file is rewrapped to recipients, got none", remedy="give recipients, or a new passphrase")
    readers = resolve_recipients(recipients, new_passphrase)
    openers = resolve_openers(identities, passphrase, highest_work_factor)
    finished = finish_files(path)
    try:
        with files_atomically(path) as draft:
            wrap = partial(_rewrap, draft, openers=openers, recipients=readers, allow_classical=allow_classical)
            packages = [file for file in statement_paths(path) if file.suffix != SEALED]
            issued = {file: found for file in packages if (found := _issued(file, signers)) is not None}
            before: dict[str, str] = {}
            sealed = [path, *_shards(path, openers)]
            for file in sealed:
                with _opened(file) as source:
                    if issued:
                        before[file.name] = _digest(source)
                    wrap(file, source, reencrypt=reencrypt)
            done, left = _rewrap_statements(path, wrap)
            renewed = [file for file, (_, package) in issued.items() if _digests(package) == before]
            written = _reissue(draft / path.name, [file.name for file in sealed], [issued[file] for file in renewed])
    except UnsealError as error:
        if finished:
            raise UnsealError(
                f"the rewrapping of {path} that was cut short is complete now, and nothing given opens it",
                remedy="give an identity of its new recipients",
            ) from error
        raise
    reissued = [path.with_name(name) for name in written]
    remove_earlier(path, reissued)
    outdated = [file for file in packages if file not in renewed]
    return Rewrapped((*done, *sealed[1:], path), tuple(left), tuple(reissued), tuple(outdated))


def _shards(path: Path, openers: Sequence[Opener]) -> list[Path]:
    """The sealed shards of a sealed index; of any other file, none."""
    if not path.name.endswith(INDEX + SEALED):
        return []
    with as_unseal_error(), _opened(path) as source, open_sealed(source, openers) as payload:
        return [path.with_name(name + SEALED) for name in parse_index(payload.read(LONGEST), path.name).shards()]


def _opened(path: Path) -> BufferedReader:
    if path.is_symlink():
        raise StorageError(f"{path} is a link, which a file would replace", remedy="give the file that it leads to")
    return open_regular(path)


def _rewrap_statements(path: Path, wrap: Callable[..., None]) -> tuple[list[Path], list[Path]]:
    """Rewrap what is sealed beside a file; gives what was, and what does not open."""
    done: list[Path] = []
    left: list[Path] = []
    for file in statement_paths(path):
        if file.suffix != SEALED:
            continue
        if file.is_symlink() or not file.is_file():
            left.append(file)
            continue
        try:
            with _opened(file) as source:
                wrap(file, source, reencrypt=True)
        except UnsealError:
            left.append(file)
        else:
            done.append(file)
    return done, left


def _rewrap(
    folder: Path,
    path: Path,
    source: BufferedReader,
    *,
    openers: Sequence[Opener],
    recipients: Sequence[Recipient],
    reencrypt: bool,
    allow_classical: bool,
) -> None:
    """Write the new form of a file into a folder."""
    form = open_form(source)
    header = read_header(form)
    classical = any(POST_QUANTUM.get(stanza.type) is False for stanza in header.stanzas)
    if not allow_classical and not classical and not all(recipient.post_quantum for recipient in recipients):
        raise ConfigurationError(
            f"{path.name} is shut to quantum computers, and the new recipients are not",
            remedy="give hybrid recipients, age1pq1..., or say that classical ones are meant: --allow-classical, or allow_classical=True",
        )
    file_key = find_file_key(header, openers)
    with file_atomically(folder / path.name, mode=stat.S_IMODE(os.fstat(source.fileno()).st_mode)) as draft:
        if reencrypt:
            source.seek(0)
            with open_sealed(source, openers) as payload:
                write_sealed(Plaintext([_Content(payload)]), draft, recipients)
            return
        sink = draft if form is source else ArmorWriter(draft)
        sink.write(memoryview(wrap_header(file_key, recipients)))
        buffer = memoryview(bytearray(1 << 20))
        while count := form.readinto(buffer):
            sink.write(buffer[:count])
        if isinstance(sink, ArmorWriter):
            sink.close()


def _issued(package: Path, signers: Sequence[SigningKey]) -> tuple[SigningKey, Statement] | None:
    """What one of `signers` said in a package, and who; ``None`` if it is none of theirs, or no package at all."""
    try:
        payload, signer = parse_envelope(read_statement(package, ()), package.name).open([key.verifying for key in signers])
        statement = parse_statement(payload, package.name)
    except IntegrityError:
        return None
    return (next(key for key in signers if key.verifying == signer), statement) if isinstance(statement.predicate, Packaged) else None


def _digests(package: Statement) -> dict[str, str]:
    return {subject.name: subject.sha256 for subject in package.subjects}


def _reissue(path: Path, names: Sequence[str], issued: Sequence[tuple[SigningKey, Statement]]) -> list[str]:
    """Sign again what packages say, about the bytes that are there now; gives the names of the new ones."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    written = []
    with ExitStack() as drafts:
        for key, package in issued:
            subjects = []
            for name in names:
                with open(path.with_name(name), "rb") as file:
                    subjects.append(Subject(name, _digest(file)))
            statement = Statement(tuple(subjects), replace(package.claim, time=now), Packaged())
            written.append(draft_statement(drafts, path, statement, key, (), replace=True).name)
    return written


def _digest(file: BufferedReader) -> str:
    """SHA-256 of a sealed file, out of its armour if it has one."""
    form, found, buffer = open_form(file), sha256(), memoryview(bytearray(1 << 20))
    while count := form.readinto(buffer):
        found.update(buffer[:count])
    file.seek(0)
    return found.hexdigest()


class _Content:
    """The plaintext of a sealed file, opened by as many threads as ask for it."""

    def __init__(self, payload: Payload) -> None:
        self._payload, self._local = payload, threading.local()
        self.size = payload.size

    def read_into(self, buffer: memoryview, start: int, /) -> None:
        if not hasattr(self._local, "fill"):
            self._local.fill = self._payload.opener()
        self._local.fill(buffer, start)
