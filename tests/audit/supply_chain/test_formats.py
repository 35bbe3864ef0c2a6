"""Formats of weights: files as their libraries write them raise no alarm, and one thing wrong with them is found."""

from __future__ import annotations

import base64
import io
import json
import marshal
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save

from audit.supply_chain import scan
from audit.supply_chain.formats import json_file

Rules = Callable[..., set[str]]


def safetensors(header: bytes, data: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + data


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"123"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"12345678"),
        (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', b"1234"),
        (b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"1"),
        (b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}', b"123"),
        (b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', b"12"),
    ],
    ids=["cut", "longer", "shape", "twice", "overlap", "gap"],
)
def test_safetensors_that_break_the_format_are_found(header: bytes, data: bytes, rules: Rules) -> None:
    assert rules(safetensors(header, data), "m.safetensors") == {"safetensors.malformed"}


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_numbers_that_are_none_are_found_where_they_are(dtype: str, scanned: Callable[..., Any]) -> None:
    weights = np.arange(6, dtype=dtype)
    assert scanned(save({"w": weights}), "m.safetensors").findings == ()
    weights[[2, 4]], weights[5] = np.nan, -np.inf
    content = save({"w": weights})
    nan, infinite = scanned(content, "m.safetensors").findings
    start = len(content) - weights.nbytes
    assert (nan.rule, nan.severity, nan.offset) == ("weights.nan", "medium", start + 2 * weights.itemsize)
    assert nan.reason == "2 of the numbers of tensor 'w' are not a number"
    assert (infinite.rule, infinite.severity, infinite.offset) == ("weights.infinite", "low", start + 5 * weights.itemsize)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e5m2, torch.float8_e4m3fn])
def test_small_floats_that_are_none_are_found(dtype: torch.dtype, rules: Rules) -> None:
    from safetensors.torch import save as save_torch

    finite = torch.tensor([1.0, -448.0, 0.001]).to(dtype)
    assert rules(save_torch({"w": finite}), "m.safetensors") == set()
    assert "weights.nan" in rules(save_torch({"w": torch.tensor([1.0, torch.nan]).to(dtype)}), "m.safetensors")


@pytest.mark.parametrize("legacy", [False, True])
def test_weights_of_torch_that_are_none_are_found(legacy: bool, rules: Rules) -> None:
    buffer = io.BytesIO()
    torch.save({"w": torch.tensor([1.0, torch.nan])}, buffer, _use_new_zipfile_serialization=not legacy)
    assert rules(buffer.getvalue(), "m.pt") == {"weights.nan"}


def test_storages_of_torch_that_do_not_fit_are_found(rules: Rules) -> None:
    buffer = io.BytesIO()
    torch.save({"w": torch.ones(3)}, buffer, _use_new_zipfile_serialization=False)
    assert "torch.storage" in rules(buffer.getvalue()[:-4], "m.pt")
    assert "pickle.trailing" in rules(buffer.getvalue() + b"\xff\xff", "m.pt")


def array(header: str, data: bytes, version: bytes = b"\x01\x00") -> bytes:
    text = header.encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    "content",
    [
        array("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}", bytes(15)),
        array("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}", bytes(17)),
        array("{'descr': '<f8', 'fortran_order': False, 'shape': (-2,)}", bytes(16)),
        array("{'descr': '<f8', 'fortran_order': False, 'shape': (1 << 60,)}", bytes(16)),
        array("{'descr': '<f8', 'fortran_order': False}", bytes(16)),
        array("__import__('os').system('true')", bytes(16)),
        array("{'descr': '<q99', 'fortran_order': False, 'shape': (2,)}", bytes(16)),
        array("(" * 5000, b""),
        array("{}", b"", version=b"\x07\x00"),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
    ],
)
def test_arrays_that_break_the_format_are_found(content: bytes, rules: Rules) -> None:
    assert rules(content, "a.npy") == {"numpy.malformed"}


def test_an_array_with_objects_in_a_field_is_found(rules: Rules) -> None:
    header = "{'descr': [('a', '<f4'), ('b', [('c', '|O')])], 'fortran_order': False, 'shape': (2,)}"
    assert {"numpy.object", "pickle.global"} <= rules(array(header, b"cposix\nsystem\n."), "a.npy")


def model(*, domain: str = "", weights: np.ndarray | None = None) -> onnx.ModelProto:
    weights = np.ones((2, 2), np.float32) if weights is None else weights
    inner = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"], domain=domain)],
        "inner",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [2])],
    )
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("If", ["c"], ["v"], then_branch=inner, else_branch=inner),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])


def test_an_onnx_file_raises_no_alarm(scanned: Callable[..., Any]) -> None:
    found = scanned(model().SerializeToString(), "m.onnx")
    assert found.findings == ()
    assert found.files[0].kind == "onnx"


def test_operators_of_the_senders_own_are_found_even_inside_a_branch(rules: Rules) -> None:
    assert rules(model(domain="evil.ops").SerializeToString(), "m.onnx") == {"onnx.domain"}


def test_weights_of_onnx_that_are_none_are_found(rules: Rules) -> None:
    assert rules(model(weights=np.array([[1, np.nan]], np.float32)).SerializeToString(), "m.onnx") == {"weights.nan"}
    typed = model()
    typed.graph.initializer[0].CopyFrom(helper.make_tensor("w", TensorProto.FLOAT, [2], [np.inf, 1.0]))
    assert rules(typed.SerializeToString(), "m.onnx") == {"weights.infinite"}
    short = model()
    short.graph.initializer[0].dims[0] = 3
    assert rules(short.SerializeToString(), "m.onnx") == {"onnx.malformed"}


@pytest.mark.parametrize(
    ("location", "offset", "rule"),
    [
        ("data.bin", 0, None),
        ("data.bin", 1, "onnx.missing"),
        ("absent.bin", 0, "onnx.missing"),
        ("../data.bin", 0, "onnx.external"),
        ("sub/../../data.bin", 0, "onnx.external"),
        ("/etc/passwd", 0, "onnx.external"),
        ("C:\\data.bin", 0, "onnx.external"),
        ("link.bin", 0, "onnx.external"),
        ("", 0, "onnx.external"),
    ],
)
def test_data_of_onnx_outside_the_file_are_held_against_its_folder(location: str, offset: int, rule: str | None, tmp_path: Path) -> None:
    made = model()
    tensor = made.graph.initializer[0]
    (tmp_path / "data.bin").write_bytes(tensor.raw_data)
    (tmp_path / "link.bin").symlink_to(tmp_path / "data.bin")
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(len(tensor.raw_data)))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    assert {finding.rule for finding in scan(tmp_path / "m.onnx").findings} == ({rule} if rule else set())


def keras(**layer: Any) -> bytes:
    config = {"class_name": "Functional", "module": "keras.src.models.functional", "config": {"layers": [layer]}}
    buffer = io.BytesIO()
    import zipfile

    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(config))
    return buffer.getvalue()


CODE = base64.b64encode(marshal.dumps(compile("x", "x", "eval"))).decode()


@pytest.mark.parametrize(
    ("layer", "rule"),
    [
        ({"class_name": "Dense", "module": "keras.layers", "config": {"name": "d"}, "registered_name": None}, None),
        ({"class_name": "function", "module": "builtins", "config": "relu", "registered_name": "function"}, None),
        ({"class_name": "Lambda", "module": "keras.layers", "config": {"function": {"class_name": "__lambda__"}}}, "keras.code"),
        ({"class_name": "call", "module": "subprocess", "config": {}}, "keras.module"),
        ({"class_name": "get_file", "module": "keras.utils", "config": {}}, "keras.module"),
        ({"class_name": "function", "module": "builtins", "config": "os.system"}, "keras.module"),
        ({"class_name": "exec", "module": "builtins", "config": {}}, "keras.module"),
        ({"class_name": "Own", "module": "keras.layers", "config": {}, "registered_name": "mine>Own"}, "keras.custom"),
    ],
)
def test_what_a_keras_file_would_import_or_run_is_found(layer: dict[str, Any], rule: str | None, rules: Rules) -> None:
    assert rules(keras(**layer), "m.keras") == ({rule} if rule else set())
    document = json.dumps({"class_name": "Sequential", "config": {"layers": [layer]}}).encode()
    assert rules(document, "m.json") == ({rule} if rule else set())


HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(2000)


def test_a_lambda_inside_hdf5_is_found(rules: Rules) -> None:
    assert rules(HDF5 + b'{"class_name": "Sequential", "module": "keras", "config": {}}', "m.h5") == set()
    assert rules(bytes(512) + HDF5 + b'{"class_name": "Lambda"}', "m.h5") == {"keras.code"}
    assert rules(HDF5 + b'{"class_name":"\\u004cambda"}', "m.h5") == {"keras.code", "hdf5.escaped"}
    assert rules(HDF5 + bytes((1 << 20) - 2030) + b'{"class_name": "Lambda"}', "m.h5") == {"keras.code"}
    assert rules(HDF5 + CODE.encode(), "m.h5") == {"keras.code"}
    assert rules(HDF5 + b'{"module": "os", "class_name": "system"}', "m.h5") == {"keras.module"}


def gguf(entries: bytes = b"", *, count: int = 0, tensors: bytes = b"", tensor_count: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensor_count, count) + entries + tensors


def gguf_text(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def test_a_gguf_header_is_held_against_the_file(rules: Rules) -> None:
    name = gguf_text(b"general.name") + struct.pack("<I", 8) + gguf_text(b"m")
    words = gguf_text(b"tokens") + struct.pack("<IIQ", 9, 8, 2) + gguf_text(b"a") + gguf_text(b"b")
    tensor = gguf_text(b"t") + struct.pack("<IQIQ", 1, 4, 0, 0)
    assert rules(gguf(name + words, count=2, tensors=tensor, tensor_count=1) + bytes(64), "m.gguf") == set()
    wrong = [
        gguf(name, count=2),
        gguf(name + name, count=2),
        gguf(version=9),
        gguf(count=1 << 60),
        gguf(tensor_count=1 << 60),
        gguf(gguf_text(b"k") + struct.pack("<IQ", 8, 1 << 60), count=1),
        gguf(gguf_text(b"k") + struct.pack("<IIQ", 9, 8, 1 << 60), count=1),
        gguf(gguf_text(b"k") + struct.pack("<I", 77), count=1),
        gguf(tensors=gguf_text(b"t") + struct.pack("<IQIQ", 1, 4, 0, 1 << 40), tensor_count=1),
        gguf(tensors=tensor + tensor, tensor_count=2) + bytes(64),
    ]
    for content in wrong:
        assert rules(content, "m.gguf") == {"gguf.malformed"}


TEMPLATE = "{% for message in messages %}{{ message['content'] | trim }}{{ bos_token }}{% endfor %}"


def test_a_template_that_reaches_for_python_is_found(rules: Rules) -> None:
    for template, found in ((TEMPLATE, set()), ("{{ x.__class__.__mro__ }}", {"template.code"}), ("{{ x|attr('a') }}", {"template.code"})):
        assert rules(json.dumps({"chat_template": template}).encode(), "tokenizer_config.json") == found
        entry = gguf_text(b"tokenizer.chat_template") + struct.pack("<I", 8) + gguf_text(template.encode())
        assert rules(gguf(entry, count=1), "m.gguf") == found


def test_a_configuration_that_names_code_is_found(rules: Rules) -> None:
    assert rules(b'{"auto_map": {"AutoModel": "modeling.Evil"}}', "config.json") == {"file.names_code"}
    assert rules(b'{"model_type": "bert", "trust_remote_code": false}', "config.json") == set()
    assert rules(b'{"nested": [{"trust_remote_code": true}]}', "config.json") == {"file.names_code"}


def test_a_configuration_that_is_too_large_to_read_hides_nothing(rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_file, "LONGEST", 1000)
    for content in (b'{"auto_map": {"A": "b"}}', b'{"auto\\u005fmap": {"A": "b"}}', b'{"chat_template": ""}'):
        assert rules(bytes(1000).replace(b"\0", b" ") + content, "config.json") == {"file.large"}
    assert rules(b'{"weights": [' + b"1, " * 1000 + b"1]}", "model.json") == set()


def test_yaml_that_makes_objects_is_found(rules: Rules) -> None:
    assert rules(b"a: !!python/object/apply:os.system ['true']\n", "hparams.yaml") == {"file.names_code"}
    assert rules(b"a: !<tag:yaml.org,2002:python/name:os.system>\n", "hparams.yml") == {"file.names_code"}
    assert rules(b"python: !!str 3.11\n", "hparams.yaml") == set()


def test_a_graph_of_tensorflow_that_reaches_for_files_is_found(rules: Rules) -> None:
    assert rules(b"\x0a\x01x\x12\x08ReadFile" + bytes(10), "saved_model.pb") == {"tensorflow.operation"}
    assert rules(b"\x0a\x01x\x12\x06MatMul" + bytes(10), "saved_model.pb") == set()
