"""A black box: a function to probabilities, as one to logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from classifier.errors import ModelError


class LogProbabilities:
    """Turns a function to probabilities into one to logits: log p, clipped at 1e-12."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        self.function = function

    def __call__(self, x: Tensor) -> Tensor:
        answer = torch.as_tensor(self.function(x), dtype=torch.float32)
        if len(x) == 0:
            if answer.dim() != 2:
                raise ModelError(
                    f"the function must answer no rows with shape (0, K), got {tuple(answer.shape)}", remedy="ask about one row at least"
                )
            return answer
        if answer.dim() == 1 or answer.shape[1] == 1:
            event = answer.reshape(-1, 1)
            answer = torch.cat([1 - event, event], dim=1)
        if not answer.isfinite().all() or answer.min() < 0 or ((answer.sum(1) - 1).abs() > 1e-3).any():
            raise ModelError("the function must return probabilities: at least 0, and 1 in sum for each row")
        return answer.clamp_min(1e-12).log()
