"""Networks that either exporter of torch writes as ONNX are differentiable, and their gradients are the original's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from classifier import Classifier, Feature, Schema
from classifier.adapters._equality import sample_inputs
from classifier.adapters.onnx import from_onnx

NATURAL = Schema("tabular", tuple(Feature(name, "continuous", low=-2.0, high=3.0) for name in ("a", "b", "c", "d")), encoding="natural")
SERIES = Schema("sequence", tuple(Feature(name, "continuous", low=0.0, high=1.0) for name in ("a", "b")), size=(6,), encoding="natural")
CLASSES = ("no", "yes")
pytestmark = pytest.mark.filterwarnings("ignore")  # what the exporters warn of is not ours


class Last(nn.Module):
    """A recurrent layer, and a linear one of its last step."""

    def __init__(self, kind: type[nn.RNNBase], bidirectional: bool) -> None:
        super().__init__()
        self.layer = kind(2, 3, num_layers=2, batch_first=True, bidirectional=bidirectional)
        self.last = nn.Linear(6 if bidirectional else 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(x)[0][:, -1])


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(2, 1, 8, batch_first=True, activation="gelu")
        self.layers, self.last = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layers(x).mean(1))


class Grouped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.last = nn.Conv1d(2, 4, 3), nn.GroupNorm(2, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.norm(self.conv(x.transpose(1, 2)))).amax(2))


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 6), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(nn.functional.normalize(nn.functional.glu(self.first(x)).mean(1)))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "LSTM": lambda: Last(nn.LSTM, False),
    "LSTM in both directions": lambda: Last(nn.LSTM, True),
    "GRU": lambda: Last(nn.GRU, True),
    "RNN": lambda: Last(nn.RNN, False),
    "transformer": Encoder,
    "group normalisation": Grouped,
    "gated linear unit": Gated,
}


# The dynamo exporter takes seconds for each; all networks and both ways of counting rows are tried by the other exporter.
QUICK = {("LSTM", True, None), *((name, False, rows) for name in NETWORKS for rows in (None, 5))}


@pytest.mark.parametrize(
    ("name", "dynamo", "rows"),
    [
        pytest.param(name, dynamo, rows, marks=() if (name, dynamo, rows) in QUICK else pytest.mark.slow)
        for name in NETWORKS
        for dynamo in (True, False)
        for rows in (None, 5)
    ],
)
def test_an_exported_network_has_the_gradients_of_the_original(tmp_path: Path, name: str, dynamo: bool, rows: int | None) -> None:
    torch.manual_seed(0)
    model, path = NETWORKS[name]().eval(), tmp_path / "model.onnx"
    dynamic = {"dynamic_shapes": ({0: "rows"},)} if dynamo else {"dynamic_axes": {"x": {0: "n"}, "y": {0: "n"}}, "opset_version": 17}
    if rows is not None:
        dynamic.pop("dynamic_shapes" if dynamo else "dynamic_axes")
    torch.onnx.export(
        model, (torch.rand(rows or 3, 6, 2),), path, dynamo=dynamo, verbose=False, input_names=["x"], output_names=["y"], **dynamic
    )  # fmt: skip
    classifier = from_onnx(path, schema=SERIES, classes=CLASSES)
    assert classifier.differentiable, classifier.why_no_gradients
    compare(classifier, model)


def compare(classifier: Classifier, model: nn.Module) -> None:
    """Logits and gradients are those of the original."""
    x = sample_inputs(classifier.schema, 13)
    original = Classifier.wrap(model, schema=classifier.schema, classes=CLASSES)
    assert torch.allclose(classifier.logits(x), original.logits(x), atol=1e-5)
    gradients = []
    for each in (classifier, original):
        point = x.clone().requires_grad_()
        gradients.append(torch.autograd.grad(each.logits(point)[:, 1].sum(), point)[0])
    assert torch.allclose(*gradients, atol=1e-5)


def mlp(outputs: int = 2) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, outputs)).eval()


@pytest.mark.parametrize("rows", [None, 1, 5], ids=["any number of rows", "one row", "five rows"])
def test_an_exported_table_network_gives_the_logits_and_gradients_of_the_original(tmp_path: Path, rows: int | None) -> None:
    model, path = mlp(), tmp_path / "model.onnx"
    shapes = ({0: "rows"},) if rows is None else None
    torch.onnx.export(model, (torch.zeros(rows or 3, 4),), path, dynamo=True, dynamic_shapes=shapes, verbose=False)
    compare(from_onnx(path, schema=NATURAL, classes=CLASSES), model)


@pytest.mark.parametrize("kind", ["hidden state", "clipping"])
def test_a_recurrent_operator_that_torch_does_not_have_leaves_a_black_box(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "model.onnx"
    torch.manual_seed(0)
    model = Last(nn.GRU, False).eval()
    torch.onnx.export(model, (torch.rand(3, 6, 2),), path, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}}, opset_version=17)
    changed = onnx.load(path)
    for operator in changed.graph.node:
        if operator.op_type == "GRU" and kind == "clipping":
            operator.attribute.append(onnx.helper.make_attribute("clip", 0.1))
        for attribute in operator.attribute:
            if operator.op_type == "GRU" and attribute.name == "linear_before_reset" and kind == "hidden state":
                attribute.i = 0
    onnx.save(changed, path)
    classifier = from_onnx(path, schema=SERIES, classes=CLASSES)
    assert not classifier.differentiable
    wanted = "GRU with clipping" if kind == "clipping" else "GRU with the reset gate before the product"
    assert wanted in classifier.why_no_gradients
