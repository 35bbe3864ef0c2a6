"""Sealing models that lie on disk, whole or in shards, and opening their tensors one by one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from io import BufferedWriter, BytesIO
from pathlib import Path

from audit.vault.age.container import encrypt
from audit.vault.age.parties import Identity, Recipient
from audit.vault.age.scrypt import READ
from audit.vault.files import resolve_openers, resolve_recipients
from audit.vault.models.opened_model import as_unseal_error, open_model, remember
from audit.vault.models.statement_files import SEALED, statement_paths
from audit.vault.models.vouching import draft_statements, statements_about, write_vouched
from audit.vault.sealed_file import open_file, require_unchanged
from audit.vault.signing.keys import SigningKey
from audit.vault.signing.provenance import Provenance
from audit.vault.signing.trust import Trusted, resolve_trust
from audit.vault.tensors.lazy import LazyTensors
from audit.vault.tensors.manifest import KEY, TensorDigests, new_salt
from audit.vault.tensors.shards import INDEX, LONGEST, Index, parse_index
from audit.vault.tensors.writing import Unsealed
from classifier.formats.safetensors_layout import Layout, read_layout
from classifier.records import file_atomically, folder_atomically, require_only, sha256_file, write_atomically


def seal_model_file(
    source: str | Path,
    destination: str | Path,
    *,
    recipients: Sequence[str] = (),
    passphrase: str | None = None,
    signers: Sequence[SigningKey] = (),
    model_id: str | None = None,
    version: int = 1,
) -> None:
    """Seal a safetensors file of any origin, with the digests of its tensors, in constant memory.

    Args:
        source: A safetensors file, or the index ``*.safetensors.index.json`` of several, which lie beside it.
        destination: The file to make; of an index, the folder to make, with the sealed index and the sealed shards in it.
        recipients: Public keys, ``"age1pq1..."``; by default the user's own, whose identity is made if there is none.
        passphrase: Seal under it instead.
        signers: Keys that sign it, each as releaser and as packager.
        model_id: What the signers call the model; by default the name of the file up to its first dot.
        version: Its version.

    Raises:
        IntegrityError: If a file is not what its name says, shards and index disagree, or a file changed while it was read.
        ModelError: If its header is longer than a safetensors file may have it, once it states the digests.
        ConfigurationError: If a recipient is none, or none was given where none is made.
        StorageError: If a file cannot be read or written; what was at `destination` is then as it was.
    """
    source, destination = Path(source), Path(destination)
    readers = resolve_recipients(recipients, passphrase)
    if source.name.endswith(INDEX):
        stated = statements_about(destination / source.name, {}, signers, model_id, version)
        with open_file(source) as file:
            index = parse_index(file.read(LONGEST + 1), source.name)
        sealed = [name + SEALED for name in (source.name, *index.shards())]
        require_only(destination, {*sealed, *(file.name for file in statement_paths(destination / sealed[0]))})
        with folder_atomically(destination) as folder, ExitStack() as drafts:
            root = _seal_shards(index, source, folder, readers)
            digests = partial(_digests, folder, sealed)
            draft_statements(drafts, folder / sealed[0], root, digests, stated, readers)
        return
    stated = statements_about(destination, {}, signers, model_id, version)

    def write(file: BufferedWriter) -> str:
        with _unsealed(source) as unsealed:
            # The salt of a file that was sealed before stays, and with it what was stated of it.
            known = unsealed.layout.metadata.get(KEY)
            salt = TensorDigests.read(known).salt if known is not None else new_salt()
            layout, digests = unsealed.write(file, readers, salt=salt)
            return TensorDigests(salt, {"": digests}).root([("", layout)])

    write_vouched(destination, write, stated, readers)


def open_tensors(
    path: str | Path,
    *,
    identities: Sequence[Identity | str] = (),
    passphrase: str | None = None,
    highest_work_factor: int = READ,
    trusted: Trusted,
    model_id: str | None = None,
) -> LazyTensors:
    """Open a sealed model lazily: a tensor is decrypted when it is asked for, from the chunks of 64 KiB that it lies in.

    Verified before this returns: the header, the last chunk and, where signers are trusted, their statements and the root; then
    each tensor, over the very memory that is handed out. Not verified: tensors that nobody asks for, so a file that was damaged
    there opens all the same.

    Args:
        path: A sealed safetensors file, or a sealed index ``*.safetensors.index.json.age`` with its sealed shards beside it.
        identities: Identities, or their revealed text; by default the user's own.
        passphrase: Tried where the file is sealed under one.
        highest_work_factor: The most that the file may ask to be spent on its passphrase; see `decrypt_file`.
        trusted: Whose models to open: a trust store or the path of one, public keys of signers, or `ALLOW_UNSIGNED`.
        model_id: Which model it must be, by the word of its signers. Without it, any model of theirs is taken.

    Raises:
        UnsealError: If anything is wrong with the file, no identity fits, or a statement that is required is missing.
        ConfigurationError: If nobody is trusted, or an identity is none.
        StorageError: If a file cannot be read.
    """
    path, store = Path(path), resolve_trust(trusted)
    openers = resolve_openers(identities, passphrase, highest_work_factor)
    with ExitStack() as stack:
        model = stack.enter_context(open_model(path, openers))
        provenance = None
        with as_unseal_error():
            if store is not None:
                provenance = remember(model.require_provenance(store, openers, model_id))
            digests = model.expected(verified=store is not None)
        return LazyTensors(tuple(model.files.values()), digests, provenance, stack.pop_all())


def unseal_model_file(
    source: str | Path,
    destination: str | Path,
    *,
    identities: Sequence[Identity | str] = (),
    passphrase: str | None = None,
    highest_work_factor: int = READ,
    trusted: Trusted,
    model_id: str | None = None,
) -> Provenance | None:
    """Open a sealed model into plain safetensors, once its statements and every tensor were verified, in constant memory.

    Args:
        source: A sealed safetensors file, or the sealed index of shards.
        destination: The file to make, readable by its owner only; of an index, the folder to make.
        identities: Identities, or their revealed text; by default the user's own.
        passphrase: Tried where the file is sealed under one.
        highest_work_factor: The most that the file may ask to be spent on its passphrase; see `decrypt_file`.
        trusted: Whose models to open: a trust store or the path of one, public keys of signers, or `ALLOW_UNSIGNED`.
        model_id: Which model it must be, by the word of its signers.

    Returns:
        Who vouches for it; ``None`` where nobody was asked.

    Raises:
        UnsealError: If anything is wrong with the file, no identity fits, or a statement that is required is missing.
        ConfigurationError: If nobody is trusted, or an identity is none.
        StorageError: If a file cannot be read or written; what was at `destination` is then as it was.
    """
    source, destination, store = Path(source), Path(destination), resolve_trust(trusted)
    openers = resolve_openers(identities, passphrase, highest_work_factor)
    with open_model(source, openers) as model, as_unseal_error():
        provenance = model.require_provenance(store, openers, model_id) if store is not None else None
        if model.index is None:
            with file_atomically(destination, mode=0o600) as file:
                model.extract("", file.fileno())
        else:
            index = source.name.removesuffix(SEALED)
            require_only(destination, {index, *model.files})
            with folder_atomically(destination) as folder:
                for name in model.files:
                    with file_atomically(folder / name, mode=0o600) as file:
                        model.extract(name, file.fileno())
                write_atomically(folder / index, model.index, mode=0o600)
    return remember(provenance) if provenance is not None else None


def _seal_shards(index: Index, source: Path, folder: Path, recipients: Sequence[Recipient]) -> str:
    """Seal shards and index into an empty folder; gives the root."""
    layouts: dict[str, Layout] = {}
    digests: dict[str, tuple[str, ...]] = {}
    for shard in index.shards():
        with _unsealed(source.with_name(shard)) as unsealed, file_atomically(folder / (shard + SEALED)) as file:
            layouts[shard], digests[shard] = unsealed.write(file, recipients, salt=None)
    index.require_places(layouts)
    stated = TensorDigests(new_salt(), digests)
    with file_atomically(folder / (source.name + SEALED)) as file:
        encrypt(BytesIO(index.with_digests(stated)), file, recipients)
    return stated.root(sorted(layouts.items()))


def _digests(folder: Path, names: Sequence[str]) -> dict[str, str]:
    return {name: sha256_file(folder / name) for name in names}


@contextmanager
def _unsealed(path: Path) -> Iterator[Unsealed]:
    """A safetensors file on disk, which must not change meanwhile."""
    with open_file(path) as file:
        before = os.fstat(file.fileno())
        yield Unsealed.of_file(file.fileno(), read_layout(file, before.st_size), path.name)
        require_unchanged(file, before, str(path))
