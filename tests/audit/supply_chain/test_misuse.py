"""Listed names in the wrong hands: what is made of them, put into them and set on them is judged when it is used. None is ever loaded."""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import pytest

from audit.supply_chain import Scan

Scanned = Callable[..., Scan]
CALL = b"cposix\nsystem\n(S'true'\ntR."


def text(value: str | bytes) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    return b"X" + struct.pack("<I", len(content)) + content


def held(content: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(content)) + content


def name(module: str, found: str) -> bytes:
    return f"c{module}\n{found}\n".encode()


LOAD = name("torch.storage", "_load_from_bytes")
ORDERED = name("collections", "OrderedDict") + b")R"
MEMMAP = name("numpy", "memmap")
FUNCTION = name("sklearn.preprocessing._function_transformer", "FunctionTransformer") + b")\x81"
LOGISTIC = name("sklearn.linear_model._logistic", "LogisticRegression") + b")\x81"
TENSOR = (
    name("torch._utils", "_rebuild_meta_tensor_no_storage") + b"(" + name("torch", "float32") + b"K\x01\x85K\x01\x85\x89t"
)  # a function and its arguments, not yet called
ENCODED = name("_codecs", "encode") + text(CALL) + text("latin1") + b"\x86R"


def by_list(key: str, value: bytes) -> bytes:
    """A dictionary made of a list, whose keys nobody has seen."""
    return name("builtins", "dict") + b"((" + text(key) + value + b"ll\x85R"


def attributes(**values: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in values.items()) + b"u"


MISUSES = {
    "items put into an object call what its state has set": ORDERED + by_list("append", LOAD) + b"b" + held(CALL) + b"a.",
    "many items, too": ORDERED + attributes(extend=name("numpy", "mean")) + b"b(" + held(CALL) + b"e.",
    "items of a set, too": ORDERED + attributes(add=name("numpy", "mean")) + b"b(" + held(CALL) + b"\x90.",
    "entries put into what is no dictionary": FUNCTION + text("a") + b"Ns.",
    "a tensor that an item is put into": name("torch._tensor", "_rebuild_from_type_v2")
    + b"("
    + TENSOR.replace(b"(", name("torch", "Tensor") + b"(", 1)
    + attributes(append=name("numpy", "mean"))
    + b"tRNa.",
    "a state that the interpreter asks for": ORDERED + attributes(__setstate__=name("numpy", "mean")) + b"b.",
    "a state made of a list": ORDERED + by_list("x", b"N") + b"b.",
    "a state that is a dictionary of another kind": FUNCTION + ORDERED + b"b.",
    "a state set part by part out of a dictionary of another kind": FUNCTION + b"N" + ORDERED + b"\x86b.",
    "an object built up twice": ORDERED + attributes(x=b"N") + b"b" + attributes(x=b"N") + b"b.",
    "an attribute whose name is no text": ORDERED + b"}(K\x01Nub.",
    "an attribute in the place of a method": LOGISTIC + attributes(predict=name("numpy", "mean")) + b"b.",
    "an attribute in the place of a method of the base class": LOGISTIC + attributes(get_params=name("numpy", "mean")) + b"b.",
    "a state that changes after it was set": ORDERED + b"}q\x00bh\x00" + text("x") + b"Ns0.",
    "arguments that change after they were looked at": name("collections", "Counter") + b"}q\x00\x85R0h\x00" + text("x") + b"Ns.",
    "an opener kept in a list": b"](" + LOAD + b"e.",
    "an opener kept in a list of protocol 0": b"(" + LOAD + b"l.",
    "an opener kept in a dictionary of protocol 0": b"(" + text("x") + LOAD + b"d.",
    "an opener kept in a set that cannot change": b"(" + LOAD + b"\x91.",
    "an opener kept as a state": ORDERED + LOAD + b"b.",
    "an opener given to what is on no list": b"cevil\nf\n" + LOAD + b"\x85R.",
    "an opener kept in a tuple in a tuple": LOAD + b"\x85\x85.",
    "an opener kept in a wide tuple": b"(" + LOAD + b"N" * 80 + b"t.",
    "an array over a file of the sender's choice": FUNCTION + attributes(func=MEMMAP) + b"b.",
    "a class kept for a call": FUNCTION + attributes(func=name("sklearn.pipeline", "Pipeline")) + b"b.",
    "bytes that grow after they were looked at": LOAD + b"\x96" + bytes(8) + b"(K.K.e\x85R.",
    "bytes that only a call would give": LOAD + ENCODED + b"\x85R.",
    "a parameter of what is no tensor": name("torch._utils", "_rebuild_parameter") + b"(" + ORDERED + b"\x89" + ORDERED + b"tR.",
    "a tensor of what is no array": name("torch._utils", "_rebuild_device_tensor_from_cpu_tensor") + b"(" + ORDERED + b"NNtR.",
    "a tensor with attributes of the interpreter": name("torch._tensor", "_rebuild_from_type_v2")
    + b"("
    + TENSOR.replace(b"(", name("torch", "Tensor") + b"(", 1)
    + attributes(__class__=name("numpy", "mean"))
    + b"tR.",
    "a tree of a size of its sender's choice": name("sklearn.tree._tree", "Tree") + b"(K\x01K\x01\x8a\x06\x00\x00\x00\x00\x00\x01tR.",
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_a_listed_name_in_the_wrong_hands_is_found(misuse: str, scanned: Scanned) -> None:
    found = scanned(b"\x80\x05" + MISUSES[misuse])
    assert {finding.rule for finding in found.at_least("high")} & {"pickle.call", "pickle.build"}, found.findings


@pytest.mark.parametrize("name_of_file", ["pytorch_model.bin", "weights", "m.txt", "m.png"])
def test_a_misuse_before_a_fault_is_found_under_every_name(name_of_file: str, scanned: Scanned) -> None:
    found = scanned(LOAD + ENCODED + b"\x85R\xff", name_of_file)
    assert {finding.rule for finding in found.at_least("high")} >= {"pickle.call", "pickle.malformed"}
    assert not found.files[0].looked_into


def test_a_file_that_is_opened_before_a_fault_is_found_under_every_name(scanned: Scanned) -> None:
    found = scanned(LOAD + held(CALL) + b"\x85R\xff", "pytorch_model.bin")
    assert "pickle.global" in {finding.rule for finding in found.at_least("high")}


def test_a_misuse_in_a_later_pickle_is_found_though_it_ends_in_a_fault(scanned: Scanned) -> None:
    found = scanned(pickle.dumps([1, 2]) + LOAD + ENCODED + b"\x85R\xff")
    assert {finding.rule for finding in found.at_least("high")} >= {"pickle.call", "pickle.malformed"}
    assert not found.files[0].looked_into


def test_a_later_pickle_may_go_on_with_what_the_first_remembered(scanned: Scanned) -> None:
    first = b"\x80\x04" + text("posix") + b"q\x00" + text("system") + b"q\x01\x86."
    found = scanned(first + b"\x80\x04h\x00h\x01\x93" + text("true") + b"\x85R.")
    assert "pickle.global" in {finding.rule for finding in found.at_least("high")}
    again = pickle.dumps({"a": [1], "b": "x"})
    assert scanned(again + again).findings == ()


def test_what_is_no_pickle_behind_one_is_damage_and_no_more(scanned: Scanned) -> None:
    found = scanned(pickle.dumps([1]) + bytes(40))
    assert [(finding.rule, finding.severity) for finding in found.findings] == [("pickle.trailing", "medium")]


def test_what_real_objects_do_raises_no_alarm(scanned: Scanned) -> None:
    """The same opcodes, as they are written of objects that are what they seem."""
    noted = OrderedDict(a=1)
    noted.note = "x"  # type: ignore[attr-defined]
    shared = {"a": 1}
    for protocol in range(6):
        assert scanned(pickle.dumps([noted, noted, shared, {"b": shared}, {1, 2}, bytearray(b"x"), np.mean], protocol)).findings == ()


@pytest.mark.parametrize("tower", [b"\x85" * 150_000, b"2\x86" * 45], ids=["deep", "doubled"])
def test_a_tower_of_tuples_as_an_argument_ends(tower: bytes, scanned: Scanned) -> None:
    """To look for it in a set would hash it: to the end of the stack, or for days."""
    for function in (name("numpy._core.multiarray", "_reconstruct"), name("collections", "defaultdict")):
        assert scanned(b"\x80\x04" + function + b"N" + tower + b"K\x00\x85C\x01b\x87R.").at_least("high")


def test_a_file_inside_a_pickle_is_looked_into_once_however_often_it_is_opened(scanned: Scanned) -> None:
    content = b"\x80\x04N."
    for _ in range(5):
        content = b"\x80\x04" + LOAD + b"q\x000" + held(content) + b"\x85q\x010" + b"h\x00h\x01R0" * 100 + b"N."
    found = scanned(content)
    assert found.findings == ()
    assert found.files[0].members == 5
