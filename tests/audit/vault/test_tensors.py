"""Tensors under encryption: written with their digests, loaded whole or one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pyrage
import pytest
import safetensors.torch
import torch
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from audit.vault import ALLOW_UNSIGNED, Identity, decrypt_file, generate_identity, open_tensors, seal_model_file
from audit.vault.age import payload as payloads
from audit.vault.age import threads
from audit.vault.age.container import payload_key, wrap_header
from audit.vault.age.payload import BLOCK, Payload
from audit.vault.age.stream import CHUNK, nonce
from audit.vault.keys.identity import parse_recipients
from audit.vault.sealed_file import open_sealed
from audit.vault.tensors import loading
from audit.vault.tensors.loading import SealedTensors
from audit.vault.tensors.manifest import KEY, TensorDigests, new_salt
from audit.vault.tensors.types import _TORCH
from audit.vault.tensors.writing import Unsealed
from classifier.errors import ConfigurationError, IntegrityError, UnsealError
from classifier.formats.safetensors_layout import parse_layout, write_header
from classifier.records import file_atomically

CLASSICAL = generate_identity("x25519")


@pytest.fixture(autouse=True)
def _several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 3)


def some_tensors() -> dict[str, Tensor]:
    return {
        "large": torch.randn(BLOCK // 2 + 1),
        "middle": torch.randn(3, CHUNK),
        **{f"small.{i}": torch.randn(i, 3) for i in range(20)},
        "bytes": torch.arange(101, dtype=torch.uint8),
        "number": torch.tensor(3.5, dtype=torch.float64),
        "空": torch.empty(0, 7),
    }


def write(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None, salt: str | None = None) -> TensorDigests:
    salt = salt or new_salt()
    with file_atomically(path) as file:
        unsealed = Unsealed.of_tensors(tensors, metadata or {})
        _, digests = unsealed.write(file, parse_recipients([CLASSICAL.recipient]), salt=salt)
    return TensorDigests(salt, {"": digests})


def hashed(tensor: Tensor) -> str:
    return sha256(tensor.reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()


def test_tensors_come_back_with_the_digests_that_the_file_states(tmp_path: Path) -> None:
    tensors = some_tensors()
    stated = write(tensors, tmp_path / "m.age", {"told": "me"})
    with open_sealed(tmp_path / "m.age", [CLASSICAL]) as payload:
        file = SealedTensors.open(payload)
        loaded, digests = file.load(hashed=True)
        unhashed, none = file.load(hashed=False)
    assert loaded.keys() == unhashed.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], tensor) and torch.equal(unhashed[name], tensor) for name, tensor in tensors.items())
    assert digests == {name: hashed(tensor) for name, tensor in tensors.items()} == stated.of("", file.layout)
    assert none == {}
    assert TensorDigests.read(file.layout.metadata[KEY]) == stated
    assert file.layout.metadata["told"] == "me"


def test_any_age_tool_and_safetensors_read_what_is_inside(tmp_path: Path) -> None:
    tensors = some_tensors()
    write(tensors, tmp_path / "m.age")
    plain = pyrage.decrypt((tmp_path / "m.age").read_bytes(), [pyrage.x25519.Identity.from_str(CLASSICAL.reveal())])
    again = safetensors.torch.load(plain)
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize("dtype", _TORCH.values(), ids=str)
def test_every_type_of_number_keeps_its_bits(dtype: torch.dtype, tmp_path: Path) -> None:
    width = torch.empty(0, dtype=dtype).element_size()
    bits = torch.randint(0, 2 if dtype is torch.bool else 256, (6 * width,), dtype=torch.uint8)
    tensor = bits.view(dtype).reshape(2, 3)
    save_file({"t": tensor, "odd": torch.ones(3, dtype=torch.uint8)}, tmp_path / "m.safetensors")
    seal_model_file(tmp_path / "m.safetensors", tmp_path / "m.age", recipients=[CLASSICAL.recipient])
    found = open_tensors(tmp_path / "m.age", identities=[CLASSICAL], trusted=ALLOW_UNSIGNED)["t"]
    assert (found.dtype, found.shape) == (dtype, tensor.shape)
    assert torch.equal(found.reshape(-1).view(torch.uint8), bits)


def test_a_type_that_torch_lacks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(write_header([("t", "F6_E2M3", (4,))], {}) + bytes(3))
    seal_model_file(tmp_path / "m.safetensors", tmp_path / "m.age", recipients=[CLASSICAL.recipient])
    with pytest.raises(UnsealError, match="torch has no type for numbers of type F6_E2M3"):
        open_tensors(tmp_path / "m.age", identities=[CLASSICAL], trusted=ALLOW_UNSIGNED)["t"]


@given(st.lists(st.integers(0, 3 * CHUNK), min_size=1, max_size=12), st.integers(1, 40))
def test_tensors_of_any_sizes_are_hashed_right_by_several_threads(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], block: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.age"
    tensors = {f"{i}": torch.randint(0, 256, (size,), dtype=torch.uint8) for i, size in enumerate(sizes)}
    write(tensors, path)
    with open_sealed(path, [CLASSICAL]) as payload:
        loaded, digests = SealedTensors.open(payload).load(hashed=True)
    assert digests == {name: hashed(tensor) for name, tensor in tensors.items()}
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())


def test_loaded_tensors_are_aligned_and_can_be_written_to(tmp_path: Path) -> None:
    write(some_tensors(), tmp_path / "m.age")
    with open_sealed(tmp_path / "m.age", [CLASSICAL]) as payload:
        loaded, _ = SealedTensors.open(payload).load(hashed=False)
    for tensor in loaded.values():
        assert tensor.data_ptr() % tensor.element_size() == 0
        tensor.zero_()


def test_one_tensor_is_opened_from_the_chunks_that_it_lies_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write({f"{i}": torch.randn(5 * CHUNK) for i in range(8)}, tmp_path / "m.age")
    opened: list[int] = []
    original = Payload._open

    def counted(self: Payload, chunk: int, sealed: memoryview, plain: memoryview) -> None:
        opened.append(chunk)
        original(self, chunk, sealed, plain)

    monkeypatch.setattr(payloads.Payload, "_open", counted)
    tensors = open_tensors(tmp_path / "m.age", identities=[CLASSICAL], trusted=ALLOW_UNSIGNED)
    header = list(opened)
    assert len(header) == 2  # the last chunk, and the one that the header lies in
    tensors["4"]
    size = 4 * 5 * CHUNK
    assert len(opened) - len(header) <= size // CHUNK + 1


@pytest.mark.parametrize("sizes", [[0], [1], [0, 0, 1, 0], [BLOCK], [BLOCK - 1, 2, BLOCK + 1], [3 * BLOCK + 7, 5], [40_000] * 70])
def test_what_is_extracted_is_the_plaintext_and_was_hashed_in_constant_memory(
    sizes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = {f"{i:03}": torch.randint(0, 256, (size,), dtype=torch.uint8) for i, size in enumerate(sizes)}
    stated = write(tensors, tmp_path / "m.age", {"told": "me"})
    decrypt_file(tmp_path / "m.age", tmp_path / "expected", identities=[CLASSICAL])
    monkeypatch.setattr(loading, "_memory", None)  # what a tensor would be opened into
    with open_sealed(tmp_path / "m.age", [CLASSICAL]) as payload:
        file = SealedTensors.open(payload)
        digests = stated.of("", file.layout)
        with (tmp_path / "plain").open("wb") as plain:
            file.extract(plain.fileno(), digests)
        assert (tmp_path / "plain").read_bytes() == (tmp_path / "expected").read_bytes()
        for name in digests:
            with pytest.raises(IntegrityError, match="other numbers"):
                file.extract(None, {**digests, name: "00" * 32})


def test_a_file_that_is_mostly_a_hole_takes_no_memory(tmp_path: Path) -> None:
    """4 TiB of zeros, of which only the header and the last chunk were ever sealed."""
    size = 1 << 42
    head = write_header([("t", "U8", (size,))], {})
    plain = head + bytes(CHUNK - len(head))
    file_key, nonces = bytes(16), bytes(16)
    chunks = -(-(len(head) + size) // CHUNK)
    cipher = ChaCha20Poly1305(payload_key(file_key, nonces))
    with (tmp_path / "m.age").open("wb") as file:
        file.write(wrap_header(file_key, parse_recipients([CLASSICAL.recipient])) + nonces)
        start = file.tell()
        file.write(cipher.encrypt(nonce(0, False), plain, None))
        file.seek(start + (chunks - 1) * (CHUNK + 16))
        file.write(cipher.encrypt(nonce(chunks - 1, True), bytes((len(head) + size) % CHUNK), None))
    with open_tensors(tmp_path / "m.age", identities=[CLASSICAL], trusted=ALLOW_UNSIGNED) as lazy, pytest.raises(UnsealError):
        lazy["t"]
    with open_sealed(tmp_path / "m.age", [CLASSICAL]) as payload, pytest.raises(UnsealError):
        SealedTensors.open(payload).load(hashed=False)


def test_a_shape_that_torch_does_not_take_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write({"t": torch.empty(0, 3)}, tmp_path / "m.age")
    with open_tensors(tmp_path / "m.age", identities=[CLASSICAL], trusted=ALLOW_UNSIGNED) as lazy:
        file = lazy._files["t"]
        monkeypatch.setitem(file.layout.tensors, "t", replace(file.layout.tensors["t"], shape=(0, 1 << 62, 1 << 62)))  # type: ignore[arg-type]
        with pytest.raises(UnsealError, match="torch has no tensor of the shape"):
            lazy["t"]


def test_lazy_tensors_are_a_mapping_that_keeps_its_file_open(tmp_path: Path) -> None:
    tensors = some_tensors()
    write(tensors, tmp_path / "m.age", {"told": "me"})
    with open_tensors(tmp_path / "m.age", identities=[CLASSICAL], trusted=ALLOW_UNSIGNED) as lazy:
        (tmp_path / "m.age").rename(tmp_path / "elsewhere.age")
        (tmp_path / "m.age").write_bytes(b"another file")
        assert set(lazy) == tensors.keys()
        assert len(lazy) == len(tensors)
        assert lazy.metadata["told"] == "me"
        assert all(torch.equal(lazy[name], tensor) for name, tensor in tensors.items())
        with pytest.raises(KeyError):
            lazy["absent"]
    with pytest.raises(ConfigurationError, match="closed"):
        lazy["large"]


def test_a_safetensors_file_of_any_origin_keeps_its_order_and_metadata(tmp_path: Path, identity: Identity) -> None:
    header = write_header([("z", "U8", (3,)), ("a", "F32", (1,))], {"format": "pt"})
    (tmp_path / "m.safetensors").write_bytes(header + bytes(7))
    seal_model_file(tmp_path / "m.safetensors", tmp_path / "m.age", recipients=[identity.recipient])
    decrypt_file(tmp_path / "m.age", tmp_path / "again.safetensors", identities=[identity])
    content = (tmp_path / "again.safetensors").read_bytes()
    layout = parse_layout(content[8 : 8 + int.from_bytes(content[:8], "little")], 7)
    assert list(layout.tensors) == ["z", "a"]
    assert layout.metadata.keys() == {"format", KEY}
    # "a" begins at an odd byte, where torch wants none to begin.
    assert open_tensors(tmp_path / "m.age", identities=[identity], trusted=ALLOW_UNSIGNED)["a"].tolist() == [0.0]


def test_a_file_that_was_sealed_before_keeps_its_root(tmp_path: Path, identity: Identity) -> None:
    save_file({"t": torch.randn(4)}, tmp_path / "m.safetensors")
    roots = []
    for _ in range(2):
        seal_model_file(tmp_path / "m.safetensors", tmp_path / "m.age", recipients=[identity.recipient])
        decrypt_file(tmp_path / "m.age", tmp_path / "m.safetensors", identities=[identity])
        content = (tmp_path / "m.safetensors").read_bytes()
        layout = parse_layout(content[8 : 8 + int.from_bytes(content[:8], "little")], 16)
        roots.append(TensorDigests.read(layout.metadata[KEY]).root([("", layout)]))
    assert roots[0] == roots[1]


@pytest.mark.parametrize("content", [b"no safetensors", b"", bytes(8), (1 << 40).to_bytes(8, "little") + b"{}"])
def test_what_is_no_safetensors_file_is_not_sealed_as_one(content: bytes, tmp_path: Path, identity: Identity) -> None:
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(IntegrityError, match="no safetensors file"):
        seal_model_file(tmp_path / "m.safetensors", tmp_path / "m.age", recipients=[identity.recipient])
    assert not (tmp_path / "m.age").exists()


def test_the_manifest_is_the_published_canonical_form(tmp_path: Path) -> None:
    layout = parse_layout(write_header([("b", "F32", (2,)), ("a", "U8", (1,))], {"x": "é", KEY: "not counted"})[8:], 9)
    digests = TensorDigests("ab" * 32, {"": ("01" * 32, "23" * 32)})
    tensors = (
        f'{{"dtype":"F32","name":"b","sha256":"{"01" * 32}","shape":[2]}}',
        f'{{"dtype":"U8","name":"a","sha256":"{"23" * 32}","shape":[1]}}',
    )
    written = f'{{"files":[{{"metadata":{{"x":"é"}},"name":"","tensors":[{",".join(tensors)}]}}],"salt":"{"ab" * 32}","version":1}}'
    assert digests.root([("", layout)]) == sha256(written.encode()).hexdigest()


def test_the_salt_makes_the_root_of_the_same_model_another(tmp_path: Path) -> None:
    layout = parse_layout(write_header([("a", "U8", (1,))], {})[8:], 1)
    roots = {TensorDigests(new_salt(), {"": ("01" * 32,)}).root([("", layout)]) for _ in range(20)}
    assert len(roots) == 20


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        '{"version":1}',
        json.dumps({"version": 2, "salt": "00" * 32, "sha256": {}}),
        json.dumps({"version": 1, "salt": "00" * 31, "sha256": {}}),
        json.dumps({"version": 1, "salt": "GG" * 32, "sha256": {}}),
        json.dumps({"version": 1, "salt": "00" * 32, "sha256": {"": ["00"]}}),
        json.dumps({"version": 1, "salt": "00" * 32, "sha256": {"": "00" * 32}}),
        json.dumps({"version": 1, "salt": "00" * 32, "sha256": []}),
        json.dumps({"version": 1, "salt": "00" * 32, "sha256": {"": [None]}}),
        '{"version":1,"salt":"' + "00" * 32 + '","salt":"' + "11" * 32 + '","sha256":{}}',
    ],
)
def test_malformed_digests_are_refused(text: str | None) -> None:
    with pytest.raises(IntegrityError):
        TensorDigests.read(text)


def test_digests_of_another_number_of_tensors_are_refused() -> None:
    layout = parse_layout(write_header([("a", "U8", (1,))], {})[8:], 1)
    for digests in (
        TensorDigests("00" * 32, {}),
        TensorDigests("00" * 32, {"": ("00" * 32,) * 2}),
        TensorDigests("00" * 32, {"x": ("0" * 64,)}),
    ):
        with pytest.raises(IntegrityError):
            digests.root([("", layout)])


def test_a_lazy_tensor_with_a_changed_byte_is_refused_and_the_others_open(tmp_path: Path) -> None:
    tensors = {f"{i}": torch.randn(CHUNK) for i in range(4)}
    write(tensors, tmp_path / "m.age")
    content = bytearray((tmp_path / "m.age").read_bytes())
    content[len(content) // 2 + 2 * CHUNK] ^= 1
    (tmp_path / "m.age").write_bytes(content)
    lazy = open_tensors(tmp_path / "m.age", identities=[CLASSICAL], trusted=ALLOW_UNSIGNED)
    shut = []
    for name, tensor in tensors.items():
        try:
            assert torch.equal(lazy[name], tensor)
        except UnsealError:
            shut.append(name)
    assert len(shut) == 1
