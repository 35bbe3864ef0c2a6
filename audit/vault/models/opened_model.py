"""A sealed model whose header is open: what it holds, by which root it is signed, and who vouches for it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from audit.vault.age.parties import Opener
from audit.vault.age.payload import Payload
from audit.vault.keys.own_keys import private_path
from audit.vault.models.regular_files import open_regular
from audit.vault.models.statement_files import SEALED, read_statements
from audit.vault.sealed_file import open_sealed
from audit.vault.signing.provenance import Provenance, remember_version, require_provenance
from audit.vault.signing.seen import FILE, SeenVersions
from audit.vault.signing.trust_store import TrustStore
from audit.vault.tensors.loading import SealedTensors
from audit.vault.tensors.manifest import KEY, TensorDigests
from audit.vault.tensors.shards import INDEX, LONGEST, parse_index
from classifier.errors import IntegrityError, ModelError, UnsealError


@dataclass(frozen=True)
class OpenedModel:
    """A sealed model in one file, or in shards with an index.

    Args:
        path: The sealed file, or the sealed index.
        files: What is under encryption, by the name of the file; of a model in one file, that is ``""``.
        digests: What it says of its tensors; ``None`` where an earlier release sealed it.
        sealed: Each sealed file by its name, the index first.
        index: The content of the index; ``None`` of a model in one file.
    """

    path: Path
    files: Mapping[str, SealedTensors]
    digests: TensorDigests | None
    sealed: Mapping[str, Payload]
    index: bytes | None

    def root(self) -> str:
        """The digest that statements are about.

        Raises:
            IntegrityError: If an earlier release sealed it, or the tensors are not those that have digests.
        """
        if self.digests is None:
            raise IntegrityError(f"{self.path.name} was sealed without digests of its tensors", remedy="seal it anew, and sign it")
        return self.digests.root([(name, file.layout) for name, file in sorted(self.files.items())])

    def metadata(self) -> dict[str, str]:
        """What its files tell beside their tensors."""
        return {key: text for file in self.files.values() for key, text in file.layout.metadata.items()}

    def packaged(self) -> dict[str, str]:
        """SHA-256 of each sealed file, by its name: of those that are open, which takes a pass over them."""
        return {name: payload.digest() for name, payload in self.sealed.items()}

    def expected(self, *, verified: bool) -> dict[str, str] | None:
        """The digest that each tensor must have, by its name; ``None`` where nothing says so.

        Shards are held against their index in any case, as far as it states digests: each might be of another version.
        """
        if self.digests is None or not (verified or self.index is not None):
            return None
        return {tensor: digest for name, file in self.files.items() for tensor, digest in self.digests.of(name, file.layout).items()}

    def load(self, *, verified: bool) -> dict[str, Tensor]:
        """Every tensor.

        Args:
            verified: Whether to hold each against its digest, in the same pass; see `expected`.

        Raises:
            IntegrityError: If one has another digest.
        """
        expected = self.expected(verified=verified)
        tensors: dict[str, Tensor] = {}
        found: dict[str, str] = {}
        for file in self.files.values():
            loaded, digests = file.load(hashed=expected is not None)
            tensors |= loaded
            found |= digests
        if expected is not None and found != expected:
            raise IntegrityError(f"{self.path.name} holds other tensors than it states", remedy="take it from its origin again")
        return tensors

    def verify(self) -> None:
        """Hold every tensor against its digest, in constant memory.

        Raises:
            IntegrityError: If one has another digest.
        """
        for name in self.files:
            self.extract(name, None)

    def extract(self, name: str, descriptor: int | None) -> None:
        """Hold every tensor of one file against its digest, and write the plaintext; see `SealedTensors.extract`."""
        file = self.files[name]
        file.extract(descriptor, self.digests.of(name, file.layout) if self.digests is not None else None)

    def require_provenance(self, store: TrustStore, openers: Sequence[Opener], model_id: str | None) -> Provenance:
        """Require the statements that the trust store asks for, about this very root; see `audit.vault.signing.provenance`.

        Raises:
            IntegrityError: If one is missing.
        """
        wanted = {*store.required_roles, *(role for rule in store.models.values() for role in rule.required_roles)}
        # A package is about the sealed bytes, which takes a pass over all of them; it is asked for where it is required.
        sealed = self.packaged() if "packager" in wanted else None
        statements = [(name, envelope) for name, envelope in read_statements(self.path, openers) if sealed or name.endswith(SEALED)]
        try:
            return require_provenance(
                store,
                statements,
                subject_sha256=self.root(),
                model_id=model_id,
                seen=_seen(),
                now=datetime.datetime.now(datetime.UTC),
                sealed=sealed,
            )
        except IntegrityError as error:
            raise IntegrityError(f"{self.path.name}: {error.problem}", remedy=error.remedy) from None


@contextmanager
def open_model(path: Path, openers: Sequence[Opener]) -> Iterator[OpenedModel]:
    """Open the headers of a sealed model, and keep its files open meanwhile.

    Raises:
        UnsealError: If anything is wrong with a file, or nothing fits: also that what is inside is no model.
        StorageError: If a file cannot be read.
    """
    with as_unseal_error(), ExitStack() as stack:
        payload = _opened(path, openers, stack)
        if not path.name.endswith(INDEX + SEALED):
            file = SealedTensors.open(payload)
            told = file.layout.metadata.get(KEY)
            yield OpenedModel(path, {"": file}, None if told is None else TensorDigests.read(told), {path.name: payload}, None)
            return
        content = payload.read(LONGEST)
        index = parse_index(content, path.name)
        files = {name: SealedTensors.open(_opened(path.with_name(name + SEALED), openers, stack)) for name in index.shards()}
        index.require_places({name: file.layout for name, file in files.items()})
        sealed = {path.name: payload, **{name + SEALED: file.payload for name, file in files.items()}}
        yield OpenedModel(path, files, index.digests, sealed, content)


@contextmanager
def as_unseal_error() -> Iterator[None]:
    """Whatever is wrong with a sealed model is one kind of error."""
    try:
        yield
    except UnsealError:
        raise
    except (IntegrityError, ModelError) as error:
        raise UnsealError(error.problem, remedy=error.remedy) from error


def remember(provenance: Provenance) -> Provenance:
    """Remember the version of a model, once all of it has verified."""
    return remember_version(provenance, _seen())


def _opened(path: Path, openers: Sequence[Opener], stack: ExitStack) -> Payload:
    return stack.enter_context(open_sealed(stack.enter_context(open_regular(path)), openers))


def _seen() -> SeenVersions:
    return SeenVersions(private_path(FILE).parent)
