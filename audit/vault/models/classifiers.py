"""Sealing and opening classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from io import BufferedWriter
from pathlib import Path

from audit.vault.age.parties import Identity, Opener
from audit.vault.age.scrypt import READ
from audit.vault.files import resolve_openers, resolve_recipients
from audit.vault.models.opened_model import as_unseal_error, open_model, remember
from audit.vault.models.vouching import statements_about, write_vouched
from audit.vault.signing.keys import SigningKey
from audit.vault.signing.provenance import Provenance
from audit.vault.signing.trust import Trusted, resolve_trust
from audit.vault.signing.trust_store import TrustStore
from audit.vault.tensors.manifest import TensorDigests, new_salt
from audit.vault.tensors.writing import Unsealed
from classifier.classifier import Classifier, Factory
from classifier.description import METADATA
from classifier.errors import UnsealError


def seal(
    classifier: Classifier,
    path: str | Path,
    *,
    recipients: Sequence[str] = (),
    passphrase: str | None = None,
    signers: Sequence[SigningKey] = (),
    model_id: str | None = None,
    version: int = 1,
) -> None:
    """Write a classifier to a sealed file: weights, schema, classes, card and their digests are all inside the encryption.

    Args:
        classifier: Any classifier with weights.
        path: The file to make, readable by everyone. What is there is replaced, once the new one is whole.
        recipients: Public keys, ``"age1pq1..."``; by default the user's own, whose identity is made if there is none.
        passphrase: Seal under it instead.
        signers: Keys that sign it, each as trainer if the card tells by which data and recipe it was trained, else as releaser,
            and as packager. What they state lies beside the file.
        model_id: What the signers call the model; by default the name of the file up to its first dot.
        version: Its version, as they state it.

    Raises:
        ModelError: If it is a black box, which has no weights.
        ConfigurationError: If a recipient is none, or none was given where none is made.
        StorageError: If a file cannot be written; `path` is then as it was.
    """
    path = Path(path)
    readers = resolve_recipients(recipients, passphrase)
    stated = statements_about(path, classifier.card, signers, model_id, version)
    unsealed = Unsealed.of_tensors(classifier.tensors(), {METADATA: classifier.described()})

    def write(file: BufferedWriter) -> str:
        salt = new_salt()
        layout, digests = unsealed.write(file, readers, salt=salt)
        return TensorDigests(salt, {"": digests}).root([("", layout)])

    write_vouched(path, write, stated, readers)


def unseal(
    path: str | Path,
    *,
    identities: Sequence[Identity | str] = (),
    passphrase: str | None = None,
    highest_work_factor: int = READ,
    trusted: Trusted,
    model_id: str | None = None,
    factory: Factory | None = None,
) -> Classifier:
    """Open a sealed classifier, with the digest that it was sealed with. The plaintext never touches the disk.

    Where signers are trusted, their statements are verified first, then every tensor, and only then is anything made of them.

    Args:
        path: What :func:`seal` wrote.
        identities: Identities, or their revealed text; by default the user's own.
        passphrase: Tried where the file is sealed under one.
        highest_work_factor: The most that the file may ask to be spent on its passphrase; see `decrypt_file`.
        trusted: Whose models to open: a trust store or the path of one, public keys of signers, or `ALLOW_UNSIGNED`.
        model_id: Which model it must be, by the word of its signers. Without it, any model of theirs is taken.
        factory: Builds the module where it is of no registered architecture. It is named by the caller
            and never by the file, since a file must not choose what code runs.

    Raises:
        UnsealError: If anything is wrong with the file, no identity fits, a statement that is required is missing, or it
            holds no classifier.
        ConfigurationError: If nobody is trusted, or an identity is none.
        StorageError: If the file cannot be read.
    """
    openers = resolve_openers(identities, passphrase, highest_work_factor)
    classifier, _ = unseal_with(openers, Path(path), resolve_trust(trusted), model_id=model_id, factory=factory)
    return classifier


def unseal_with(
    openers: Sequence[Opener], path: Path, store: TrustStore | None, *, model_id: str | None = None, factory: Factory | None = None
) -> tuple[Classifier, Provenance | None]:
    """The same with what was resolved, and who vouches for it; see :func:`unseal`."""
    with open_model(path, openers) as model, as_unseal_error():
        provenance = model.require_provenance(store, openers, model_id) if store is not None else None
        tensors = model.load(verified=store is not None)
        metadata = model.metadata()
    # Anyone with the recipient can seal anything, so the content is hostile until it has become a classifier.
    try:
        classifier = Classifier.from_tensors(tensors, metadata, factory=factory)
    except Exception as error:
        raise UnsealError(
            f"{path} opened, but this release can make no classifier of what it holds",
            remedy="give the factory that builds its module if its architecture is your own; else ask its sender for a new copy",
        ) from error
    return classifier, remember(provenance) if provenance is not None else None
