"""The manifest of a sealed model, and its root: the one digest that stands for all that decides what the model does."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from audit.strict_json import parse_strictly
from audit.vault.signing.canonical import encode_canonically
from classifier.errors import IntegrityError
from classifier.formats.safetensors_layout import LONGEST_HEADER, Layout
from classifier.records import canonical_json, sha256

#: Where a file keeps salt and digests in its metadata, or an index of shards among its members.
KEY = "assay.digests"
SALT = 32
_HEX = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class TensorDigests:
    """What a sealed model says of its own content, inside the encryption.

    Args:
        salt: 32 random bytes in hexadecimal. Without it, who knows the root of a public or guessable model would know the model.
        sha256: Digest of each tensor, in the order of the file, by the name of the file; of a model in one file, that is ``""``.
    """

    salt: str
    sha256: Mapping[str, tuple[str, ...]]

    def written(self) -> str:
        """As text; its length depends on the counts of tensors and the names of files alone."""
        return canonical_json({"version": 1, "salt": self.salt, "sha256": self.sha256}).decode()

    @classmethod
    def read(cls, text: str | None) -> TensorDigests:
        """Read what `written` wrote.

        Raises:
            IntegrityError: If it is anything else.
        """
        found: Any = parse_strictly(text.encode(), "the digests of a sealed model", longest=LONGEST_HEADER) if text is not None else None
        if not isinstance(found, dict) or found.keys() != {"version", "salt", "sha256"} or found["version"] != 1:
            raise _fault()
        files = found["sha256"]
        if not isinstance(files, dict) or not all(isinstance(digests, list) for digests in files.values()):
            raise _fault()
        if not all(isinstance(text, str) and _HEX.fullmatch(text) for text in chain([found["salt"]], *files.values())):
            raise _fault()
        return cls(found["salt"], {name: tuple(digests) for name, digests in files.items()})

    def of(self, name: str, layout: Layout) -> dict[str, str]:
        """The digest of each tensor of a file, by the name of the tensor.

        Raises:
            IntegrityError: If the file has another number of tensors.
        """
        digests = self.sha256.get(name, ())
        if len(digests) != len(layout.tensors):
            raise _fault()
        return dict(zip(layout.tensors, digests, strict=True))

    def root(self, files: Sequence[tuple[str, Layout]]) -> str:
        """SHA-256 of the canonical manifest (RFC 8785): salt, metadata, and name, type, shape and digest of every tensor.

        Card, schema, classes and architecture of a classifier stand in its metadata, and count as the very text that is there.

        Args:
            files: Name and layout of each file, in their order.

        Raises:
            IntegrityError: If other files are named than there are digests of.
        """
        if [name for name, _ in files] != sorted(self.sha256):
            raise _fault()
        manifest = {
            "version": 1,
            "salt": self.salt,
            "files": [
                {
                    "name": name,
                    "metadata": {key: text for key, text in layout.metadata.items() if key != KEY},
                    "tensors": [
                        {"name": tensor, "dtype": slot.dtype, "shape": list(slot.shape), "sha256": digest}
                        for (tensor, slot), digest in zip(layout.tensors.items(), self.of(name, layout).values(), strict=True)
                    ],
                }
                for name, layout in files
            ],
        }
        try:
            return sha256(encode_canonically(manifest))
        except ValueError:  # text or a size that no two readers of JSON need agree on
            raise _fault() from None


def new_salt() -> str:
    """32 random bytes from the operating system, in hexadecimal."""
    return os.urandom(SALT).hex()


def _fault() -> IntegrityError:
    return IntegrityError("the sealed model does not state the digests of its tensors", remedy="ask its sender to seal it anew")
