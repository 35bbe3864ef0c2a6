"""Files that hide from the scanner what a library would still read: unreadable headers, unknown fields, escapes, another end."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from audit.supply_chain import Scan, scan
from audit.supply_chain.formats import onnx_file

Scanned = Callable[..., Scan]
Rules = Callable[..., set[str]]
CALL = b"cposix\nsystem\n(S'true'\ntR."


def array(descr: str, *, shape: str = "(1,)", padding: int = 0) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}{' ' * padding}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + CALL


@pytest.mark.parametrize(
    "content",
    [array("'O'", padding=20_000), array("'O,i4'"), array("'object'"), array("'O'", shape="(1L,)"), array("'\\x4f,i4'")],
    ids=["long", "comma", "word", "Python 2", "escape"],
)
def test_objects_under_a_header_that_numpy_alone_accepts_are_grave(content: bytes, scanned: Scanned) -> None:
    found = scanned(content, "a.npy")
    assert {finding.rule for finding in found.at_least("high")} == {"numpy.malformed", "pickle.global"}
    assert not found.files[0].looked_into


def external(location: str) -> bytes:
    tensor = TensorProto(name="w", data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    model: bytes = helper.make_model(
        helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "g", [], [], [tensor])
    ).SerializeToString()
    return model


@pytest.mark.parametrize("field", [b"\xfa\x01\x01x", b"\xf8\x01\x05", b"\xfb\x01\x08\x01\xfc\x01"], ids=["bytes", "number", "group"])
@pytest.mark.parametrize("name", ["m.onnx", "weights"])
def test_a_field_that_no_model_has_does_not_hide_the_model(field: bytes, name: str, scanned: Scanned) -> None:
    for content in (external("../x") + field, field + external("../x")):
        found = scanned(content, name)
        assert {finding.rule for finding in found.findings} == {"onnx.external", "onnx.malformed"}
        assert found.files[0].kind == "onnx"


def test_a_file_that_is_nothing_of_what_its_name_says_was_not_looked_into(scanned: Scanned) -> None:
    for name in ("m.onnx", "m.safetensors", "m.gguf", "m.h5", "m.npy", "m.pt"):
        assert not scanned(b"\xff\xfe" * 40, name).files[0].looked_into
    assert scanned(b"\xff\xfe" * 40, "m.txt").files[0].looked_into


def test_tensors_of_onnx_read_their_data_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(800))
    read: list[int] = []
    monkeypatch.setattr(onnx_file, "check_numbers", lambda look, source, *rest, **named: read.append(source.size))

    def model(step: int) -> bytes:
        tensors = []
        for number in range(100):
            tensor = TensorProto(name=f"w{number}", data_type=1, dims=[100], data_location=TensorProto.EXTERNAL)
            for key, value in (("location", "w.bin"), ("offset", str(number * step)), ("length", "400")):
                tensor.external_data.add(key=key, value=value)
            tensors.append(tensor)
        content: bytes = helper.make_model(helper.make_graph([], "g", [], [], tensors)).SerializeToString()
        return content

    for step, rules in ((0, set()), (4, {"onnx.malformed"})):
        (tmp_path / "m.onnx").write_bytes(model(step))
        assert {finding.rule for finding in scan(tmp_path / "m.onnx").findings} == rules
    assert read == [400, 400, 400]


def packed(files: dict[str, bytes]) -> bytearray:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return bytearray(buffer.getvalue())


def test_a_zip_behind_other_bytes_that_only_others_read_is_grave(scanned: Scanned) -> None:
    content = packed({"__main__.py": b"x", "../../a": CALL})
    place = content.rfind(b"PK\x05\x06")
    content[place + 4 : place + 6] = b"\x01\x00"
    assert zipfile.ZipFile(io.BytesIO(bytes(80) + content)).namelist() == ["__main__.py", "../../a"]
    found = scanned(bytes(80) + content, "tail.bin")
    assert {finding.rule for finding in found.at_least("high")} == {"zip.malformed"}
    assert not found.files[0].looked_into


def test_members_of_zip_that_lie_over_one_another_are_not_read_again_and_again(scanned: Scanned) -> None:
    """Two hundred members of one megabyte, all to the end of it."""
    body, count = bytes(1 << 20), 200
    heads, entries = b"", b""
    for number in range(count):
        size = (count - number - 1) * 31 + len(body)
        heads += struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, size, size, 1, 0) + b"a"
        entries += struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, size, size, 1, 0, 0, 0, 0, 0, number * 31) + b"a"
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(entries), len(heads) + len(body), 0)
    found = scanned(heads + body + entries + end, "m.zip")
    assert "zip.malformed" in {finding.rule for finding in found.at_least("high")}
    assert found.files[0].members == 0


def test_a_tar_that_sums_its_bytes_with_a_sign_is_one(rules: Rules) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        member = tarfile.TarInfo("évil.pkl")
        member.size = len(CALL)
        archive.addfile(member, io.BytesIO(CALL))
    content = bytearray(buffer.getvalue())
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(byte - 256 if byte > 127 else byte for byte in content[:512])
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == ["évil.pkl"]
    assert "pickle.global" in rules(bytes(content), "weights")


def test_a_packed_tar_by_its_short_name_raises_no_alarm(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    with tarfile.open(tmp_path / "b.tgz", "w:gz") as archive:
        archive.add(tmp_path / "a.txt", "a.txt")
    assert scan(tmp_path / "b.tgz").findings == ()


HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(2000)


def test_letters_behind_escapes_are_grave_wherever_they_stand(scanned: Scanned) -> None:
    hidden = json.dumps({"class_name": "Lambda"}).replace("a", "\\u0061").encode()
    assert b"class_name" not in hidden
    assert [finding.rule for finding in scanned(HDF5 + hidden, "m.h5").at_least("high")] == ["hdf5.escaped"]
    assert scanned(HDF5 + json.dumps({"name": "é\x7f\n中"}).encode(), "m.h5").findings == ()


def keras(**layer: Any) -> bytes:
    document = {"class_name": "Functional", "module": "keras.src.models.functional", "config": {"layers": [layer]}}
    return bytes(packed({"metadata.json": b"{}", "config.json": json.dumps(document).encode()}))


@pytest.mark.parametrize(
    ("layer", "rule"),
    [
        ({"class_name": "TorchModuleWrapper", "module": "keras.layers", "config": {"module": "Y29zCg=="}}, "keras.code"),
        ({"class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": "/x"}}, "keras.code"),
        ({"class_name": "JaxLayer", "module": "keras.layers", "config": {}}, "keras.code"),
        ({"class_name": "layers.Lambda", "module": "keras", "config": {}}, "keras.code"),
        ({"class_name": "layers.Dense", "module": "keras", "config": {}}, "keras.module"),
        ({"class_name": "utils.get_file", "config": {}}, "keras.module"),
        ({"class_name": "get_file", "module": "keras.layers", "config": {}}, "keras.module"),
        ({"class_name": "Dense", "module": ["keras.layers"], "config": {}}, "keras.module"),
        ({"class_name": "function", "module": "builtins", "config": "exec"}, "keras.module"),
        ({"class_name": "StringLookup", "module": "keras.layers", "config": {"vocabulary": "/etc/passwd"}}, "keras.file"),
        ({"class_name": "StringLookup", "module": "keras.layers", "config": {"vocabulary": ["a", "b"]}}, None),
        ({"class_name": "Mine", "config": {}}, "keras.custom"),
        ({"class_name": "GlorotUniform", "module": "keras.initializers", "config": {"seed": None}}, None),
        ({"class_name": "__keras_tensor__", "config": {"shape": [None, 4]}}, None),
        ({"class_name": "Conv2D", "config": {}}, None),
    ],
)
def test_a_keras_file_is_made_of_exact_classes_of_keras(layer: dict[str, Any], rule: str | None, rules: Rules) -> None:
    assert rules(keras(**layer), "m.keras") == ({rule} if rule else set())


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''['__cl'~'ass__'] }}",
        "{{ ''['_'~'_class_'~'_'] }}",
        "{{ ''['_' + '_class_' + '_'] }}",
        "{{ ('',)|map(attribute='__class__')|list }}",
        "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
        "{{ ''['\\u005F\\u005Fclass'] }}",
    ],
)
def test_a_template_that_hides_what_it_reaches_for_is_found(template: str, rules: Rules) -> None:
    assert rules(json.dumps({"chat_template": template}).encode(), "tokenizer_config.json") == {"template.code"}
    assert rules(template.encode(), "chat_template.jinja") == {"template.code"}


def test_what_templates_of_conversations_use_raises_no_alarm(rules: Rules) -> None:
    template = (
        "{%- set system = messages | selectattr('role', 'equalto', 'system') | map(attribute='content') | list -%}"
        "{% for message in messages[1:] %}{{ '<|' + message['role'] ~ '|>' + message['content'] | trim + eos_token }}{% endfor %}"
        "{{ raise_exception('Only ' ~ roles[loop.index0 - 1] + ' is _known_') }} {{ ['a' ~ x] | join('____') }}"
    )
    assert rules(template.encode(), "chat_template.jinja") == set()


def test_a_tag_of_yaml_that_hides_behind_a_handle_or_an_escape_is_found(rules: Rules) -> None:
    handle = b"%TAG !e! tag:yaml.org,2002:pyt\n---\n!e!hon/object/apply:os.system ['true']\n"
    assert rules(handle, "c.yaml") == {"file.names_code"}
    assert rules(b"a: !!pyth%6Fn/object/apply:os.system ['true']\n", "c.yaml") == {"file.names_code"}
    assert rules(b"a: 100% sure!\nb: !!str 5%\n", "c.yaml") == set()


def test_files_with_long_names_stay_apart(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 120) / ("b" * 100)
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"{'c' * 20}{number}{'d' * 60}.bin").write_bytes(np.int8(number).tobytes())
    files = scan(tmp_path).files
    assert [(tmp_path / file.name).exists() for file in files] == [True] * 3
