"""ONNX's recurrent operators, as torch's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from classifier.programs.onnx_inputs import Attributes, Operator, given
from classifier.programs.recurrent_shapes import require_fitting

# For each gate of torch, its place in ONNX: (i, f, g, o) of (i, o, f, c), (r, z, n) of (z, r, h).
_ORDER = {"lstm": (0, 2, 3, 1), "gru": (1, 0, 2), "rnn_tanh": (0,), "rnn_relu": (0,)}
_ACTIVATIONS = {"lstm": ["sigmoid", "tanh", "tanh"], "gru": ["sigmoid", "tanh"], "rnn_tanh": ["tanh"], "rnn_relu": ["relu"]}


def _recurrent(kind: str, inputs: Sequence[Any], attributes: Attributes) -> tuple[Tensor, ...]:
    x, w, r = inputs[:3]
    steps, rows, _ = x.shape
    directions, hidden = w.shape[0], r.shape[2]
    _require_plain(kind, inputs, attributes, steps, directions)
    backwards = attributes.get("direction", "forward") == "reverse"
    bias = given(inputs, 3)
    weights: list[Tensor] = []
    for direction in range(directions):
        parts = [w[direction], r[direction]]
        parts += [] if bias is None else list(bias[direction].chunk(2))
        weights += [_reordered(part, _ORDER[kind]) for part in parts]
    empty = x.new_zeros(directions, rows, hidden)
    stated = [given(inputs, index) for index in ((5, 6) if kind == "lstm" else (5,))]
    states = [empty if state is None else state.contiguous() for state in stated]
    x = (x.flip(0) if backwards else x).contiguous()
    require_fitting(
        kind, x, states, weights, biases=bias is not None, layers=1, bidirectional=directions == 2, batch_first=False
    )  # fmt: skip
    options = (weights, bias is not None, 1, 0.0, False, directions == 2, False)
    outcome = torch.lstm(x, states, *options) if kind == "lstm" else getattr(torch, kind)(x, states[0], *options)
    y = outcome[0].reshape(steps, rows, directions, hidden).transpose(1, 2)
    return (y.flip(0) if backwards else y, *outcome[1:])


def _require_plain(kind: str, inputs: Sequence[Any], attributes: Attributes, steps: int, directions: int) -> None:
    """Refuse what torch's operator does not do; the classifier is then a black box."""
    stated = [name.lower() for name in attributes.get("activations", [])]
    lengths = given(inputs, 4)
    odd = {
        "other activations": stated not in ([], _ACTIVATIONS[kind] * directions),
        "clipping": "clip" in attributes,
        "coupled gates": bool(attributes.get("input_forget", 0)),
        "the batch first": bool(attributes.get("layout", 0)),
        "sequences of several lengths": lengths is not None and bool((lengths != steps).any()),
        "peepholes": given(inputs, 7) is not None,
        "the reset gate before the product": kind == "gru" and not attributes.get("linear_before_reset", 0),
    }
    for name, is_so in odd.items():
        if is_so:
            raise NotImplementedError(f"{kind.upper()} with {name}")


def _reordered(tensor: Tensor, order: Sequence[int]) -> Tensor:
    gates = tensor.chunk(len(order))
    return torch.cat([gates[place] for place in order])


def _simple(inputs: Sequence[Any], attributes: Attributes, opset: int) -> tuple[Tensor, ...]:
    relu = [name.lower() for name in attributes.get("activations", [])][:1] == ["relu"]
    return _recurrent("rnn_relu" if relu else "rnn_tanh", inputs, attributes)


RECURRENT: dict[str, Operator] = {
    "GRU": lambda inputs, attributes, opset: _recurrent("gru", inputs, attributes),
    "LSTM": lambda inputs, attributes, opset: _recurrent("lstm", inputs, attributes),
    "RNN": _simple,
}
