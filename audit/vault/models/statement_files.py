"""Statements about a sealed file lie beside it, as many as there are, one in each file.

What the model was made of and how could give it away, so those statements are sealed as the model is. A package is about the
sealed bytes, which anyone may see, and is not.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Sequence
from contextlib import ExitStack, suppress
from io import BytesIO
from pathlib import Path

from audit.vault.age.container import decrypt, encrypt
from audit.vault.age.parties import Opener, Recipient
from audit.vault.models.regular_files import open_regular
from audit.vault.signing.keys import SigningKey
from audit.vault.signing.predicates import Audited, Packaged, Predicate, Released, Trained
from audit.vault.signing.provenance import MOST_ENVELOPES
from audit.vault.signing.statement import Statement, sign_statement
from classifier.errors import IntegrityError, StorageError, UnsealError
from classifier.records import file_atomically

SEALED, ENVELOPE = ".age", ".dsse.json"
# An envelope may have 4 MiB; the rest is its encryption.
LONGEST = 5 << 20
_WORDS = {Trained: "trained", Audited: "audited", Released: "released", Packaged: "packaged"}
_NAME = re.compile(rf"\.({'|'.join(_WORDS.values())})\.([0-9a-f]{{8}})(\.[0-9a-f]{{8}})?\.dsse\.json(\.age)?")


def statement_paths(path: Path) -> list[Path]:
    """The statements that lie beside a sealed file, in the order of their names.

    Raises:
        IntegrityError: If there are more than anyone could need.
    """
    found = _beside(path)
    if len(found) > MOST_ENVELOPES:
        raise IntegrityError(
            f"{len(found)} statements lie beside {path.name}, allowed are {MOST_ENVELOPES}", remedy="take away those not needed"
        )
    return sorted(found)


def paths_of(path: Path, key: SigningKey, kind: type[Predicate] | None = None) -> list[Path]:
    """The statements beside a sealed file whose names tell one signer; of one kind, or of any."""
    told = sorted(_beside(path).items())
    return [file for file, (word, signer) in told if signer == key.key_id[:8] and (kind is None or word == _WORDS[kind])]


def read_statements(path: Path, openers: Sequence[Opener]) -> list[tuple[str, bytes]]:
    """The name and the envelope of each statement beside a sealed file; see `read_statement`."""
    return [(file.name, read_statement(file, openers)) for file in statement_paths(path)]


def read_statement(file: Path, openers: Sequence[Opener]) -> bytes:
    """The envelope in a file.

    One that does not open, or is no file that could hold an envelope, is empty: it counts as no statement, and shows among
    those that do not count.
    """
    try:
        with open_regular(file) as source:
            content = source.read(LONGEST + 1)
    except (OSError, StorageError):
        return b""
    if len(content) > LONGEST:
        return b""
    if file.suffix != SEALED:
        return content
    plain = BytesIO()
    try:
        decrypt(BytesIO(content), plain, openers)
    except UnsealError:
        return b""
    return plain.getvalue()


def draft_statement(
    drafts: ExitStack, path: Path, statement: Statement, key: SigningKey, recipients: Sequence[Recipient], *, replace: bool
) -> Path:
    """Sign a statement; it lies beside a sealed file when `drafts` are done.

    Args:
        drafts: What waits to take its place.
        path: The sealed file.
        statement: What is said.
        key: Who says it.
        recipients: Whom the statement is sealed to: those of the file.
        replace: Whether it takes the place of an earlier one of the same kind and signer. If the file itself is replaced, each
            has its own place: whoever is killed between the two leaves the old file with its statement, or the new one with its.

    Returns:
        Where it will be.

    Raises:
        StorageError: If it cannot be written.
    """
    content, ending = sign_statement(statement, key), ENVELOPE
    if not isinstance(statement.predicate, Packaged):
        sealed = BytesIO()
        encrypt(BytesIO(content), sealed, recipients)
        content, ending = sealed.getvalue(), ENVELOPE + SEALED
    earlier = [file for file in paths_of(path, key, type(statement.predicate)) if file.name.endswith(ending)]
    place = path.with_name(f"{_base(path)}.{_WORDS[type(statement.predicate)]}.{key.key_id[:8]}{ending}")
    if earlier:
        place = earlier[0] if replace else place.with_name(place.name.removesuffix(ending) + f".{secrets.token_hex(4)}{ending}")
    drafts.enter_context(file_atomically(place)).write(content)
    return place


def remove_earlier(path: Path, written: Collection[Path]) -> None:
    """Take away the statements in whose place others were written, of the same kinds and signers."""
    told = _beside(path)
    renewed = {told[file] for file in told.keys() & written}
    for file in told.keys() - written:
        if told[file] in renewed:
            # One that stays is about something else, and counts for nothing.
            with suppress(OSError):
                file.unlink()


def _beside(path: Path) -> dict[Path, tuple[str, str]]:
    """What lies beside a sealed file under the name of a statement: which kind, and the beginning of whose key id."""
    base = _base(path)
    names = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
    found = {name: _NAME.fullmatch(name[len(base) :]) for name in names if name.startswith(base)}
    return {path.with_name(name): (match[1], match[2]) for name, match in found.items() if match is not None}


def _base(path: Path) -> str:
    return path.name.removesuffix(SEALED)
