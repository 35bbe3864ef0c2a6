"""An ONNX file in onnxruntime: what it takes of encoded inputs, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.adapters._answers import in_batches
from classifier.adapters._first_line import first_line
from classifier.adapters._layout import Axes, Categories, Layout, fit_layout
from classifier.columns import as_text
from classifier.errors import ModelError, did_you_mean
from classifier.schema import Schema

TYPES = {
    "tensor(float)": torch.float32, "tensor(double)": torch.float64, "tensor(float16)": torch.float16,
    "tensor(int64)": torch.int64, "tensor(int32)": torch.int32, "tensor(bool)": torch.bool,
}  # fmt: skip


class Session:
    """A file, ready to answer encoded inputs.

    Args:
        content: The file, its weights in it.
        schema: What the inputs mean.
        name: What to call the file in an error.
        labels: The class of each output, where the file names them.
        categories: How it takes categories; see :func:`fit_layout`.
        axes: Where it has the channels; see :func:`fit_layout`.
        threads: Threads to use.

    Raises:
        ModelError: If onnxruntime cannot run it, or it takes other inputs than the schema's.
    """

    def __init__(
        self, content: bytes, schema: Schema, *, name: str, labels: Sequence[str], categories: Categories, axes: Axes | None, threads: int
    ) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class of its own for each failure, and no common one
            raise ModelError(f"onnxruntime cannot run {name}: {first_line(error)}", remedy="check it with onnx.checker") from error
        self.name, self._schema, self._labels = name, schema, labels
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        numbers = [output for output in outputs if "float" in output.type or "double" in output.type]
        if len(numbers) != 1:
            listed = ", ".join(f"{output.name} {output.type}" for output in outputs)
            raise ModelError(f"{name} has the outputs {listed}, required is one of numbers", remedy="export it with that one alone")
        self.output: str = numbers[0].name
        self._mapped = "map(" in numbers[0].type
        self._inputs = {entry.name: entry.type for entry in inputs}
        #: How many rows it takes at once; ``None`` where it takes any number.
        self.batch = next((entry.shape[0] for entry in inputs if entry.shape and isinstance(entry.shape[0], int)), None)
        #: How the one input is laid out; ``None`` where there is one for each feature.
        self.layout: Layout | None = None
        if len(inputs) == 1:
            self.layout = self._one_input(inputs[0], categories, axes)
        else:
            self._one_a_feature()

    @property
    def source(self) -> tuple[str, torch.dtype]:
        """Name and type of the one input."""
        name, kind = next(iter(self._inputs.items()))
        return name, TYPES[kind]

    def ask(self, x: Tensor) -> Tensor:
        """What the file answers encoded inputs ``(N, *S)``, as ``(N, K)``."""
        return in_batches(self._run, x, self.batch) if self.batch is not None else self._run(x)

    def _run(self, x: Tensor) -> Tensor:
        try:
            answer = self._session.run([self.output], self._feed(x))[0]
        except ModelError:
            raise
        except Exception as error:  # as above
            raise ModelError(f"onnxruntime cannot run {self.name} on {len(x)} rows: {first_line(error)}") from error
        if self._mapped:
            rows = [{str(label): value for label, value in row.items()} for row in answer]
            return torch.tensor([[row[label] for label in self._labels] for row in rows])
        found = torch.from_numpy(np.asarray(answer))
        if found.dim() == 0 or len(found) != len(x):
            raise ModelError(
                f"{self.name} answers {len(x)} rows with the shape {tuple(found.shape)}, required is one answer a row",
                remedy="export it with a dynamic batch dimension, or with a fixed one",
            )
        return found.reshape(len(found), -1)

    def _feed(self, x: Tensor) -> dict[str, NDArray[Any]]:
        if self.layout is not None:
            name, dtype = self.source
            return {name: self.layout(x.float() if self.layout.matrix is not None else x).to(dtype).contiguous().numpy()}
        frame = self._schema.decode(x)
        return {
            name: self._texts(name, frame[name])[:, None]
            if kind == "tensor(string)"
            else torch.tensor(frame[name].to_numpy(dtype=float), dtype=TYPES[kind])[:, None].numpy()
            for name, kind in self._inputs.items()
        }

    def _texts(self, name: str, column: pd.Series[Any]) -> NDArray[Any]:
        # Codes are whole numbers, which a frame holds as 1.0 and the file knows as "1".
        whole = self._schema.features[self._schema.names.index(name)].kind in ("integer", "binary")
        return (as_text(column) if whole else column.astype(str)).to_numpy(dtype=object)

    def _one_input(self, entry: Any, categories: Categories, axes: Axes | None) -> Layout:
        if entry.type not in TYPES:
            raise ModelError(f"{self.name} takes {entry.type}, required are numbers", remedy="export it with one input a feature")
        expected = [extent if isinstance(extent, int) else None for extent in entry.shape[1:]] if entry.shape else None
        return fit_layout(self._schema, expected, what=self.name, categories=categories, axes=axes)

    def _one_a_feature(self) -> None:
        for name, kind in self._inputs.items():
            if self._schema.modality != "tabular" or name not in self._schema.names:
                raise ModelError(
                    f"{self.name} takes an input {name!r}, which is no feature of the data", remedy=did_you_mean(name, self._schema.names)
                )
            if kind not in (*TYPES, "tensor(string)"):
                raise ModelError(f"{self.name} takes {name!r} as {kind}, required are numbers or strings")
