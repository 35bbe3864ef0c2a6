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
from classifier.adapters._first_line import first_line
from classifier.adapters._labels import output_labels
from classifier.adapters._layout import Axes, Categories, fit_layout
from classifier.classifier import Classifier
from classifier.errors import AssayError, IntegrityError, ModelError
from classifier.programs.endings import ending
from classifier.programs.exported_program import Program
from classifier.records import sha256
from classifier.schema import Schema


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
    run to compare (the tests do); that no operator trusts what it is given beyond those that were found to, by trying each
    with random arguments, and are checked; the bounds that the program states for its batch are not enforced; a program
    can still ask for more memory or time than there is.

    Args:
        path: The ``.pt2`` file.
        schema: What the inputs mean.
        classes: Name of each class; of two, the second is the event.
        output: What the outputs are, where the graph does not tell.
        output_classes: The class of each output, in the program's order; by default sorted as label encoders do.
            One output of two classes is that of the second.
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
    except AssayError:
        raise
    except Exception as error:  # a file can be wrong in any way
        problem = f"{name} is no program of torch.export: {first_line(error)}"
        raise IntegrityError(problem, remedy="save it with torch.export.save") from error
    layout = fit_layout(schema, program.shape[1:], what=name, categories=categories, axes=axes)
    sample = sample_inputs(schema)
    body, raw = _run(program, layout(sample), name)
    require_outputs(raw, classes, what=name)
    own = output_labels(output_classes, classes, what=name)
    order = class_order(own, classes, what=name)
    last = ending(program.nodes, [program.source], program.target)
    probable = meaning(raw, output, ending=last, what=name) == "probabilities"
    if probable and last.makes_probabilities(raw.shape[1]):
        probable = not _leave_out(program, body, last.steps[0].inputs[0], layout(sample), raw)
    module = Ordered(nn.Sequential(layout, body), order, probabilities=probable)
    return Classifier.wrap(module, schema=schema, classes=list(classes), card={"output_order": own})


def _leave_out(program: Program, body: nn.Module, before: str, x: Tensor, raw: Tensor) -> bool:
    """Let the program end before its closing softmax or sigmoid, if what is there are the logits of the same answers.

    Gradients through a saturated softmax and its logarithm vanish; those of its inputs are the same function's.
    """
    target, program.target = program.target, before
    try:
        with torch.no_grad():
            logits = body(x)
        again = logits.sigmoid() if raw.shape[1] == 1 else logits.softmax(-1)
        if again.shape == raw.shape and torch.allclose(again, raw, atol=TOLERANCE):
            return True
    except (RuntimeError, IndexError):
        pass  # of another form: a softmax over an axis that the output no longer has
    program.target = target
    return False


def _run(program: Program, x: Tensor, name: str) -> tuple[nn.Module, Tensor]:
    """The program for any number of rows, and what it answers."""
    size = program.shape[0]
    body: nn.Module = program if size is None else FixedBatch(program, size)
    try:
        with torch.no_grad():
            expected = body(x)
    except AssayError:
        raise
    except KeyError as error:
        raise IntegrityError(f"{name} is no whole program: nothing in it makes {error}", remedy="save it with torch.export.save") from error
    except Exception as error:  # torch has no common class of its errors, and a file can be wrong in any way
        raise ModelError(f"{name} does not run: {first_line(error)}") from error
    # States hold the number of rows: what runs for another one would mix up theirs.
    if size is None or program.recurrent:
        return body, expected
    try:
        with torch.no_grad():
            # What was exported for a fixed number of rows may nonetheless hold for any.
            free = program(x)
    except Exception:  # as above
        return body, expected
    same = free.shape == expected.shape and torch.allclose(free, expected, atol=TOLERANCE)
    return program if same else body, expected
