"""Statements about a sealed file lie beside it, as many as there are, one in each file.

What the model was made of and how could give it away, so those statements are sealed as the model is. A package is about the
sealed bytes, which anyone may see, and is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from audit.vault.age.container import decrypt, encrypt
from audit.vault.age.parties import Opener, Recipient
from audit.vault.signing.keys import SigningKey
from audit.vault.signing.predicates import Audited, Packaged, Released, Trained
from audit.vault.signing.provenance import MOST_ENVELOPES
from audit.vault.signing.statement import Statement, sign_statement
from classifier.errors import IntegrityError, UnsealError
from classifier.records import write_atomically

SEALED, ENVELOPE = ".age", ".dsse.json"
# An envelope may have 4 MiB; the rest is its encryption.
LONGEST = 5 << 20
_WORDS = {Trained: "trained", Audited: "audited", Released: "released", Packaged: "packaged"}
_NAME = re.compile(rf"\.({'|'.join(_WORDS.values())})\.[0-9a-f]{{8}}\.dsse\.json(\.age)?")


def statement_paths(path: Path) -> list[Path]:
    """The statements that lie beside a sealed file, in the order of their names.

    Raises:
        IntegrityError: If there are more than anyone could need.
    """
    base = _base(path)
    beside = [file for file in path.parent.iterdir() if file.name.startswith(base) and _NAME.fullmatch(file.name[len(base) :])]
    if len(beside) > MOST_ENVELOPES:
        raise IntegrityError(
            f"{len(beside)} statements lie beside {path.name}, allowed are {MOST_ENVELOPES}", remedy="take away those not needed"
        )
    return sorted(beside)


def read_statements(path: Path, openers: Sequence[Opener]) -> list[tuple[str, bytes]]:
    """The name and the envelope of each statement beside a sealed file.

    One that does not open, or is no file that could hold an envelope, comes without content: it counts as no statement, and
    shows among those that do not count.
    """
    return [(file.name, _envelope(file, openers)) for file in statement_paths(path)]


def write_statement(path: Path, statement: Statement, key: SigningKey, recipients: Sequence[Recipient]) -> Path:
    """Sign a statement and put it beside a sealed file, in place of an earlier one of the same kind and signer.

    Args:
        path: The sealed file.
        statement: What is said.
        key: Who says it.
        recipients: Whom the statement is sealed to: those of the file.

    Returns:
        Where it is.

    Raises:
        StorageError: If it cannot be written.
    """
    envelope = sign_statement(statement, key)
    beside = path.with_name(f"{_base(path)}.{_WORDS[type(statement.predicate)]}.{key.key_id[:8]}{ENVELOPE}")
    if isinstance(statement.predicate, Packaged):
        write_atomically(beside, envelope)
        return beside
    sealed = BytesIO()
    encrypt(BytesIO(envelope), sealed, recipients)
    beside = beside.with_name(beside.name + SEALED)
    write_atomically(beside, sealed.getvalue())
    return beside


def _base(path: Path) -> str:
    return path.name.removesuffix(SEALED)


def _envelope(file: Path, openers: Sequence[Opener]) -> bytes:
    try:
        with file.open("rb") as source:
            content = source.read(LONGEST + 1)
    except OSError:
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
