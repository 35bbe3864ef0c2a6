"""ONNX models (https://onnx.ai/onnx/): run by onnxruntime, and as torch where every operator maps to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from classifier.adapters._answers import FixedBatch, Ordered, Output, class_order, meaning, require_outputs, two_sided
from classifier.adapters._equality import require_equal, sample_inputs
from classifier.adapters._first_line import first_line
from classifier.adapters._labels import output_labels
from classifier.adapters._layout import Axes, Categories
from classifier.adapters._onnx_session import Session
from classifier.classifier import Classifier
from classifier.errors import ModelError
from classifier.programs.endings import Ending, ending
from classifier.programs.onnx_graph import Graph, Node, needed_for, read_graph, unmapped
from classifier.records import digest, sha256
from classifier.schema import Schema


def from_onnx(
    path: str | Path,
    *,
    schema: Schema,
    classes: Sequence[str],
    output: Output | None = None,
    output_classes: Sequence[str] = (),
    categories: Categories = "one-hot",
    axes: Axes | None = None,
    threads: int = 1,
) -> Classifier:
    """Make a classifier of an ONNX file.

    It is differentiable where every operator maps to torch: then it runs as torch, and was compared with onnxruntime
    on a sample. Else it is a black box, and `Classifier.why_no_gradients` names the operator.

    The file takes one array ``(N, *S)``, of any number of rows or of a fixed one, or one array ``(N, 1)`` a feature,
    by its name and in natural units. It answers with logits, probabilities, or scikit-learn's label and probabilities.

    Args:
        path: The ``.onnx`` file; weights in files of their own lie beside it.
        schema: What the inputs mean.
        classes: Name of each class; of two, the second is the event.
        output: What the outputs are, where the graph does not tell.
        output_classes: The class of each output, in the file's order; by default what the file says, else sorted as label encoders do.
            One output of two classes is that of the second.
        categories: How the file takes categories; see :func:`fit_layout`.
        axes: Where the file has the channels; see :func:`fit_layout`.
        threads: Threads that onnxruntime uses.

    Raises:
        ModelError: If the file cannot be read or does not fit the schema and the classes, or if its form in torch
            answers otherwise than onnxruntime.
        ConfigurationError: If neither graph nor numbers tell what the outputs are, or nothing tells of which class each is.
    """
    model, content = _read(Path(path))
    nodes, constants = read_graph(model)
    labels = _labels(nodes)
    session = Session(content, schema, name=Path(path).name, labels=labels, categories=categories, axes=axes, threads=threads)
    sample = sample_inputs(schema)
    raw = session.ask(sample)
    own = output_labels(tuple(output_classes) or labels, classes, what=session.name)
    require_outputs(raw, classes, what=session.name)
    order = class_order(own, classes, what=session.name)
    last = ending(nodes, [entry.name for entry in model.graph.input if entry.name not in constants], session.output)
    probable = meaning(raw, output, ending=last, what=session.name) == "probabilities"

    def function(x: Tensor) -> Tensor:
        answer = two_sided(session.ask(x).double(), probabilities=probable)[:, order]
        return answer if probable else answer.softmax(1)

    # What a black box is known by, in its digest.
    function.__module__, function.__qualname__ = "onnx", digest([sha256(content), order, probable, categories])
    card: dict[str, Any] = {"output_order": own, **({"names_classes": True} if labels else {})}
    reason = _obstacle(needed_for(nodes, session.output), session)
    if reason is None:
        source, dtype = session.source
        expected = function(sample)
        for target, logits in _readings(last, session.output, probable, raw.shape[1]):
            graph = Graph(
                needed_for(nodes, target), constants, opset=_opset(model), source=source, target=target, dtype=dtype,
                fingerprint=sha256(content),
            )  # fmt: skip
            try:
                module, reason = _in_torch(graph, session, order, not logits, sample, expected)
            except ModelError:
                if target == session.output:
                    raise
                continue  # before a softmax over an axis that the output no longer has
            if module is not None:
                return Classifier.wrap(module, schema=schema, classes=list(classes), card=card)
    card["why_no_gradients"] = f"the classifier is a black box: {reason}"
    # Without a layout it takes the columns of the table themselves.
    card["takes_whole_values"] = session.layout is None
    return Classifier.wrap(function, schema=schema, classes=list(classes), card=card)


def _read(path: Path) -> tuple[Any, bytes]:
    """The model, its external weights in it, and the same as bytes, so that what is looked at is what runs."""
    try:
        import onnx
        import onnxruntime  # noqa: F401  # looked for here, so that both are missed at once
    except ImportError as error:
        raise ModelError("reading ONNX needs onnx and onnxruntime", remedy="pip install 'assay[onnx]'") from error
    if not path.is_file():
        raise ModelError(f"there is no file {path}", remedy="paths start at the folder of audit.toml")
    try:
        model = onnx.load(path)
        return model, model.SerializeToString(deterministic=True)
    except Exception as error:  # protobuf and onnx have no common class of their errors
        raise ModelError(f"{path.name} is no ONNX model that can be read: {first_line(error)}") from error


def _opset(model: Any) -> int:
    return max((int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)


def _labels(nodes: Sequence[Node]) -> tuple[str, ...]:
    """The classes as a classifier's operator of the domain ai.onnx.ml names them."""
    for node in reversed(nodes):
        for name in ("classlabels_strings", "classlabels_int64s", "classlabels_ints"):
            if node.attributes.get(name):
                return tuple(map(str, node.attributes[name]))
    return ()


def _readings(last: Ending[Node], output: str, probable: bool, columns: int) -> list[tuple[str, bool]]:
    """Where to read the outputs in the graph, and whether they are logits there; the best first.

    Gradients through a saturated softmax and its logarithm vanish; those of the logits are the same function's, kept whole.
    """
    closing = probable and last.makes_probabilities(columns) and not last.operator.startswith("ai.onnx.ml.")
    return [*([(last.steps[0].inputs[0], True)] if closing else []), (output, not probable)]


def _obstacle(nodes: Sequence[Node], session: Session) -> str | None:
    """Why the graph cannot run as torch, as far as it shows."""
    if session.layout is None:
        return f"{session.name} takes one input a feature, in natural units"
    found = unmapped(nodes)
    return None if found is None else f"the operator {found[0]} of {session.name} {found[1]}"


def _in_torch(
    graph: Graph, session: Session, order: Sequence[int], probable: bool, sample: Tensor, expected: Tensor
) -> tuple[nn.Module | None, str]:
    """The graph as a module that answers like the original, or why there is none."""
    assert session.layout is not None  # `_obstacle`
    # A graph that was exported for a fixed number of rows may nonetheless hold for any.
    bodies = [graph] if session.batch is None else [FixedBatch(graph, session.batch), graph]
    kept: nn.Module | None = None
    reason = ""
    for body in bodies:
        module = Ordered(nn.Sequential(session.layout, body), order, probabilities=probable)
        try:
            for rows in (sample, sample[:3]):
                require_equal(module(rows).softmax(1), expected[: len(rows)], what=f"{session.name} in torch")
        except ModelError:
            if kept is None:
                raise
        except Exception as error:  # onnxruntime runs it: whatever goes wrong here, it is a black box at worst
            reason = f"{session.name} does not run as torch: {first_line(error)}"
        else:
            kept = module
    if kept is None:
        return None, reason
    return (kept, "") if _differentiable(kept, sample) else (None, f"no gradient passes through {session.name}")


def _differentiable(module: nn.Module, sample: Tensor) -> bool:
    if not sample.is_floating_point():
        return True  # of discrete inputs nobody asks for a gradient
    x = sample.clone().requires_grad_()
    with torch.enable_grad():
        answer: Tensor = module(x)
    if not answer.requires_grad:
        return False
    try:
        (gradient,) = torch.autograd.grad(answer.sum(), x, allow_unused=True)
    except RuntimeError:  # an operator whose gradient torch does not have
        return False
    return gradient is not None and bool(gradient.isfinite().all())
