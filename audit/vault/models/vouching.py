"""Statements about a sealed model: what a card lets a signer say of it, and adding to what others have said."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.strict_json import parse_strictly
from audit.vault.age.parties import Identity, Recipient
from audit.vault.files import resolve_openers, resolve_recipients
from audit.vault.models.opened_model import as_unseal_error, open_model
from audit.vault.models.statement_files import write_statement
from audit.vault.signing.claim import Claim
from audit.vault.signing.keys import SigningKey
from audit.vault.signing.predicates import Audited, Packaged, Predicate, Released, Role, Trained
from audit.vault.signing.statement import Statement, Subject
from classifier.classifier import METADATA
from classifier.errors import ConfigurationError
from classifier.records import sha256_file


@dataclass(frozen=True)
class Stated:
    """What is to be signed of a model, and by whom.

    Args:
        claim: Model, version and time.
        predicates: What is said.
        signers: Who says it.
    """

    claim: Claim
    predicates: tuple[Predicate, ...]
    signers: tuple[SigningKey, ...]


def statements_about(
    path: Path, card: Mapping[str, Any], signers: Sequence[SigningKey], model_id: str | None, version: int
) -> Stated | None:
    """What the signers of a new file say: whatever the card lets them, and that the file holds the model.

    Raises:
        ConfigurationError: If the id or the version is none, before anything is written.
    """
    if not signers:
        return None
    return Stated(_claim(path, model_id, version), (_trained(card) or Released(), Packaged()), tuple(signers))


def write_statements(path: Path, root: str, stated: Stated | None, recipients: Sequence[Recipient]) -> tuple[Path, ...]:
    """Sign, and put the statements beside the file.

    Returns:
        Where they are.
    """
    if stated is None:
        return ()
    written = []
    for predicate in stated.predicates:
        about = Subject(path.name, sha256_file(path)) if isinstance(predicate, Packaged) else Subject(stated.claim.model, root)
        statement = Statement((about,), stated.claim, predicate)
        written += [write_statement(path, statement, signer, recipients) for signer in stated.signers]
    return tuple(written)


def sign(
    path: str | Path,
    key: SigningKey,
    *,
    role: Role = "releaser",
    audit: Audited | None = None,
    model_id: str | None = None,
    version: int = 1,
    identities: Sequence[Identity | str] = (),
    passphrase: str | None = None,
    recipients: Sequence[str] = (),
) -> tuple[Path, ...]:
    """Add a statement to those about a sealed model, after every tensor was held against its digest. The others stay as they are.

    Args:
        path: The sealed model, or the sealed index of its shards.
        key: Who signs.
        role: What they speak as: as trainer they state data and recipe that the card tells, as auditor what `audit` says, as
            releaser that this version may be used, as packager that this file holds it.
        audit: What an audit of it came to; see `audit.attestation.read_audited`.
        model_id: What the signer calls the model; by default the name of the file up to its first dot.
        version: Its version.
        identities: Identities, or their revealed text; by default the user's own.
        passphrase: What the file is sealed under; the statement is sealed under it too, unless `recipients` are given.
        recipients: Whom the statement is for. Give those of the model: the file does not tell who they are. By default the user's own.

    Returns:
        Where the statement is.

    Raises:
        UnsealError: If anything is wrong with the file, or no identity fits.
        ConfigurationError: If the id or the version is none, an auditor has no audit, or the card tells a trainer nothing.
        StorageError: If the statement cannot be written.
    """
    path = Path(path)
    if (role == "auditor") != (audit is not None):
        raise ConfigurationError("an auditor signs what an audit came to", remedy="give role='auditor' and audit, or neither of them")
    claim = _claim(path, model_id, version)
    with open_model(path, resolve_openers(identities, passphrase)) as model, as_unseal_error():
        root = model.root()
        said = {"auditor": audit, "releaser": Released(), "packager": Packaged()}.get(role) or _trained(_card(model.metadata()))
        if said is None:
            raise ConfigurationError(
                f"{path.name} tells neither by which data nor by which recipe it was trained", remedy="sign as releaser, or train it here"
            )
        model.verify()
    readers = resolve_recipients(recipients, None if recipients else passphrase)
    return write_statements(path, root, Stated(claim, (said,), (key,)), readers)


def _claim(path: Path, model_id: str | None, version: int) -> Claim:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return Claim(model_id if model_id is not None else path.name.split(".")[0], version, now)


def _trained(card: Mapping[str, Any]) -> Trained | None:
    """What a trainer can state, if the card tells data and recipe."""
    training = card.get("training")
    data = training.get("data") if isinstance(training, Mapping) else None
    if not isinstance(training, Mapping) or not isinstance(data, Mapping) or not isinstance(training.get("recipe"), Mapping):
        return None
    return Trained(str(data.get("train")), training["recipe"])


def _card(metadata: Mapping[str, str]) -> Mapping[str, Any]:
    """The card in the description of a classifier; empty for a model that is none."""
    description = parse_strictly(metadata[METADATA].encode(), "its description") if METADATA in metadata else {}
    card = description.get("card") if isinstance(description, dict) else None
    return card if isinstance(card, dict) else {}
