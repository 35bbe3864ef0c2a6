"""Statements about a sealed model: written with it, and added to what others have said."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import Any

from audit.strict_json import parse_strictly
from audit.vault.age.parties import Identity, Recipient
from audit.vault.age.payload import hash_file
from audit.vault.age.scrypt import READ
from audit.vault.files import resolve_openers, resolve_recipients
from audit.vault.models.opened_model import OpenedModel, as_unseal_error, open_model
from audit.vault.models.statement_files import draft_statement, remove_earlier
from audit.vault.signing.claim import Claim
from audit.vault.signing.keys import SigningKey
from audit.vault.signing.predicates import Audited, Packaged, Predicate, Released, Role, Trained
from audit.vault.signing.statement import Statement, Subject
from audit.vault.tensors.types import torch_type
from classifier.description import METADATA, described_digest
from classifier.errors import ConfigurationError
from classifier.records import file_atomically


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


def write_vouched(path: Path, write: Callable[[BufferedWriter], str], stated: Stated | None, recipients: Sequence[Recipient]) -> None:
    """Write a sealed model and the statements about it.

    Whoever is killed meanwhile leaves the old model with its statements, or the new one with its: new statements lie beside the
    old ones before the model takes its place, and the old ones go afterwards.

    Args:
        path: Where to.
        write: Fills the file, and gives its root.
        stated: What is to be signed.
        recipients: Whom it is for.
    """
    with ExitStack() as drafts:
        # What is entered first takes its place last.
        file = drafts.enter_context(file_atomically(path))
        root = write(file)
        file.flush()
        written = draft_statements(drafts, path, root, lambda: {path.name: hash_file(file.fileno())}, stated, recipients)
    remove_earlier(path, written)


def draft_statements(
    drafts: ExitStack,
    path: Path,
    root: str,
    sealed: Callable[[], Mapping[str, str]],
    stated: Stated | None,
    recipients: Sequence[Recipient],
    *,
    replace: bool = False,
) -> tuple[Path, ...]:
    """Sign what is stated of a sealed model; see `draft_statement`.

    Args:
        drafts: What waits to take its place.
        path: The sealed model.
        root: The digest that statements are about.
        sealed: Gives the SHA-256 of each sealed file, by its name, which packages are about.
        stated: What is to be signed; ``None`` for nothing.
        recipients: Whom the statements are for.
        replace: Whether each takes the place of an earlier one of the same kind and signer.

    Returns:
        Where the statements will be.
    """
    if stated is None:
        return ()
    written = []
    for predicate in stated.predicates:
        about = dict(sealed()) if isinstance(predicate, Packaged) else {stated.claim.model: root}
        statement = Statement(tuple(Subject(*item) for item in about.items()), stated.claim, predicate)
        written += [draft_statement(drafts, path, statement, signer, recipients, replace=replace) for signer in stated.signers]
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
    highest_work_factor: int = READ,
    recipients: Sequence[str] = (),
) -> tuple[Path, ...]:
    """Add a statement to those about a sealed model, after every tensor was held against its digest. The others stay as they are.

    Args:
        path: The sealed model, or the sealed index of its shards.
        key: Who signs.
        role: What they speak as: as trainer they state data and recipe that the card tells, as auditor what `audit` says, as
            releaser that this version may be used, as packager that these sealed files hold it.
        audit: What an audit of it came to; see `audit.attestation.read_audited`.
        model_id: What the signer calls the model; by default the name of the file up to its first dot.
        version: Its version.
        identities: Identities, or their revealed text; by default the user's own.
        passphrase: What the file is sealed under; the statement is sealed under it too, unless `recipients` are given.
        highest_work_factor: The most that the file may ask to be spent on its passphrase; see `decrypt_file`.
        recipients: Whom the statement is for. Give those of the model: the file does not tell who they are. By default the user's own.

    Returns:
        Where the statement is.

    Raises:
        UnsealError: If anything is wrong with the file, or no identity fits.
        ConfigurationError: If the id or the version is none, an auditor has no audit or that of another classifier, or the card
            tells a trainer nothing.
        StorageError: If the statement cannot be written.
    """
    path = Path(path)
    if (role == "auditor") != (audit is not None):
        raise ConfigurationError("an auditor signs what an audit came to", remedy="give role='auditor' and audit, or neither of them")
    claim = _claim(path, model_id, version)
    openers = resolve_openers(identities, passphrase, highest_work_factor)
    with ExitStack() as drafts, open_model(path, openers) as model, as_unseal_error():
        root = model.root()
        said = {"auditor": audit, "releaser": Released(), "packager": Packaged()}.get(role) or _trained(_card(model.metadata()))
        if said is None:
            raise ConfigurationError(
                f"{path.name} tells neither by which data nor by which recipe it was trained", remedy="sign as releaser, or train it here"
            )
        if audit is not None and audit.classifier != _classifier_digest(model):
            raise ConfigurationError(
                f"the audit is of the classifier {audit.classifier}, and {path.name} holds {_classifier_digest(model)}",
                remedy="name the audit of this very model",
            )
        model.verify()
        readers = resolve_recipients(recipients, None if recipients else passphrase)
        written = draft_statements(drafts, path, root, model.packaged, Stated(claim, (said,), (key,)), readers, replace=True)
    remove_earlier(path, written)
    return written


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
    card = _description(metadata).get("card")
    return card if isinstance(card, dict) else {}


def _classifier_digest(model: OpenedModel) -> str | None:
    """The digest that the classifier will have when it is made, by what the file states of its tensors; ``None`` if it is none."""
    description, digests = _description(model.metadata()), model.expected(verified=True)
    if not description or digests is None:
        return None
    slots = {name: slot for file in model.files.values() for name, slot in file.layout.tensors.items()}
    tensors = {name: [str(torch_type(slot.dtype)), list(slot.shape), digests[name]] for name, slot in slots.items()}
    try:
        return described_digest(description, tensors)
    except KeyError:
        return None


def _description(metadata: Mapping[str, str]) -> Mapping[str, Any]:
    found = parse_strictly(metadata[METADATA].encode(), "its description") if METADATA in metadata else {}
    return found if isinstance(found, dict) else {}
