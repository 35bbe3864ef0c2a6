"""Whether the tensors of a recurrent operator fit each other, which torch does not check everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from classifier.errors import ModelError

#: Gates of each recurrent operator.
GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def require_fitting(
    operator: str,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    *,
    biases: bool,
    layers: int,
    bidirectional: bool,
    batch_first: bool,
) -> None:
    """Refuse initial states and weights of other shapes than the input asks for.

    Threat: on a CPU torch hands an LSTM to oneDNN, which trusts the shapes that it is told. A state of five rows beside
    an input of 64, or weights that are too small, reads and writes beyond them: a file could corrupt the process.

    Args:
        operator: Its name in torch, as in `GATES`.
        x: Inputs ``(T, N, I)``, or ``(N, T, I)``.
        states: The initial states ``(L * D, N, P)``; of an LSTM also those of its cells ``(L * D, N, H)``.
        weights: Those of each layer and direction: of the input, of the state, the biases, and of a projection.
        biases: Whether there are biases.
        layers: How many layers, L.
        bidirectional: Whether each has two directions, D.
        batch_first: Whether the first axis of `x` is the batch.

    Raises:
        ModelError: With the first that does not fit.
    """
    wanted = 2 if operator == "lstm" else 1
    _require(x.dim() == 3, operator, f"inputs of {x.dim()} axes", "three")
    _require(len(states) == wanted, operator, f"{len(states)} initial states", str(wanted))
    _require(all(state.dim() == 3 for state in states), operator, "initial states of other than three axes", "three")
    _require(1 <= layers <= len(weights), operator, f"{layers} layers", "at least one, with weights")
    out, hidden, directions = states[0].shape[2], states[-1].shape[2], 1 + bidirectional
    gates = GATES[operator] * hidden
    rows = (layers * directions, x.shape[0 if batch_first else 1])
    expected: list[tuple[int, ...]] = []
    for layer in range(layers):
        columns = x.shape[2] if layer == 0 else directions * out
        one = [(gates, columns), (gates, out), *([(gates,)] * 2 if biases else []), *([(out, hidden)] if out != hidden else [])]
        expected += one * directions
    _require(len(weights) == len(expected), operator, f"{len(weights)} weights", str(len(expected)))
    given = [*states, *weights]
    for tensor, shape in zip(given, [(*rows, out), (*rows, hidden)][-wanted:] + expected, strict=True):
        _require(tuple(tensor.shape) == shape, operator, f"a state or weight of shape {tuple(tensor.shape)}", str(shape))
        _require(tensor.dtype == x.dtype, operator, f"a state or weight of type {tensor.dtype}", str(x.dtype))
    _require(x.is_floating_point(), operator, f"inputs of type {x.dtype}", "floating-point numbers")
    _require(x.numel() > 0 and min(gates, out) > 0, operator, f"inputs of shape {tuple(x.shape)} and {hidden} units", "some of each")


def _require(holds: bool, operator: str, found: str, required: str) -> None:
    if not holds:
        raise ModelError(f"the operator {operator} is given {found}, required is {required}", remedy="export the model again")
