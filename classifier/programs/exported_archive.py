"""What a torch.export archive holds, read as data (PT2 archive, schema version 8)."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from classifier.errors import IntegrityError, ModelError

SCHEMA = 8
# Numbers of torch._export.serde.schema.ScalarType.
_DTYPES = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32,
    8: torch.float64, 12: torch.bool, 13: torch.bfloat16,
}  # fmt: skip


def dtype_of(number: int) -> torch.dtype:
    """The type of numbers that the file states by its number.

    Raises:
        ModelError: If there is none, or it is of no use here, as complex numbers are.
    """
    if number not in _DTYPES:
        raise ModelError(f"the program has numbers of the type {number}, which is not known here")
    return _DTYPES[number]


def read_archive(archive: zipfile.ZipFile) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The graph and its tensors, which are raw numbers beside a JSON file; nothing that is pickled is opened.

    Args:
        archive: The opened file.

    Returns:
        The graph as it stands in the file, and each tensor by its name.

    Raises:
        IntegrityError: If it is no archive of this form, or holds what would have to be unpickled or run as code.
    """
    names = archive.namelist()
    graphs = [name for name in names if re.fullmatch(r"[^/]+/models/[^/]+\.json", name)]
    if any("/aotinductor/" in name for name in names):
        raise IntegrityError("the archive holds compiled code, which is not run", remedy="save it with torch.export.save")
    if len(graphs) != 1:
        raise IntegrityError(
            f"the archive holds {len(graphs)} programs, required is one", remedy="save it with torch.export.save of torch 2.8 or later"
        )
    root, model = graphs[0].split("/")[0], graphs[0].rsplit("/", 1)[1].removesuffix(".json")
    document = json.loads(archive.read(graphs[0]))
    version = document.get("schema_version", {}).get("major")
    if version != SCHEMA:
        raise IntegrityError(f"the archive has the schema version {version}, required is {SCHEMA}", remedy="export it with torch 2.13")
    tensors: dict[str, Tensor] = {}
    for folder, kind in (("weights", "weights"), ("constants", "constants")):
        listed = f"{root}/data/{folder}/{model}_{kind}_config.json"
        entries = json.loads(archive.read(listed))["config"] if listed in names else {}
        for name, entry in entries.items():
            if entry["use_pickle"]:
                raise IntegrityError(
                    f"the archive keeps {name!r} as a pickle, which is not opened", remedy="export it without custom objects"
                )
            tensors[name] = _tensor(archive.read(f"{root}/data/{folder}/{entry['path_name']}"), entry["tensor_meta"])
    return document, tensors


def _tensor(content: bytes, meta: Mapping[str, Any]) -> Tensor:
    dtype = dtype_of(meta["dtype"])
    sizes, strides = ([int(extent["as_int"]) for extent in meta[key]] for key in ("sizes", "strides"))
    offset = int(meta["storage_offset"]["as_int"])
    if len(sizes) != len(strides) or min([0, offset, *sizes, *strides]) < 0:
        raise IntegrityError(f"the archive has a tensor of sizes {sizes} and strides {strides} from {offset} on, required is none below 0")
    if 0 in sizes:
        return torch.zeros(sizes, dtype=dtype)
    # Threat: strides and offset say where to read; what they reach must lie within what the file holds.
    reach = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    count = len(content) // dtype.itemsize
    if reach >= count:
        raise IntegrityError(f"the archive has a tensor that reaches to number {reach + 1} of {count}", remedy="export it again")
    return torch.frombuffer(bytearray(content), dtype=dtype, count=count).as_strided(sizes, strides, offset).clone()
