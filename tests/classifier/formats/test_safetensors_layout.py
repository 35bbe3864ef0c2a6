"""The strict reading of a safetensors header."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save

from classifier.errors import IntegrityError
from classifier.formats.safetensors_layout import byte_count, parse_layout, read_layout, write_header

TENSORS = {
    "weight": torch.arange(6.0).reshape(2, 3),
    "half": torch.ones(5, dtype=torch.bfloat16),
    "empty": torch.ones(0, 4),
    "one": torch.tensor(7, dtype=torch.int64),
}


def read(content: bytes) -> Any:
    return read_layout(BytesIO(content), len(content))


def made(document: dict[str, Any] | str, data: int) -> Any:
    text = document if isinstance(document, str) else json.dumps(document)
    return parse_layout(text.encode(), data)


def slot(begin: int, end: int, shape: list[Any] | None = None, dtype: Any = "U8") -> dict[str, Any]:
    return {"dtype": dtype, "shape": [end - begin] if shape is None else shape, "data_offsets": [begin, end]}


def test_a_layout_finds_the_bytes_that_the_library_wrote() -> None:
    content = save(TENSORS, {"format": "pt"})
    layout = read(content)
    assert layout.metadata == {"format": "pt"}
    assert layout.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        found = layout.tensors[name]
        assert found.shape == tuple(tensor.shape)
        assert content[found.begin : found.end] == tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


def test_a_header_that_is_written_here_is_read_by_the_library() -> None:
    header = write_header([("a", "F32", (2,)), ("名", "U8", (3,))], {"told": "ü"})
    content = header + torch.tensor([1.5, 2.5]).numpy().tobytes() + bytes([1, 2, 3])
    tensors = load(content)
    assert tensors["a"].tolist() == [1.5, 2.5]
    assert tensors["名"].tolist() == [1, 2, 3]
    assert len(header) % 8 == 0
    assert read(content).metadata == {"told": "ü"}


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"a": slot(0, 4), "b": slot(2, 8)}, "begins at byte"),
        ({"a": slot(0, 4), "b": slot(5, 8)}, "begins at byte"),
        ({"a": slot(0, 4)}, "end at byte"),
        ({"a": slot(0, 9)}, "the file ends at"),
        ({"a": slot(4, 0, [4])}, "the file ends at"),
        ({"a": slot(0, 8, [2], "F64")}, "its shape needs 16"),
        ({"a": slot(0, 8, [8], "F65")}, "does not know"),
        ({"a": slot(0, 8, [8], None)}, "does not know"),
        ({"a": slot(0, 8, [-8])}, "whole numbers from 0"),
        ({"a": slot(0, 8, [True, 8])}, "whole numbers from 0"),
        ({"a": slot(0, 8, [8.0])}, "whole numbers from 0"),
        ({"a": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8, 8]}}, "whole numbers from 0"),
        ({"a": {"dtype": "U8", "shape": [8]}}, "not described"),
        ({"a": {**slot(0, 8), "extra": 1}}, "not described"),
        ({"a": slot(0, 8, [17], "F4")}, "inside a byte"),
        ({"a": slot(0, 8, [1 << 62, 1 << 62])}, "bits or more"),
        ({"a": slot(0, 0, [0, 1 << 62, 1 << 62]), "b": slot(0, 8)}, "bits or more"),
        ({"a": slot(0, 0, [0, 1 << 60]), "b": slot(0, 8)}, "bits or more"),
        ({"a": slot(0, 8, [1] * 65)}, "has 65 dimensions, allowed are 64"),
        ({"a": slot(0, 8, [(1 << 63) - 1] * 300)}, "has 300 dimensions"),
        ({"a": slot(0, 8, [(1 << 63) - 1] * 60)}, "bits or more"),
        ({"a": slot(0, 8, [8], [[]])}, "the type of kind list"),
        ('{"a":{"dtype":' + "[" * 900 + "]" * 900 + ',"shape":[8],"data_offsets":[0,8]}}', "the type of kind list"),
        ({"a" * 10_000: {}}, r"^.{0,200}$"),
        ({"\ud800": slot(0, 8)}, "half of a character"),
        ({"__metadata__": {"\udc00": ""}, "a": slot(0, 8)}, "half of a character"),
        ({"__metadata__": {"n": "\ud83d"}, "m": slot(0, 8)}, "half of a character"),
        ({"__metadata__": {"n": 1}, "a": slot(0, 8)}, "metadata"),
        ('{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}', "twice"),
        ('{"__metadata__":{"x":"1","x":"2"},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}', "twice"),
        (" {}", "brace"),
        ("{", "not JSON"),
        ('{"a":' + "[" * 100_000, "not JSON"),
    ],
)
def test_a_malformed_header_is_refused(document: dict[str, Any] | str, fault: str) -> None:
    with pytest.raises(IntegrityError, match=fault):
        made(document, 8)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be", "utf-8-sig", "latin-1"])
def test_a_header_in_another_encoding_than_utf_8_is_refused(encoding: str) -> None:
    header = json.dumps({"é": slot(0, 8)}, ensure_ascii=False).encode(encoding)
    with pytest.raises(IntegrityError, match=r"not JSON|brace"):
        parse_layout(header, 8)


def test_a_header_of_many_names_or_dimensions_is_refused_in_one_pass() -> None:
    # What compares each with each, or multiplies them all, takes minutes.
    many = 200_000
    names = "".join(f'"{i}":0,' for i in range(many))
    with pytest.raises(IntegrityError, match="names '77' twice"):
        made(f'{{{names}"77":0}}', 8)
    shape = f"{(1 << 63) - 1}," * many
    with pytest.raises(IntegrityError, match=f"has {many + 1} dimensions"):
        made(f'{{"a":{{"dtype":"U8","shape":[{shape}1],"data_offsets":[0,8]}}}}', 8)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0, 1 << 50), (1,) * 64, (), ((1 << 57) - 1, 0)])
def test_a_tensor_that_a_header_allows_can_be_made(shape: tuple[int, ...]) -> None:
    size = byte_count("F64", shape)
    made({"a": slot(0, size, list(shape), "F64")}, size)
    assert torch.empty(shape, dtype=torch.float64).shape == shape


@pytest.mark.parametrize("claimed", [1 << 63, 100_000_001, 300])
def test_a_header_that_claims_more_than_there_is_is_refused_before_it_is_read(claimed: int) -> None:
    class Watched(BytesIO):
        most = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.most = max(self.most, size or 0)
            return super().read(size)

    content = claimed.to_bytes(8, "little") + b"{}" + bytes(100)
    source = Watched(content)
    with pytest.raises(IntegrityError, match="claims"):
        read_layout(source, len(content))
    assert source.most == 8


@pytest.mark.parametrize("size", [0, 7])
def test_a_file_that_is_shorter_than_a_length_is_refused(size: int) -> None:
    with pytest.raises(IntegrityError, match="required are 8"):
        read(bytes(size))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_layout_or_an_error(content: bytes) -> None:
    try:
        layout = read(content)
    except IntegrityError:
        return
    assert layout.size == len(content)


@given(st.integers(0, 600), st.integers(1, 255))
def test_a_changed_byte_of_a_header_never_gives_a_tensor_outside_the_file(at: int, change: int) -> None:
    content = bytearray(save(TENSORS, {"format": "pt"}))
    content[at % len(content)] ^= change
    try:
        layout = read(bytes(content))
    except IntegrityError:
        return
    assert all(layout.data_start <= found.begin <= found.end <= len(content) for found in layout.tensors.values())
