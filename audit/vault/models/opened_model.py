"""A sealed model whose header is open: what it holds, by which root it is signed, and who vouches for it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from audit.vault.age.parties import Opener
from audit.vault.keys.own_keys import private_path
from audit.vault.models.statement_files import SEALED, read_statements
from audit.vault.sealed_file import open_sealed
from audit.vault.signing.predicates import Packaged
from audit.vault.signing.provenance import Provenance, remember_version, require_provenance
from audit.vault.signing.seen import FILE, SeenVersions
from audit.vault.signing.trust_store import TrustStore
from audit.vault.tensors.loading import SealedTensors
from audit.vault.tensors.manifest import KEY, TensorDigests
from audit.vault.tensors.shards import INDEX, LONGEST, parse_index
from classifier.errors import IntegrityError, UnsealError
from classifier.records import sha256_file


@dataclass(frozen=True)
class OpenedModel:
    """A sealed model in one file, or in shards with an index.

    Args:
        path: The sealed file, or the sealed index.
        files: What is under encryption, by the name of the file; of a model in one file, that is ``""``.
        digests: What it says of its tensors; ``None`` where an earlier release sealed it.
    """

    path: Path
    files: Mapping[str, SealedTensors]
    digests: TensorDigests | None

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

    def expected(self) -> dict[str, str] | None:
        """The digest that each tensor must have, by its name."""
        if self.digests is None:
            return None
        return {tensor: digest for name, file in self.files.items() for tensor, digest in self.digests.of(name, file.layout).items()}

    def load(self, *, verified: bool) -> dict[str, Tensor]:
        """Every tensor.

        Args:
            verified: Whether to hold each against its digest, in the same pass.

        Raises:
            IntegrityError: If one has another digest, or an earlier release sealed them and they are to be verified.
        """
        tensors: dict[str, Tensor] = {}
        found: dict[str, str] = {}
        for file in self.files.values():
            loaded, digests = file.load(hashed=verified)
            tensors |= loaded
            found |= digests
        if verified and found != self.expected():
            raise IntegrityError(f"{self.path.name} holds other tensors than it states", remedy="take it from its origin again")
        return tensors

    def verify(self) -> None:
        """Hold every tensor against its digest, with one of them in memory at a time.

        Raises:
            IntegrityError: If one has another digest, or an earlier release sealed them.
        """
        for name, file in self.files.items():
            for tensor, digest in (self.digests.of(name, file.layout) if self.digests is not None else {}).items():
                file.tensor(tensor, digest)

    def require_provenance(self, store: TrustStore, openers: Sequence[Opener], model_id: str | None) -> Provenance:
        """Require the statements that the trust store asks for, about this very root; see `audit.vault.signing.provenance`.

        Raises:
            IntegrityError: If one is missing.
        """
        wanted = {*store.required_roles, *(role for rule in store.models.values() for role in rule.required_roles)}
        # A package is about the sealed bytes, which takes a pass over all of them; it is asked for where it is required.
        packaged = sha256_file(self.path) if "packager" in wanted else None
        statements = [(name, envelope) for name, envelope in read_statements(self.path, openers) if packaged or name.endswith(SEALED)]
        try:
            provenance = require_provenance(
                store,
                statements,
                subject_sha256=self.root(),
                model_id=model_id,
                seen=_seen(),
                now=datetime.datetime.now(datetime.UTC),
                file_sha256=packaged,
            )
        except IntegrityError as error:
            raise IntegrityError(f"{self.path.name}: {error.problem}", remedy=error.remedy) from None
        for vouched in provenance.statements:
            if isinstance(vouched.statement.predicate, Packaged) and vouched.statement.subjects[0].name != self.path.name:
                name = vouched.statement.subjects[0].name
                raise IntegrityError(
                    f"{self.path.name} was packaged as {name}", remedy="give it back its name, or ask its packager for a new statement"
                )
        return provenance


@contextmanager
def open_model(path: Path, openers: Sequence[Opener]) -> Iterator[OpenedModel]:
    """Open the headers of a sealed model, and keep its files open meanwhile.

    Raises:
        UnsealError: If anything is wrong with a file, or nothing fits: also that what is inside is no model.
        StorageError: If a file cannot be read.
    """
    with as_unseal_error(), ExitStack() as stack:
        if not path.name.endswith(INDEX + SEALED):
            file = SealedTensors.open(stack.enter_context(open_sealed(path, openers)))
            told = file.layout.metadata.get(KEY)
            yield OpenedModel(path, {"": file}, None if told is None else TensorDigests.read(told))
            return
        payload = stack.enter_context(open_sealed(path, openers))
        index = parse_index(payload.read(LONGEST), path.name)
        files = {
            name: SealedTensors.open(stack.enter_context(open_sealed(path.with_name(name + SEALED), openers))) for name in index.shards()
        }
        index.require_places({name: file.layout for name, file in files.items()})
        yield OpenedModel(path, files, index.digests)


@contextmanager
def as_unseal_error() -> Iterator[None]:
    """Whatever is wrong with a sealed model is one kind of error."""
    try:
        yield
    except UnsealError:
        raise
    except IntegrityError as error:
        raise UnsealError(error.problem, remedy=error.remedy) from error


def remember(provenance: Provenance) -> Provenance:
    """Remember the version of a model, once all of it has verified."""
    return remember_version(provenance, _seen())


def _seen() -> SeenVersions:
    return SeenVersions(private_path(FILE).parent)
