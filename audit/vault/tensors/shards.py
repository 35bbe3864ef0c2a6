"""Models in shards, as large language models come: several files of tensors, and an index that says which is where."""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audit.strict_json import parse_strictly
from audit.vault.tensors.manifest import KEY, TensorDigests
from classifier.errors import IntegrityError
from classifier.formats.safetensors_layout import Layout

#: How the name of an index ends.
INDEX = ".safetensors.index.json"
MOST_SHARDS = 4096
#: Bytes that an index may have; one of 300,000 tensors has about as many. Reading it takes up to 30 times as much memory.
LONGEST = 1 << 26


@dataclass(frozen=True)
class Index:
    """Which tensor is in which shard.

    Args:
        places: The name of the shard, by the name of the tensor.
        content: The whole index as it was read.
        digests: SHA-256 of every tensor of every shard; ``None`` before it is sealed.
        name: What the index is called in an error.
    """

    places: Mapping[str, str]
    content: Mapping[str, Any]
    digests: TensorDigests | None
    name: str

    def shards(self) -> list[str]:
        """The names of the shards, in their order."""
        return sorted(set(self.places.values()))

    def require_places(self, layouts: Mapping[str, Layout]) -> None:
        """Require that each shard holds the tensors that the index places in it, and no others.

        Raises:
            IntegrityError: If one does not.
        """
        placed: dict[str, set[str]] = defaultdict(set)
        for tensor, shard in self.places.items():
            placed[shard].add(tensor)
        for shard, layout in layouts.items():
            if placed[shard] != layout.tensors.keys():
                wrong = min(placed[shard] ^ layout.tensors.keys())
                raise IntegrityError(f"{self.name} and {shard} disagree about tensor {wrong!r}", remedy="take all shards of one version")

    def with_digests(self, digests: TensorDigests) -> bytes:
        """The index as JSON, with the digests among its members.

        Raises:
            IntegrityError: If it would be too long to be read again.
        """
        content = json.dumps({**self.content, KEY: json.loads(digests.written())}, ensure_ascii=False, indent=2).encode()
        if len(content) > LONGEST:
            raise IntegrityError(
                f"{self.name} would have {len(content)} bytes with the digests of its tensors, allowed are {LONGEST}",
                remedy="merge small tensors",
            )
        return content


def parse_index(content: bytes, name: str) -> Index:
    """Read an index ``{"metadata": ..., "weight_map": {tensor: file}}``.

    Raises:
        IntegrityError: If it is none, or names a file that does not lie beside it, or one name in two spellings.
    """
    found = parse_strictly(content, name, longest=LONGEST)
    places = found.get("weight_map") if isinstance(found, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(place, str) for place in places.values()):
        raise IntegrityError(
            f"{name} is no index of shards: it has no weight_map from tensors to files", remedy="take it from its origin again"
        )
    shards = sorted(set(places.values()))
    for shard in shards:
        if not shard.endswith(".safetensors") or {"/", "\\", "\0"} & set(shard) or not shard.isprintable():
            raise IntegrityError(
                f"{name} names the shard {shard!r}, required is a safetensors file beside it", remedy="take it from its origin again"
            )
    if len(shards) > MOST_SHARDS or len(set(map(_folded, shards))) < len(shards):
        raise IntegrityError(
            f"{name} names {len(shards)} shards, allowed are {MOST_SHARDS} that differ in more than case and spelling", remedy="merge some"
        )
    digests = TensorDigests.read(json.dumps(found[KEY], ensure_ascii=False)) if KEY in found else None
    return Index(places, found, digests, name)


def _folded(name: str) -> str:
    """What some systems make of a name: two of which this is the same are one file there."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
