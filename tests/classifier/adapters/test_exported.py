"""A program of torch.export answers as torch's own loader has it answer, and nothing of the file is run as code."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from classifier import Classifier, Feature, Schema
from classifier.adapters._equality import sample_inputs
from classifier.adapters.exported import from_exported
from classifier.errors import ConfigurationError, IntegrityError, ModelError
from classifier.programs import exported_operators

TABLE = Schema("tabular", tuple(Feature(name, "continuous", low=-2.0, high=3.0) for name in ("a", "b", "c", "d")))
SERIES = Schema("sequence", tuple(Feature(name, "continuous", low=0.0, high=1.0) for name in ("a", "b")), size=(6,))
CLASSES = ("no", "yes")


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)
        self.register_buffer("shift", torch.linspace(0, 1, 4))

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu_(self.first(x - self.shift)) + torch.tensor([1.0, 2.0, 3.0, 4.0])
        left, right = self.norm(hidden).chunk(2, dim=1)
        return self.last(torch.cat([right, left * x.shape[1]], dim=1))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gru, self.last = nn.Conv1d(2, 3, 3, padding=1), nn.GRU(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden, _ = self.gru(self.conv(x.transpose(1, 2)).transpose(1, 2))
        return self.last(hidden[:, -1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(2, 1, 8, batch_first=True)
        self.last = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(x).mean(1)).softmax(1)


class Fixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(x.reshape(2, 10).reshape(5, 4))


class Long(nn.Module):
    """An LSTM, whose states hold the number of rows that it was exported for."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.last = nn.LSTM(2, 4, num_layers=2, batch_first=True, bidirectional=True, proj_size=3), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.lstm(x)[0][:, -1])


class Causal(nn.Module):
    """Infinities among its arguments, which JSON cannot write as numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.ones(6, 6, dtype=torch.bool).triu(1)
        scores = (x @ x.transpose(1, 2)).masked_fill(hidden, float("-inf"))
        return self.last((scores.softmax(-1) @ x).clamp(float("-inf"), 9.0).mean(1))


class Various(nn.Module):
    """Operators that are seen less often."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.last = nn.ConvTranspose1d(2, 2, 3, stride=2), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = nn.functional.glu(torch.cat([x.flip(1), torch.roll(x, 1, 1)], 2), 2)
        h = nn.functional.celu(nn.functional.normalize(h, dim=1)) + h.round() + h.tril() + h.sort(1).values
        h = nn.functional.adaptive_max_pool1d(
            self.up(torch.einsum("ntc,tc->nct", h, torch.ones(6, 1).expand(6, h.shape[2]))[:, :1].expand(-1, 2, -1)), 3
        )
        return self.last(h.topk(2, dim=2).values.sum(2))


MODELS: dict[str, tuple[Callable[[], nn.Module], Schema]] = {
    "residual": (Residual, TABLE),
    "recurrent": (Recurrent, SERIES),
    "attention": (Attention, SERIES),
    "fixed": (Fixed, TABLE),
    "long": (Long, SERIES),
    "causal": (Causal, SERIES),
    "various": (Various, SERIES),
}


def save(folder: Path, model: nn.Module, x: Tensor, *, dynamic: bool) -> Path:
    shapes = ({0: torch.export.Dim("rows", min=1, max=4096)},) if dynamic else None
    program = torch.export.export(model, (x,), dynamic_shapes=shapes)
    torch.export.save(program, folder / "model.pt2")
    return folder / "model.pt2"


@pytest.mark.parametrize(
    ("name", "dynamic"),
    [(name, dynamic) for name in MODELS for dynamic in (True, False) if name != "fixed" or not dynamic],
)
def test_a_program_gives_the_probabilities_and_gradients_of_the_original(tmp_path: Path, name: str, dynamic: bool) -> None:
    make, schema = MODELS[name]
    torch.manual_seed(0)
    model = make().eval()
    x = sample_inputs(schema, 13)
    path = save(tmp_path, model, x[:5], dynamic=dynamic)
    classifier = from_exported(path, schema=schema, classes=CLASSES)
    theirs = torch.export.load(path).module()
    expected = torch.cat([theirs(torch.cat([x[i : i + 1]] * 5))[:1] for i in range(13)]).detach()
    if name == "fixed":
        expected = torch.cat([1 - expected.sigmoid(), expected.sigmoid()], 1)
    elif name != "attention":
        expected = expected.softmax(1)
    assert torch.allclose(classifier.probabilities(x), expected, atol=1e-5)
    if name in ("residual", "recurrent", "long", "causal", "various"):
        own, original = x.clone().requires_grad_(), x.clone().requires_grad_()
        (found,) = torch.autograd.grad(classifier.logits(own)[:, 1].sum(), own)
        (wanted,) = torch.autograd.grad(model(original)[:, 1].sum(), original)
        assert torch.allclose(found, wanted, atol=1e-5)
        wrapped = Classifier.wrap(model, schema=schema, classes=CLASSES)
        assert classifier.digest != wrapped.digest
    assert torch.equal(x, sample_inputs(schema, 13))  # an operator in place must not reach what was given


def altered(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """The archive with some of its files changed, or left out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    path.write_bytes(buffer.getvalue())
    return path


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.path, "w"))


def test_what_is_pickled_in_the_archive_is_never_opened(tmp_path: Path) -> None:
    path = save(tmp_path, Residual().eval(), torch.zeros(3, 4), dynamic=True)
    trap = io.BytesIO()
    torch.save(Trap(str(tmp_path / "sprung")), trap)
    altered(path, lambda name, content: trap.getvalue() if "sample_inputs" in name else content)
    assert from_exported(path, schema=TABLE, classes=CLASSES).differentiable
    assert not (tmp_path / "sprung").exists()

    def pickled(name: str, content: bytes) -> bytes:
        if name.endswith("model_weights_config.json"):
            document = json.loads(content)
            next(iter(document["config"].values()))["use_pickle"] = True
            return json.dumps(document).encode()
        return trap.getvalue() if name.endswith("weight_0") else content

    with pytest.raises(IntegrityError, match="as a pickle, which is not opened"):
        from_exported(altered(path, pickled), schema=TABLE, classes=CLASSES)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("target", ["torch.ops.aten.from_file.default", "torch.hub.load", "_operator.attrgetter", "torch.os.system"])
def test_an_operator_that_is_not_known_to_be_harmless_is_refused(tmp_path: Path, target: str) -> None:
    path = save(tmp_path, Residual().eval(), torch.zeros(3, 4), dynamic=True)

    def change(name: str, content: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return content
        document = json.loads(content)
        document["graph_module"]["graph"]["nodes"][0]["target"] = target
        return json.dumps(document).encode()

    with pytest.raises(ModelError, match=r"uses the operator .*, which is not among those that are run from a file"):
        from_exported(altered(path, change), schema=TABLE, classes=CLASSES)


def test_expressions_of_the_archive_are_not_evaluated(tmp_path: Path) -> None:
    path = save(tmp_path, Residual().eval(), torch.zeros(3, 4), dynamic=True)
    marker = str(tmp_path / "sprung")

    def change(name: str, content: bytes) -> bytes:
        evil = json.dumps(f"__import__('pathlib').Path({marker!r}).write_text('x')")[1:-1]
        return content.replace(b"Symbol('s", f"{evil} + Symbol('s".encode()) if name.endswith("models/model.json") else content

    assert from_exported(altered(path, change), schema=TABLE, classes=CLASSES).differentiable
    assert not (tmp_path / "sprung").exists()


def test_what_is_no_program_or_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, Residual().eval(), torch.zeros(3, 4), dynamic=True)
    with pytest.raises(ModelError, match=r"takes inputs of shape \(4\), the data give \(3,\)"):
        from_exported(path, schema=Schema("tabular", TABLE.features[:3]), classes=CLASSES)
    with pytest.raises(ModelError, match=r"outputs of shape \(2,\) a row, the classes are a, b, c"):
        from_exported(path, schema=TABLE, classes=("a", "b", "c"))
    torch.save(Residual(), tmp_path / "pickle.pt2")
    with pytest.raises(IntegrityError, match="holds 0 programs, required is one"):
        from_exported(tmp_path / "pickle.pt2", schema=TABLE, classes=CLASSES)
    (tmp_path / "text.pt2").write_text("no archive")
    with pytest.raises(IntegrityError, match="is no program of torch"):
        from_exported(tmp_path / "text.pt2", schema=TABLE, classes=CLASSES)
    cut = altered(path, lambda name, content: None if name.endswith("weight_1") else content)
    with pytest.raises(IntegrityError, match="is no program of torch"):
        from_exported(cut, schema=TABLE, classes=CLASSES)


def test_a_program_in_training_mode_is_refused(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 2)).train()
    with pytest.raises(ModelError, match="exported in training mode"):
        from_exported(save(tmp_path, model, torch.zeros(3, 4), dynamic=True), schema=TABLE, classes=CLASSES)


def change_graph(path: Path, change: Callable[[list[Any]], None]) -> Path:
    """The archive with its operators changed."""

    def changed(name: str, content: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return content
        document = json.loads(content)
        change(document["graph_module"]["graph"]["nodes"])
        return json.dumps(document).encode()

    return altered(path, changed)


@pytest.mark.parametrize(
    "target", ["torch.ops.aten.add.__class__", "torch.ops.aten.add.out", "torch.ops.aten.to.prim_dtype", "torch.ops.aten.add.int"]
)
def test_what_is_no_overload_that_the_dispatcher_knows_and_that_writes_nothing_is_refused(tmp_path: Path, target: str) -> None:
    path = save(tmp_path, Residual().eval(), torch.zeros(3, 4), dynamic=True)
    with pytest.raises(ModelError, match="is not among those that are run from a file"):
        from_exported(change_graph(path, lambda nodes: nodes[0].update(target=target)), schema=TABLE, classes=CLASSES)


def test_every_operator_of_the_list_exists_and_writes_nothing_that_its_name_does_not_say() -> None:
    for name in exported_operators.NAMES.split():
        overloads = getattr(torch.ops.aten, name).overloads()
        allowed = []
        for overload in overloads:
            try:
                exported_operators.Operator(f"aten.{name}.{overload}")
            except ModelError:
                continue
            allowed.append(overload)
            assert not getattr(getattr(torch.ops.aten, name), overload)._schema.is_mutable
        assert allowed, name


def test_a_program_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, Residual().eval(), torch.zeros(3, 4), dynamic=True)
    with pytest.raises(IntegrityError, match="is no whole program: nothing in it makes 'nobody'"):
        from_exported(
            change_graph(path, lambda nodes: nodes[0]["inputs"][0].update(arg={"as_tensor": {"name": "nobody"}})),
            schema=TABLE,
            classes=CLASSES,
        )
    with pytest.raises(IntegrityError, match="is no whole program"):
        from_exported(change_graph(path, lambda nodes: nodes.clear()), schema=TABLE, classes=CLASSES)


def test_weights_that_are_changed_by_way_of_a_view_are_refused(tmp_path: Path) -> None:
    class Writing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(x) + torch.relu(self.last.bias.view(1, 2))

    def in_place(nodes: list[Any]) -> None:
        next(node for node in nodes if node["target"].endswith("relu.default"))["target"] = "torch.ops.aten.relu_.default"

    path = change_graph(save(tmp_path, Writing().eval(), torch.zeros(3, 4), dynamic=True), in_place)
    with pytest.raises(ModelError, match="changes its own weights when it runs"):
        from_exported(path, schema=TABLE, classes=CLASSES)


@pytest.mark.parametrize("part", ["hx", "params"])
@pytest.mark.parametrize("model", [Long, Recurrent])
def test_states_and_weights_that_do_not_fit_never_reach_a_recurrent_operator(tmp_path: Path, model: type[nn.Module], part: str) -> None:
    path = save(tmp_path, model().eval(), torch.rand(5, 6, 2), dynamic=False)

    def change(nodes: list[Any]) -> None:
        (found,) = [node for node in nodes if node["target"].split(".")[-2] in ("lstm", "gru")]
        argument = next(argument for argument in found["inputs"] if argument["name"] == part)
        if part == "hx":
            found["inputs"][0]["arg"], stated = {"as_tensor": {"name": "x"}}, argument["arg"]
            (entry,) = [stated["as_tensors"][-1]] if "as_tensors" in stated else [stated["as_tensor"]]
            entry["name"] = found["inputs"][2]["arg"]["as_tensors"][0]["name"]
        else:
            argument["arg"]["as_tensors"].pop()

    with pytest.raises(ModelError, match=r"the operator (lstm|gru) is given .*, required is "):
        from_exported(change_graph(path, change), schema=SERIES, classes=CLASSES)


WRONG: dict[str, tuple[str, list[Any], dict[str, Any]]] = {
    "normalisation by few numbers": (
        "aten._native_batch_norm_legit_no_training.default", [torch.rand(2, 300, 2), *[torch.rand(3)] * 4, 0.1, 1e-5], {},
    ),
    "groups of no channels": ("aten.native_group_norm.default", [torch.rand(0, 8), None, None, 1, -(2**63), -2, 4, 0.0], {}),
    "fewer values than keys": ("aten.scaled_dot_product_attention.default", [torch.rand(1, 1, 8, 8)] * 2 + [torch.rand(1, 1, 4, 8)], {}),
    "a scale that leads elsewhere": ("aten.upsample_nearest2d.default", [torch.rand(1, 1, 4, 4), [50, 50], 1e-300, 1e-300], {}),
    "the lowest number by -1": (
        "aten.div.Tensor_mode", [torch.full((9,), -(2**63)), torch.full((9,), -1)], {"rounding_mode": "trunc"},
    ),
    "training": ("aten.batch_norm.default", [torch.rand(2, 3), None, None, torch.zeros(3), torch.ones(3), True, 0.1, 1e-5, False], {}),
    "layers without number": (
        "aten.gru.input", [torch.rand(3, 2, 4), torch.rand(1, 3, 4), [torch.rand(12, 4)] * 2, False, 2**62, 0.0, False, False, True], {},
    ),
    "a repeated text": ("_operator.mul", ["x", 10**12], {}),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_an_operator_does_not_check_itself_is_checked(name: str) -> None:
    operator, positional, named = WRONG[name]
    with pytest.raises(ModelError):
        exported_operators.Operator(operator)(positional, named)


def test_a_tensor_that_reaches_beyond_its_numbers_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, Residual().eval(), torch.zeros(3, 4), dynamic=True)
    for wrong in (
        {"storage_offset": {"as_int": 10**6}},
        {"sizes": [{"as_int": -5}]},
        {"strides": [{"as_int": 2**62}] * 2, "sizes": [{"as_int": 2}] * 2},
    ):

        def change(name: str, content: bytes, wrong: dict[str, Any] = wrong) -> bytes:
            if not name.endswith("model_weights_config.json"):
                return content
            document = json.loads(content)
            for entry in document["config"].values():
                entry["tensor_meta"].update(wrong)
            return json.dumps(document).encode()

        with pytest.raises(IntegrityError, match="the archive has a tensor"):
            from_exported(altered(path, change), schema=TABLE, classes=CLASSES)


class Complement(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return 1 - self.last(x).sigmoid()


def test_one_column_that_may_be_a_probability_is_not_taken_for_a_logit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Complement().eval()
    path = save(tmp_path, model, torch.zeros(3, 4), dynamic=True)
    with pytest.raises(ConfigurationError, match="does not tell what they are"):
        from_exported(path, schema=TABLE, classes=CLASSES)
    classifier = from_exported(path, schema=TABLE, classes=CLASSES, output="probabilities")
    x = sample_inputs(TABLE)
    assert torch.allclose(classifier.probabilities(x)[:, 1], model(x)[:, 0], atol=1e-5)


def test_the_order_of_the_outputs_is_asked_where_the_data_have_another_than_sorted_labels(tmp_path: Path) -> None:
    torch.export.save(torch.export.export(nn.Linear(4, 2), (torch.rand(64, 4),)), tmp_path / "model.pt2")
    with pytest.raises(ConfigurationError, match=r"does not name its classes.*state the class of each output"):
        from_exported(tmp_path / "model.pt2", schema=TABLE, classes=("yes", "no"))
    orders = (("yes", "no"), ("no", "yes"))
    one, other = (from_exported(tmp_path / "model.pt2", schema=TABLE, classes=("yes", "no"), output_classes=order) for order in orders)
    assert one.digest != other.digest
    x = sample_inputs(TABLE)
    assert torch.equal(one.logits(x), other.logits(x).flip(1))
