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

from classifier import Feature, Schema
from classifier.adapters._equality import sample_inputs
from classifier.adapters.onnx import from_onnx
from classifier.errors import ConfigurationError, ModelError
from classifier.programs import onnx_operators

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
    "logic": (
        [node("GreaterOrEqual", "x low", "g"), node("LessOrEqual", "x high", "s"), node("And", "g s", "a"), node("Not", "a", "n"),
         node("Or", "n g", "o"), node("Xor", "o s", "q"), node("Where", "q x high", "h")], {"low": F32(-1.0), "high": F32(1.5)}, 4,
    ),
    "more activations": (
        [node("Abs", "x", "a"), node("Sin", "a", "i"), node("Cos", "i", "c"), node("Sub", "c x", "d"), node("Selu", "d", "e"),
         node("HardSwish", "e", "k"), node("Celu", "k", "l", alpha=0.7), node("Mod", "l two", "m", fmod=1), node("Softsign", "m", "o"),
         node("Mish", "o", "p"), node("Atan", "p", "t"), node("Tan", "t", "h")], {"two": F32([2.0])}, 4,
    ),
    "more reductions": (
        [node("Reshape", "x s", "q"), node("ReduceL1", "q last", "m"), node("ReduceL2", "q last", "a"), node("ReduceProd", "q last", "u"),
         node("ReduceSumSquare", "q last", "n"), node("ReduceLogSumExp", "q last", "o"), node("Concat", "m a u n o", "k", axis=2),
         node("Flatten", "k", "h")], {**SHAPE, "last": np.array([2])}, 10,
    ),
    "made arrays": (
        [node("ConstantOfShape", "four", "one", value=numpy_helper.from_array(F32([2.0]))), node("Range", "zero fourth step", "r"),
         node("OneHot", "back depth pair", "o"), node("Einsum", "x o", "e", equation="ni,ij->nj"), node("Mul", "e one", "m"),
         node("Add", "m r", "a"), node("CumSum", "a axis", "c", exclusive=1, reverse=1), node("Unsqueeze", "c one1", "u"),
         node("Trilu", "u", "t", upper=0), node("Squeeze", "t one1", "v"), node("Concat", "v c", "h", axis=1)],
        {"four": np.array([4]), "zero": F32(0), "fourth": F32(2), "step": F32(0.5), "back": np.array([1, -1, 0, 2]), "depth": np.array(4),
         "pair": F32([0.5, 2.0]), "axis": np.array(1), "one1": np.array([1])}, 8,
    ),
    "elements of each row": (
        [node("Shape", "x", "e"), node("Expand", "places e", "p"), node("GatherElements", "x p", "g", axis=1),
         node("Gather", "x first", "f", axis=1), node("Add", "g f", "h")],
        {"places": np.array([[0, -1, 1, 0]]), "first": np.array([2])}, 4,
    ),
    "more normalisation": (
        [node("Reshape", "x s", "i"), node("InstanceNormalization", "i g b1", "n"), node("Mul", "n i", "m"),
         node("GroupNormalization", "m g b1", "q", num_groups=2), node("GlobalMaxPool", "q", "u"), node("Concat", "q u", "k", axis=2),
         node("Flatten", "k", "h")], {**SHAPE, "g": F32([1, 2]), "b1": F32([0, 1])}, 6,
    ),
    "transposed convolution": (
        [node("Reshape", "x s", "i"), node("ConvTranspose", "i k b1", "q", strides=[2, 2], pads=[1, 0, 0, 1], output_padding=[1, 0]), FLAT],
        {**IMAGE, "k": KERNEL["k"].reshape(1, 3, 2, 2), "b1": F32([0, 1, 2])}, 36,
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


def test_a_graph_that_holds_its_number_of_rows_is_asked_that_many(tmp_path: Path) -> None:
    nodes = [node("Reshape", "x flat", "f"), node("Reshape", "f back", "h"), LAST]
    constants = {"flat": np.array([20]), "back": np.array([5, 4]), **linear(4)}
    path = save(tmp_path, nodes, constants, inputs=[("x", TensorProto.FLOAT, [5, 4])])
    classifier = from_onnx(path, schema=NATURAL, classes=CLASSES)
    x = sample_inputs(NATURAL, 12)
    assert classifier.differentiable
    assert torch.allclose(classifier.logits(x), x @ torch.tensor(constants["w"]) + torch.tensor(constants["b"]), atol=1e-5)


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([node("Sign", "x", "h"), LAST], "Sign of model.onnx has no gradient"),
        ([node("Floor", "x", "h"), LAST], "Floor of model.onnx has no gradient"),
        ([node("ThresholdedRelu", "x", "h"), LAST], "ThresholdedRelu of model.onnx is not mapped to torch"),
        (
            [helper.make_node("Scaler", ["x"], ["h"], domain=ML, offset=[0.0] * 4, scale=[1.0] * 4), LAST],
            "ai.onnx.ml.Scaler of model.onnx is not mapped to torch",
        ),
    ],
)
def test_an_operator_that_has_no_gradient_or_is_not_mapped_leaves_a_black_box_that_names_it(
    tmp_path: Path, nodes: Nodes, reason: str
) -> None:
    classifier = from_onnx(save(tmp_path, nodes, linear(4)), schema=NATURAL, classes=CLASSES)
    assert not classifier.differentiable
    assert f"the operator {reason}" in classifier.why_no_gradients
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


ONE = {"one": F32([1.0]), "minus": F32([[-1.0]]), "half": F32([0.5])}
SIGMOID = [node("Gemm", "x w b", "z"), node("Sigmoid", "z", "s")]


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Sub", "one s", "y")],
        [node("Neg", "s", "n"), node("Reshape", "n r", "q"), node("Add", "q one", "y")],
        [node("MatMul", "s minus", "n"), node("Add", "n one", "y")],
        [node("Gemm", "s minus one", "y")],
        [node("Mul", "s half", "y")],
        [node("Mul", "s s", "y")],
    ],
    ids=["1 - p", "-p + 1", "-p + 1 by a product", "-p + 1 by a layer", "half of p", "no constant"],
)
def test_one_column_that_may_be_a_probability_is_not_taken_for_a_logit(tmp_path: Path, nodes: Nodes) -> None:
    path = save(tmp_path, [*SIGMOID, *nodes], {**linear(4, 1), **ONE, "r": np.array([-1, 1])})
    with pytest.raises(ConfigurationError, match="does not tell what they are"):
        from_onnx(path, schema=NATURAL, classes=CLASSES)
    (p,) = onnxruntime.InferenceSession(path).run(["y"], {"x": sample_inputs(NATURAL).numpy()})
    classifier = from_onnx(path, schema=NATURAL, classes=CLASSES, output="probabilities")
    assert classifier.probabilities(sample_inputs(NATURAL))[:, 1].numpy() == pytest.approx(p[:, 0], abs=1e-5)


@pytest.mark.parametrize("hidden", [[], [node("Sigmoid", "h0", "h")]], ids=["none", "sigmoid"])
def test_a_linear_layer_makes_a_logit_though_it_is_small_or_its_units_are_sigmoids(tmp_path: Path, hidden: Nodes) -> None:
    constants = linear(4, 1)
    nodes = [node("Div", "x ten", "h0"), *(hidden or [node("Identity", "h0", "h")]), node("MatMul", "h w", "m"), node("Add", "m b", "y")]
    constants |= {"ten": F32([100.0]), "b": F32([0.5]) if not hidden else F32([-1.5])}
    classifier = from_onnx(save(tmp_path, nodes, constants), schema=NATURAL, classes=CLASSES)
    x = sample_inputs(NATURAL)
    (z,) = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(["y"], {"x": x.numpy()})
    assert classifier.probabilities(x)[:, 1].numpy() == pytest.approx(1 / (1 + np.exp(-z[:, 0])), abs=1e-5)


def test_negative_outputs_are_logits_whatever_operator_makes_them(tmp_path: Path) -> None:
    # As dynamic quantisation has it: what the product is scaled with depends on the inputs.
    nodes = [node("Gemm", "x w b", "z"), node("ReduceMax", "x last", "c"), node("Exp", "c", "k"), node("Mul", "z k", "y")]
    path = save(tmp_path, nodes, {**linear(4), "last": np.array([1])})
    assert from_onnx(path, schema=NATURAL, classes=CLASSES).differentiable
    bounded = save(tmp_path, [node("Gemm", "x w b", "z"), node("Tanh", "z", "y")], linear(4))
    with pytest.raises(ConfigurationError, match="ends with the operator Tanh"):
        from_onnx(bounded, schema=NATURAL, classes=CLASSES)


@pytest.mark.parametrize(("outputs", "asked"), [(3, False), (2, True)], ids=["three scores", "one score twice"])
def test_raw_scores_of_a_linear_classifier_are_logits_unless_one_stands_there_twice(tmp_path: Path, outputs: int, asked: bool) -> None:
    names = ("a", "b", "c")[:outputs]
    weights = np.random.default_rng(0).normal(size=(outputs, 4))
    if asked:
        weights[0] = -weights[1]
    classify = helper.make_node(
        "LinearClassifier", ["x"], ["label", "p"], domain=ML, coefficients=weights.ravel().tolist(), intercepts=[0.0] * outputs,
        classlabels_strings=names, post_transform="NONE",
    )  # fmt: skip
    found = [helper.make_tensor_value_info("label", TensorProto.STRING, ["n"])]
    path = save(tmp_path, [classify], outputs=[*found, helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", outputs])])
    if asked:
        with pytest.raises(ConfigurationError, match="does not tell what they are"):
            from_onnx(path, schema=NATURAL, classes=names)
        return
    x = sample_inputs(NATURAL)
    expected = (x.double() @ torch.tensor(weights).T).softmax(1)
    assert torch.allclose(from_onnx(path, schema=NATURAL, classes=names).probabilities(x).double(), expected, atol=1e-5)


def test_a_closing_softmax_over_an_axis_that_is_left_out_keeps_its_meaning(tmp_path: Path) -> None:
    nodes = [node("Gemm", "x w b", "z"), node("Unsqueeze", "z one", "u"), node("Softmax", "u", "s", axis=-1), node("Squeeze", "s one", "y")]
    classifier = from_onnx(save(tmp_path, nodes, {**linear(4), "one": np.array([1])}), schema=NATURAL, classes=CLASSES)
    assert classifier.differentiable
    assert torch.allclose(classifier.probabilities(sample_inputs(NATURAL)).sum(1), torch.ones(64))


def test_whole_numbers_reach_a_string_input_without_a_decimal_point(tmp_path: Path) -> None:
    schema = Schema(
        "tabular", (Feature("code", "integer", low=1, high=3), Feature("flag", "binary"), Feature("a", "continuous", low=0, high=9))
    )
    known = {"code": (["1", "2", "3"], [5.0, 6.0, 7.0]), "flag": (["0", "1"], [0.0, 1.0])}
    encode = {
        name: helper.make_node(
            "LabelEncoder", [name], [f"{name}_n"], domain=ML, keys_strings=keys, values_floats=values, default_float=50.0
        )
        for name, (keys, values) in known.items()
    }  # fmt: skip
    nodes = [*encode.values(), node("Concat", "code_n flag_n a", "h", axis=1), node("MatMul", "h w", "y")]
    inputs = [(name, TensorProto.FLOAT if name == "a" else TensorProto.STRING, ["n", 1]) for name in ("code", "flag", "a")]
    path = save(tmp_path, nodes, {"w": F32([[0, 0.1], [0, 0.2], [0, 0.3]])}, inputs=inputs)
    frame = pd.DataFrame({"code": [1, 3], "flag": [0, 1], "a": [2.0, 4.0]})
    found = from_onnx(path, schema=schema, classes=CLASSES).probabilities(schema.encode(frame))[:, 1]
    assert torch.allclose(found, torch.tensor([0.5 + 0.6, 0.7 + 0.2 + 1.2]).sigmoid(), atol=1e-5)


def test_what_does_not_map_to_torch_is_a_black_box_at_worst(tmp_path: Path) -> None:
    halves = save(tmp_path, [node("Split", "x", "p o", axis=1), node("Concat", "o p", "h", axis=1), LAST], linear(4), opset=13)
    assert from_onnx(halves, schema=NATURAL, classes=CLASSES).differentiable
    whole = [node("Abs", "x", "a"), node("Cast", "a", "u", to=TensorProto.UINT32), node("Cast", "u", "h", to=TensorProto.FLOAT), LAST]
    assert "a cast to the type 12" in from_onnx(save(tmp_path, whole, linear(4)), schema=NATURAL, classes=CLASSES).why_no_gradients
    text = [node("Constant", "", "k", value_string="abc"), node("Relu", "x", "h"), LAST]
    assert from_onnx(save(tmp_path, text, linear(4)), schema=NATURAL, classes=CLASSES).differentiable


@pytest.mark.parametrize("flat", [True, False])
def test_a_sparse_constant_is_taken_in_full(tmp_path: Path, flat: bool) -> None:
    model = onnx.load(save(tmp_path, [node("MatMul", "x sparse", "h"), LAST], linear(4)))
    places = np.array([0, 5, 14]) if flat else np.array([[0, 0], [1, 1], [3, 2]])
    values = numpy_helper.from_array(F32([1, 2, 3]), "sparse")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, numpy_helper.from_array(places, "places"), [4, 4]))
    onnx.save(model, tmp_path / "model.onnx")
    assert from_onnx(tmp_path / "model.onnx", schema=NATURAL, classes=CLASSES).differentiable


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
    monkeypatch.setitem(onnx_operators.OPERATORS, "Relu", lambda inputs, attributes, opset: inputs[0].abs())
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


def test_the_order_of_the_outputs_is_asked_where_the_data_have_another_than_sorted_labels(tmp_path: Path) -> None:
    path = save(tmp_path, [node("Gemm", "x w b", "y")], linear(4))
    with pytest.raises(ConfigurationError, match=r"does not name its classes.*state the class of each output"):
        from_onnx(path, schema=NATURAL, classes=("yes", "no"))
    one, other = (from_onnx(path, schema=NATURAL, classes=("yes", "no"), output_classes=order) for order in (("yes", "no"), ("no", "yes")))
    assert one.digest != other.digest
    x = sample_inputs(NATURAL)
    assert torch.equal(one.logits(x), other.logits(x).flip(1))
