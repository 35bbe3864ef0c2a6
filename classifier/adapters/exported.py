"""A program saved by torch.export (a ``.pt2`` archive), run without torch's own loader."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from classifier.adapters._answers import FixedBatch, Ordered, Output, class_order, meaning, require_outputs
from classifier.adapters._equality import TOLERANCE, sample_inputs
from classifier.adapters._exported_program import Program
from classifier.adapters._layout import Axes, Categories, fit_layout
from classifier.classifier import Classifier
from classifier.errors import IntegrityError, ModelError
from classifier.records import sha256
from classifier.schema import Schema

_UNBOUNDED = tuple(f"aten.{name}." for name in ("linear", "addmm", "mm", "matmul", "add", "add_", "sub", "log_softmax", "_log_softmax"))


def from_exported(
    path: str | Path,
    *,
    schema: Schema,
    classes: Sequence[str],
    output: Output | None = None,
    output_classes: Sequence[str] = (),
    categories: Categories = "one-hot",
    axes: Axes | None = None,
) -> Classifier:
    """Make a classifier of what ``torch.export.save`` wrote; it is differentiable.

    ``torch.export.load`` of torch 2.13 unpickles the sample inputs without restraint where they are not plain tensors, and
    evaluates expressions that the file holds. This reads the graph as JSON and the weights as raw numbers, and runs the
    graph operator by operator, only those of a fixed list. Guaranteed: no pickle is opened, no expression evaluated, no
    operator run that reads or writes files. Not guaranteed: that the numbers are those of torch's own loader, which is not
    run to compare (the tests do); the bounds that the program states for its batch are not enforced; a program can still
    ask for more memory or time than there is.

    Args:
        path: The ``.pt2`` file.
        schema: What the inputs mean.
        classes: Name of each class; of two, the second is the event.
        output: What the outputs are, where the graph does not tell.
        output_classes: The class of each output, in the program's order; by default `classes`.
        categories: How the program takes categories; see :func:`fit_layout`.
        axes: Where the program has the channels; see :func:`fit_layout`.

    Raises:
        IntegrityError: If the file is no such archive, or holds what would have to be unpickled.
        ModelError: If the program does not fit the schema and the classes, or uses an operator that is not known.
        ConfigurationError: If nothing tells what its outputs are.
    """
    name = Path(path).name
    try:
        content = Path(path).read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            program = Program(archive, sha256(content))
    except FileNotFoundError as error:
        raise ModelError(f"there is no file {path}", remedy="paths start at the folder of audit.toml") from error
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise IntegrityError(f"{name} is no program of torch.export: {error}", remedy="save it with torch.export.save") from error
    layout = fit_layout(schema, program.shape[1:], what=name, categories=categories, axes=axes)
    sample = sample_inputs(schema)
    body, raw = _run(program, layout(sample), name)
    require_outputs(raw, classes, what=name)
    order = class_order(tuple(output_classes) or tuple(classes), classes, what=name)
    last = program.last()
    operator = last.operator if last is not None else "none"
    bounded = operator.startswith(("aten.softmax.", "aten._softmax.")) or (operator.startswith("aten.sigmoid.") and raw.shape[1] == 1)
    probable = (
        meaning(raw, output, operator=operator, bounded=bounded, unbounded=operator.startswith(_UNBOUNDED), what=name) == "probabilities"
    )
    if probable and bounded and last is not None and last.first is not None:
        # Gradients through a saturated softmax and its logarithm vanish; those of its inputs are the same function's.
        program.target, probable = last.first, False
    module = Ordered(nn.Sequential(layout, body), order, probabilities=probable)
    return Classifier.wrap(module, schema=schema, classes=list(classes))


def _run(program: Program, x: Tensor, name: str) -> tuple[nn.Module, Tensor]:
    """The program for any number of rows, and what it answers."""
    size = program.shape[0]
    try:
        with torch.no_grad():
            if size is None:
                return program, program(x)
            fixed = FixedBatch(program, size)
            expected = fixed(x)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ModelError(f"{name} does not run: {str(error).splitlines()[0]}") from error
    try:
        with torch.no_grad():
            # What was exported for a fixed number of rows may nonetheless hold for any.
            free = program(x).shape == expected.shape and torch.allclose(program(x), expected, atol=TOLERANCE)
    except (RuntimeError, ValueError):
        free = False
    return program if free else fixed, expected
