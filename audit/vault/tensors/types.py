"""What safetensors and torch call the types of numbers."""

from __future__ import annotations

import torch

from classifier.errors import ModelError

_TORCH = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E8M0": torch.float8_e8m0fnu,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "C64": torch.complex64,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_SAFETENSORS = {dtype: name for name, dtype in _TORCH.items()}


def torch_type(name: str) -> torch.dtype:
    """What torch calls the type that safetensors calls `name`, ``"F32"``.

    Raises:
        ModelError: If torch has none.
    """
    if name not in _TORCH:
        raise ModelError(
            f"torch has no type for numbers of type {name}", remedy="open the file with decrypt_file, and read it with another library"
        )
    return _TORCH[name]


def safetensors_type(dtype: torch.dtype) -> str:
    """What safetensors calls a type of torch.

    Raises:
        ModelError: If it has none.
    """
    if dtype not in _SAFETENSORS:
        raise ModelError(f"safetensors has no type for numbers of {dtype}", remedy="convert the tensor, as by tensor.float()")
    return _SAFETENSORS[dtype]
