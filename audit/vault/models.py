"""Sealing and opening classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audit.vault.age.parties import Identity
from audit.vault.files import encrypt_bytes, read_sealed
from audit.vault.trust import require_trust
from classifier.classifier import Classifier, Factory
from classifier.errors import UnsealError
from classifier.records import write_atomically


def seal(classifier: Classifier, path: str | Path, *, recipients: Sequence[str] = ()) -> None:
    """Write a classifier to a sealed file: weights, schema, classes and card are all inside the encryption.

    Args:
        classifier: Any classifier with weights.
        path: The file to make, readable by everyone. What is there is replaced, once the new one is whole.
        recipients: Public keys, ``"age1..."``; by default the user's own, whose identity is made if there is none.

    Raises:
        ModelError: If it is a black box, which has no weights.
        ConfigurationError: If a recipient is none, or none was given where none is made.
        StorageError: If the file cannot be written; `path` is then as it was.
    """
    write_atomically(Path(path), encrypt_bytes(classifier.to_safetensors(), recipients=recipients))


def unseal(path: str | Path, *, identities: Sequence[Identity | str] = (), trusted: object, factory: Factory | None = None) -> Classifier:
    """Open a sealed classifier, with the digest that it was sealed with. The plaintext never touches the disk.

    Args:
        path: What :func:`seal` wrote.
        identities: Identities, or their revealed text; by default the user's own.
        trusted: Whose models to open. This release checks no signatures and takes `ALLOW_UNSIGNED` only.
        factory: Builds the module where it is of no registered architecture. It is named by the caller
            and never by the file, since a file must not choose what code runs.

    Raises:
        UnsealError: If anything is wrong with the file, no identity fits, or it holds no classifier.
        ConfigurationError: If `trusted` is anything else, or an identity is none.
        StorageError: If the file cannot be read.
    """
    require_trust(trusted)
    content = read_sealed(path, identities=identities)
    try:
        return Classifier.from_safetensors(content, factory=factory)
    # Anyone with the recipient can seal anything, so the content is hostile until it has become a classifier.
    except Exception as error:
        raise UnsealError(
            f"{path} opened, but this release can make no classifier of what it holds",
            remedy="give the factory that builds its module if its architecture is your own; else ask its sender for a new copy",
        ) from error
