"""An ONNX file answers as onnxruntime does, and as torch only where that is the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from classifier import Classifier, Feature, Schema
from classifier.adapters import _onnx_operators
from classifier.adapters._equality import sample_inputs
from classifier.adapters.onnx import from_onnx
from classifier.errors import ConfigurationError, ModelError

NATURAL = Schema("tabular", tuple(Feature(name, "continuous", low=-2.0, high=3.0) for name in ("a", "b", "c", "d")), encoding="natural")
CLASSES = ("no", "yes")
ML = "ai.onnx.ml"
Nodes = Sequence[onnx.NodeProto]


def save(
    folder: Path,
    nodes: Nodes,
    constants: dict[str, Any] | None = None,
    *,
    inputs: Sequence[tuple[str, int, list[Any]]] = (("x", TensorProto.FLOAT, ["n", 4]),),
    outputs: Sequence[Any] = (),
    opset: int = 20,
) -> Path:
    """A model of these operators, from ``x`` to ``y``."""
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info(*entry) for entry in inputs],
        list(outputs) or [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid(ML, 3)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def linear(columns: int, outputs: int = 2) -> dict[str, Any]:
    generator = np.random.default_rng(columns)
    return {"w": generator.normal(size=(columns, outputs)).astype(np.float32), "b": np.linspace(-1, 1, outputs).astype(np.float32)}


LAST = node("Gemm", "h w b", "y")
F32 = np.float32
SHAPE = {"s": np.array([0, 2, 2])}
IMAGE = {"s": np.array([0, 1, 2, 2])}
KERNEL = {"k": np.linspace(-1, 1, 12).reshape(3, 1, 2, 2).astype(F32)}
FLAT = node("Flatten", "q", "h")
#: The operators between the input and a last linear one, the constants, and how many columns the last one takes.
GRAPHS: dict[str, tuple[list[onnx.NodeProto], dict[str, Any], int]] = {
    "activations": (
        [node("Relu", "x", "r"), node("Sigmoid", "r", "s1"), node("Tanh", "s1", "t"), node("LeakyRelu", "t", "l", alpha=0.2),
         node("Elu", "l", "e"), node("Softplus", "e", "p"), node("Gelu", "p", "g"), node("HardSigmoid", "g", "h")], {}, 4,
    ),
    "arithmetic": (
        [node("Mul", "x two", "m"), node("Sub", "m x", "d"), node("Div", "d two", "v"), node("Neg", "v", "n"), node("Exp", "n", "e"),
         node("Log", "e", "l"), node("Pow", "l two", "p"), node("Add", "p two", "a"), node("Sqrt", "a", "q"), node("Reciprocal", "q", "i"),
         node("Erf", "i", "f"), node("Max", "f x", "u"), node("Min", "u two", "w1"), node("Sum", "w1 x x", "o"), node("Mean", "o x", "h")],
        {"two": F32([2.0])}, 4,
    ),
    "clip and choice": (
        [node("Clip", "x low high", "k"), node("Greater", "k low", "g"), node("Less", "k high", "s"), node("Where", "g k x", "c"),
         node("PRelu", "c low", "p"), node("Identity", "p", "i"), node("Dropout", "i", "h")], {"low": F32(-1.0), "high": F32(1.5)}, 4,
    ),
    "shapes": (
        [node("Reshape", "x s", "q"), node("Transpose", "q", "t", perm=[0, 2, 1]), node("Unsqueeze", "t one", "u"),
         node("Squeeze", "u one", "v"), node("Slice", "v zero two one", "z"), node("Gather", "z back", "g", axis=2),
         node("Concat", "g v", "k", axis=2), node("Flatten", "k", "h")],
        {**SHAPE, "one": np.array([1]), "zero": np.array([0]), "two": np.array([2]), "back": np.array([1, 0])}, 8,
    ),
    "computed shapes": (
        [node("Shape", "x", "e", start=0, end=1), node("Concat", "e four", "f", axis=0), node("Reshape", "x f", "r"),
         node("Cast", "r", "d", to=TensorProto.DOUBLE), node("Cast", "d", "c", to=TensorProto.FLOAT), node("Expand", "c f", "q"),
         node("Pad", "q pads", "h")], {"four": np.array([4]), "pads": np.array([0, 1, 0, 2])}, 7,
    ),
    "reductions": (
        [node("Reshape", "x s", "q"), node("ReduceMean", "q last", "m"), node("ReduceSum", "q last", "a"), node("ReduceMax", "q last", "u"),
         node("ReduceMin", "q last", "n"), node("Concat", "m a u n", "k", axis=2), node("Flatten", "k", "h")],
        {**SHAPE, "last": np.array([2])}, 8,
    ),
    "split and softmax": (
        [node("Split", "x", "p o", axis=1, num_outputs=2), node("Softmax", "p", "s1"), node("LogSoftmax", "o", "l"),
         node("Concat", "s1 l", "h", axis=1)], {}, 4,
    ),
    "normalisation": (
        [node("BatchNormalization", "x g b1 m v", "n"), node("LayerNormalization", "n g b1", "h", axis=-1)],
        {"g": F32([1, 2, 3, 4]), "b1": F32([0, 1, 0, 1]), "m": F32([0.5, 0, 0, 1]), "v": F32([1, 2, 1, 0.5])}, 4,
    ),
    "convolution": (
        [node("Reshape", "x s", "i"), node("Conv", "i k", "c", pads=[1, 0, 0, 1], strides=[1, 1]), node("Relu", "c", "q"), FLAT],
        {**IMAGE, **KERNEL}, 12,
    ),
    "convolution of the same size": (
        [node("Reshape", "x s", "i"), node("Conv", "i k", "q", auto_pad="SAME_UPPER"), FLAT], {**IMAGE, **KERNEL}, 12,
    ),
    "largest of a window": (
        [node("Reshape", "x s", "i"), node("MaxPool", "i", "q", kernel_shape=[2, 2], pads=[1, 1, 0, 0], strides=[1, 1]), FLAT], IMAGE, 4,
    ),
    "mean of a window": (
        [node("Reshape", "x s", "i"), node("AveragePool", "i", "q", kernel_shape=[2, 2], pads=[1, 1, 0, 0], strides=[1, 1]), FLAT],
        IMAGE, 4,
    ),
    "mean of all": (
        [node("Reshape", "x s", "i"), node("Conv", "i k", "c"), node("GlobalAveragePool", "c", "q"), FLAT], {**IMAGE, **KERNEL}, 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_operators_in_torch_answer_as_onnxruntime_and_their_gradients_as_differences(tmp_path: Path, name: str) -> None:
    nodes, constants, columns = GRAPHS[name]
    path = save(tmp_path, [*nodes, LAST], {**constants, **linear(columns)})
    classifier = from_onnx(path, schema=NATURAL, classes=CLASSES)
    assert classifier.differentiable, classifier.why_no_gradients
    x = sample_inputs(NATURAL, 11)
    (expected,) = onnxruntime.InferenceSession(path).run(["y"], {"x": x.numpy()})
    assert classifier.logits(x).numpy() == pytest.approx(expected, abs=1e-4, rel=1e-4)
    point = x.clone().requires_grad_()
    slope = torch.autograd.grad(classifier.logits(point)[:, 1].sum(), point)[0].sum(1)
    above, below = (onnxruntime.InferenceSession(path).run(["y"], {"x": (x + step).numpy()})[0][:, 1] for step in (1e-2, -1e-2))
    # The middle error: a few of the rows lie within a step of a kink.
    assert np.median(np.abs((above - below) / 2e-2 - slope.numpy())) < 1e-2 * (1 + slope.abs().max().item())


def mlp(outputs: int = 2) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, outputs)).eval()


@pytest.mark.parametrize("rows", [None, 1, 5], ids=["any number of rows", "one row", "five rows"])
def test_an_exported_network_gives_the_logits_and_gradients_of_the_original(tmp_path: Path, rows: int | None) -> None:
    model, path = mlp(), tmp_path / "model.onnx"
    shapes = ({0: "rows"},) if rows is None else None
    torch.onnx.export(model, (torch.zeros(rows or 3, 4),), path, dynamo=True, dynamic_shapes=shapes, verbose=False)
    classifier = from_onnx(path, schema=NATURAL, classes=CLASSES)
    original = Classifier.wrap(model, schema=NATURAL, classes=CLASSES)
    x = sample_inputs(NATURAL, 13)
    assert torch.allclose(classifier.logits(x), original.logits(x), atol=1e-5)
    gradients = []
    for each in (classifier, original):
        point = x.clone().requires_grad_()
        gradients.append(torch.autograd.grad(each.logits(point)[:, 1].sum(), point)[0])
    assert torch.allclose(*gradients, atol=1e-5)


def test_a_graph_that_holds_its_number_of_rows_is_asked_that_many(tmp_path: Path) -> None:
    nodes = [node("Reshape", "x flat", "f"), node("Reshape", "f back", "h"), LAST]
    constants = {"flat": np.array([20]), "back": np.array([5, 4]), **linear(4)}
    path = save(tmp_path, nodes, constants, inputs=[("x", TensorProto.FLOAT, [5, 4])])
    classifier = from_onnx(path, schema=NATURAL, classes=CLASSES)
    x = sample_inputs(NATURAL, 12)
    assert classifier.differentiable
    assert torch.allclose(classifier.logits(x), x @ torch.tensor(constants["w"]) + torch.tensor(constants["b"]), atol=1e-5)


@pytest.mark.parametrize(
    ("nodes", "operator"),
    [
        ([node("Sign", "x", "h"), LAST], "Sign"),
        ([node("Celu", "x", "h"), LAST], "Celu"),
        ([helper.make_node("Scaler", ["x"], ["h"], domain=ML, offset=[0.0] * 4, scale=[1.0] * 4), LAST], "ai.onnx.ml.Scaler"),
    ],
)
def test_an_operator_without_gradient_leaves_a_black_box_that_names_it(tmp_path: Path, nodes: Nodes, operator: str) -> None:
    classifier = from_onnx(save(tmp_path, nodes, linear(4)), schema=NATURAL, classes=CLASSES)
    assert not classifier.differentiable
    assert f"the operator {operator} of model.onnx has no gradient" in classifier.why_no_gradients
    assert torch.allclose(classifier.probabilities(sample_inputs(NATURAL)).sum(1), torch.ones(64))


def test_a_saturated_softmax_keeps_its_gradients(tmp_path: Path) -> None:
    constants = linear(4)
    constants["w"] *= 100
    path = save(tmp_path, [node("Gemm", "x w b", "z"), node("Softmax", "z", "y")], constants)
    classifier = from_onnx(path, schema=NATURAL, classes=CLASSES)
    x = sample_inputs(NATURAL).requires_grad_()
    gradient = torch.autograd.grad(classifier.logits(x)[:, 1].sum(), x)[0]
    assert torch.allclose(gradient, torch.tensor(constants["w"][:, 1]).expand_as(gradient), rtol=1e-4)


@pytest.mark.parametrize("mapped", [True, False])
def test_labels_and_probabilities_as_of_scikit_learn_are_taken_by_class(tmp_path: Path, mapped: bool) -> None:
    generator = np.random.default_rng(0)
    weights, intercepts = generator.normal(size=(2, 4)), [0.2, -0.2]
    classify = helper.make_node(
        "LinearClassifier", ["x"], ["label", "p"], domain=ML, coefficients=weights.ravel().tolist(), intercepts=intercepts,
        classlabels_strings=["yes", "no"], post_transform="SOFTMAX",
    )  # fmt: skip
    zipped = helper.make_node("ZipMap", ["p"], ["m"], domain=ML, classlabels_strings=["yes", "no"])
    label = helper.make_tensor_value_info("label", TensorProto.STRING, ["n"])
    pairs = helper.make_sequence_type_proto(
        helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    )
    found = helper.make_value_info("m", pairs) if mapped else helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", 2])
    path = save(tmp_path, [classify, zipped] if mapped else [classify], outputs=[label, found])
    classifier = from_onnx(path, schema=NATURAL, classes=CLASSES)
    x = sample_inputs(NATURAL)
    expected = (x.double() @ torch.tensor(weights).T + torch.tensor(intercepts)).softmax(1)
    assert torch.allclose(classifier.probabilities(x).double(), expected[:, [1, 0]], atol=1e-5)
    with pytest.raises(ModelError, match="knows the classes yes, no, the data have bad, good"):
        from_onnx(path, schema=NATURAL, classes=("bad", "good"))
    assert (
        from_onnx(path, schema=NATURAL, classes=("good", "bad"), output_classes=("bad", "good")).predict(x).tolist()
        == (expected.argmax(1) == 0).long().tolist()
    )


def test_one_input_a_feature_is_given_in_natural_units(tmp_path: Path) -> None:
    schema = Schema("tabular", (Feature("age", "integer", low=18, high=80), Feature("home", "categorical", categories=("own", "rent"))))
    nodes = [
        helper.make_node("LabelEncoder", ["home"], ["code"], domain=ML, keys_strings=["own", "rent"], values_floats=[0.0, 1.0]),
        node("Concat", "age code", "h", axis=1),
        LAST,
    ]
    inputs = [("age", TensorProto.FLOAT, ["n", 1]), ("home", TensorProto.STRING, ["n", 1])]
    constants = {"w": F32([[0, 0.1], [0, 1.0]]), "b": F32([0, -5])}
    classifier = from_onnx(save(tmp_path, nodes, constants, inputs=inputs), schema=schema, classes=CLASSES)
    frame = pd.DataFrame({"age": [20, 50, 70], "home": ["own", "rent", "own"]})
    risk = torch.tensor([2.0 - 5, 5 + 1 - 5, 7 - 5])
    assert torch.allclose(classifier.probabilities(schema.encode(frame))[:, 1], risk.sigmoid(), atol=1e-5)
    assert "one input a feature" in classifier.why_no_gradients
    with pytest.raises(ModelError, match="takes an input 'age', which is no feature"):
        from_onnx(tmp_path / "model.onnx", schema=NATURAL, classes=CLASSES)


def test_outputs_that_do_not_tell_what_they_are_must_be_stated(tmp_path: Path) -> None:
    path = save(tmp_path, [node("Gemm", "x w b", "z"), node("Relu", "z", "y")], linear(4))
    with pytest.raises(ConfigurationError, match=r'ends with the operator Relu .* state .model. output = "logits" or "probabilities"'):
        from_onnx(path, schema=NATURAL, classes=CLASSES)
    assert from_onnx(path, schema=NATURAL, classes=CLASSES, output="logits").differentiable
    with pytest.raises(ModelError, match="said to be probabilities, and are not"):
        from_onnx(path, schema=NATURAL, classes=CLASSES, output="probabilities")


@pytest.mark.parametrize("sigmoid", [True, False])
def test_one_output_is_that_of_the_event(tmp_path: Path, sigmoid: bool) -> None:
    constants = linear(4, 1)
    nodes = [node("Gemm", "x w b", "z"), node("Sigmoid", "z", "y")] if sigmoid else [node("Gemm", "x w b", "y")]
    path = save(tmp_path, nodes, constants)
    x = sample_inputs(NATURAL)
    expected = (x @ torch.tensor(constants["w"]) + torch.tensor(constants["b"])).sigmoid()[:, 0]
    assert torch.allclose(from_onnx(path, schema=NATURAL, classes=CLASSES).probabilities(x)[:, 1], expected, atol=1e-5)
    turned = from_onnx(path, schema=NATURAL, classes=CLASSES, output_classes=("yes", "no"))
    assert torch.allclose(turned.probabilities(x)[:, 0], expected, atol=1e-5)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, [node("Gemm", "x w b", "y")], linear(4, 3))
    with pytest.raises(ModelError, match=r"has outputs of shape \(3,\) a row, the classes are no, yes"):
        from_onnx(path, schema=NATURAL, classes=CLASSES)
    fewer = Schema("tabular", NATURAL.features[:3], encoding="natural")
    with pytest.raises(ModelError, match=r"takes inputs of shape \(4\), the data give \(3,\)"):
        from_onnx(path, schema=fewer, classes=("a", "b", "c"))
    (tmp_path / "text.onnx").write_text("this is no model")
    with pytest.raises(ModelError, match="is no ONNX model that can be read"):
        from_onnx(tmp_path / "text.onnx", schema=NATURAL, classes=CLASSES)


def test_an_operator_that_answers_otherwise_in_torch_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, [node("Relu", "x", "h"), LAST], linear(4))
    monkeypatch.setitem(_onnx_operators.OPERATORS, "Relu", lambda inputs, attributes, opset: inputs[0].abs())
    with pytest.raises(ModelError, match="answers otherwise than its original: probabilities differ by up to 0"):
        from_onnx(path, schema=NATURAL, classes=CLASSES)


def test_files_of_equal_weights_and_other_operators_have_other_digests(tmp_path: Path) -> None:
    digests = set()
    for operator in ("Relu", "Tanh"):
        path = save(tmp_path, [node(operator, "x", "h"), LAST], linear(4))
        digests.add(from_onnx(path, schema=NATURAL, classes=CLASSES).digest)
    assert len(digests) == 2


def test_channels_go_where_the_file_has_them(tmp_path: Path) -> None:
    schema = Schema("sequence", (Feature("a", "continuous", low=0, high=1), Feature("b", "continuous", low=0, high=1)), size=(5,))
    nodes = [node("GlobalAveragePool", "x", "q"), node("Flatten", "q", "h"), LAST]
    constants = {"w": F32([[0, 1], [0, -1]]), "b": F32([0, 0])}
    path = save(tmp_path, nodes, constants, inputs=[("x", TensorProto.FLOAT, ["n", 2, 5])])
    x = torch.rand(6, 5, 2)
    classifier = from_onnx(path, schema=schema, classes=CLASSES)
    assert torch.allclose(classifier.logits(x)[:, 1], x[:, :, 0].mean(1) - x[:, :, 1].mean(1), atol=1e-5)
    anything = save(tmp_path, nodes, constants, inputs=[("x", TensorProto.FLOAT, ["n", "m", "k"])])
    with pytest.raises(ModelError, match="does not tell where it has the channels"):
        from_onnx(anything, schema=schema, classes=CLASSES)


def test_operators_of_older_versions_take_their_options_as_attributes(tmp_path: Path) -> None:
    nodes = [
        node("Unsqueeze", "x", "u", axes=[1]),
        node("Clip", "u", "k", min=-1.0, max=2.0),
        node("ReduceMean", "k", "m", axes=[1], keepdims=0),
        node("Softmax", "m", "s1"),
        node("Split", "s1", "p o", axis=1, split=[1, 3]),
        node("Slice", "o zero two one step", "z"),
        node("Concat", "p z", "h", axis=1),
        LAST,
    ]
    constants = {"zero": np.array([-1]), "two": np.array([-4]), "one": np.array([1]), "step": np.array([-1]), **linear(4)}
    path = save(tmp_path, nodes, constants, opset=10)
    assert from_onnx(path, schema=NATURAL, classes=CLASSES).differentiable


@pytest.mark.parametrize("first", [True, False])
def test_an_image_is_given_with_its_channels_where_the_file_has_them(tmp_path: Path, first: bool) -> None:
    schema = Schema("image", tuple(Feature(name, "continuous", low=0, high=255) for name in ("red", "green", "blue")), size=(4, 5))
    turn = [] if first else [node("Transpose", "x", "t", perm=[0, 3, 1, 2])]
    nodes = [*turn, node("GlobalAveragePool", "x" if first else "t", "q"), node("Flatten", "q", "h"), LAST]
    constants = {"w": F32([[0, 1], [0, -1], [0, 0]]), "b": F32([0, 0])}
    path = save(tmp_path, nodes, constants, inputs=[("x", TensorProto.FLOAT, ["n", 3, 4, 5] if first else ["n", 4, 5, 3])])
    x = sample_inputs(schema, 6)
    found = from_onnx(path, schema=schema, classes=CLASSES).logits(x)[:, 1]
    assert torch.allclose(found, x[:, 0].mean((1, 2)) - x[:, 1].mean((1, 2)), atol=1e-5)
