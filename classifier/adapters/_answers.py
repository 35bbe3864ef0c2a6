"""What a brought model's outputs are: logits or probabilities, of which class each, and for how many rows at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from classifier.errors import ConfigurationError, ModelError
from classifier.programs.endings import Ending

Output = Literal["logits", "probabilities"]


def require_outputs(raw: Tensor, classes: Sequence[str], *, what: str) -> None:
    """Refuse outputs ``(N, K)`` that are not one a class, or one of two classes."""
    if raw.dim() != 2 or (raw.shape[1] != len(classes) and (raw.shape[1], len(classes)) != (1, 2)):
        raise ModelError(
            f"{what} has outputs of shape {tuple(raw.shape[1:])} a row, the classes are {', '.join(classes)}",
            remedy="give the data the target that it was trained for, and leave out other outputs",
        )


def meaning(raw: Tensor, stated: Output | None, *, ending: Ending[Any], what: str) -> Output:
    """Whether outputs are logits or probabilities, if the operators that make them and their values both tell so.

    Probabilities are what a closing softmax, or the sigmoid of one column, makes. Logits are what a plain linear layer
    makes, and any negative numbers that nothing holds in an interval: no probability, share or count is negative.

    Args:
        raw: Outputs for a sample ``(N, K)``, or ``(N, 1)``.
        stated: What somebody says that they are.
        ending: The operators that make them.
        what: What to call the model in an error.

    Raises:
        ModelError: If they are said to be probabilities, and are not.
        ConfigurationError: If nothing tells.
    """
    inside = bool((raw >= -1e-6).all() and (raw <= 1 + 1e-6).all())
    looks = inside and (raw.shape[1] == 1 or bool(((raw.double().sum(1) - 1).abs() < 1e-3).all()))
    if stated == "probabilities" and not looks:
        raise ModelError(f"the outputs of {what} are said to be probabilities, and are not: at least 0, and 1 in sum for each row")
    if stated is not None:
        return stated
    if looks and ending.makes_probabilities(raw.shape[1]):
        return "probabilities"
    # One column of numbers may lie between 0 and 1 by chance, unless it is 1 - p of a sigmoid's p; several never sum to 1.
    if ending.makes_logits:
        telling = not (inside and ending.squashes) and not (looks and raw.shape[1] > 1)
    else:
        telling = bool((raw < -1e-6).any()) and not ending.squashes and not _one_score_twice(raw, ending.operator)
    if telling:
        return "logits"
    shown = "lie between 0 and 1, and sum to 1 in each row" if looks else f"lie between {raw.min():.3g} and {raw.max():.3g}"
    raise ConfigurationError(
        f"{what} ends with the operator {ending.operator} and its outputs {shown}, which does not tell what they are",
        remedy='state [model] output = "logits" or "probabilities"',
    )


def _one_score_twice(raw: Tensor, operator: str) -> bool:
    """Whether a classifier of ai.onnx.ml gives scores that are no logits: margins, or one score as (-s, s).

    The softmax of (-s, s) is the sigmoid of 2 s, and whether s or 2 s is the logit nobody but the model's owner knows.
    """
    if not operator.startswith("ai.onnx.ml."):
        return False
    return "SVM" in operator or (raw.shape[1] == 2 and bool((raw.double().sum(1).abs() < 1e-5 * (1 + raw.double().abs().max())).all()))


def class_order(own: Sequence[str], classes: Sequence[str], *, what: str) -> list[int]:
    """For each class, the model's output that stands for it.

    Args:
        own: The class of each output, in the model's order.
        classes: The classes in the order that the classifier is to have.
        what: What to call the model in an error.

    Raises:
        ModelError: If they are not the same classes.
    """
    if sorted(own) != sorted(classes):
        raise ModelError(
            f"{what} knows the classes {', '.join(own)}, the data have {', '.join(classes)}",
            remedy="state [model] classes: the data's name of each output, in the model's order",
        )
    return [list(own).index(name) for name in classes]


def two_sided(answer: Tensor, *, probabilities: bool) -> Tensor:
    """Outputs as ``(N, K)``: one output z becomes (-z/2, z/2), one probability p becomes (1 - p, p)."""
    if answer.dim() == 2 and answer.shape[1] > 1:
        return answer
    one = answer.reshape(-1, 1)
    return torch.cat([1 - one, one] if probabilities else [-one / 2, one / 2], dim=1)


class Ordered(nn.Module):
    """A model of logits or probabilities, as logits in the order of the classes.

    Args:
        model: From inputs to ``(N, K)`` or, of two classes, ``(N, 1)``.
        order: For each class, the output that stands for it.
        probabilities: Whether the outputs are probabilities.
    """

    def __init__(self, model: nn.Module, order: Sequence[int], *, probabilities: bool) -> None:
        super().__init__()
        self.model = model
        self.order = list(order)
        self.probabilities = probabilities
        # Among the tensors, so that what is done to the outputs counts for the digest of the classifier.
        self.register_buffer("outputs", torch.tensor([*order, int(probabilities)]))

    def forward(self, x: Tensor) -> Tensor:
        answer = two_sided(self.model(x), probabilities=self.probabilities)
        if answer.dim() != 2 or answer.shape[1] != len(self.order):
            return answer  # the classifier refuses it, and says what is required
        answer = answer[:, self.order]
        return answer.clamp_min(1e-12).log() if self.probabilities else answer


class FixedBatch(nn.Module):
    """A model that takes batches of one size only, for batches of any size: the last one is filled up with its last row.

    Args:
        model: From ``(size, *S)`` to ``(size, K)``.
        size: Rows that it takes at once.
    """

    def __init__(self, model: nn.Module, size: int) -> None:
        super().__init__()
        self.model = model
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return in_batches(self.model, x, self.size)


def in_batches(function: Callable[[Tensor], Tensor], x: Tensor, size: int) -> Tensor:
    """Apply a function of exactly `size` rows to any number of them ``(N, *S)``."""
    answers = []
    for start in range(0, len(x), size):
        part = x[start : start + size]
        missing = size - len(part)
        filled = torch.cat([part, part[-1:].expand(missing, *part.shape[1:])]) if missing else part
        answers.append(function(filled)[: len(part)])
    return torch.cat(answers)
