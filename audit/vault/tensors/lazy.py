"""Sealed tensors by their names, each opened when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from torch import Tensor

from audit.vault.tensors.loading import SealedTensors
from classifier.errors import ConfigurationError, IntegrityError, ModelError, UnsealError

if TYPE_CHECKING:
    from audit.vault.signing.provenance import Provenance


class LazyTensors(Mapping[str, Tensor]):
    """A mapping from names to tensors, which are opened, and verified if the model is signed, each time that they are asked for.

    The files stay open until it is closed, left as a context, or forgotten.

    Args:
        files: The sealed files.
        digests: SHA-256 that each tensor must have; ``None`` where nothing says so.
        provenance: Who vouches for them; ``None`` where nobody was asked.
        held: What keeps the files open.
    """

    def __init__(
        self, files: tuple[SealedTensors, ...], digests: Mapping[str, str] | None, provenance: Provenance | None, held: ExitStack
    ) -> None:
        self._files = {name: file for file in files for name in file.layout.tensors}
        self._digests, self._held, self._closed = digests, held, False
        #: Who vouches for the tensors; ``None`` where nobody was asked.
        self.provenance = provenance
        #: What the files tell beside their tensors.
        self.metadata = {key: text for file in files for key, text in file.layout.metadata.items()}

    def __getitem__(self, name: str) -> Tensor:
        file = self._files[name]
        if self._closed:
            raise ConfigurationError("these sealed tensors were closed", remedy="open them again")
        try:
            return file.tensor(name, None if self._digests is None else self._digests[name])
        except UnsealError:
            raise
        except (IntegrityError, ModelError) as error:
            raise UnsealError(error.problem, remedy=error.remedy) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def close(self) -> None:
        """Close the files. Tensors that were handed out stay."""
        self._closed = True
        self._held.close()

    def __enter__(self) -> LazyTensors:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{len(self)} sealed tensors>"
