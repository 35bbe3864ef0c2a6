"""A model that is no function of single inputs is refused when it is wrapped, by what it does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.errors import ModelError
from classifier.schema import Feature, Schema

TABLE = Schema("tabular", tuple(Feature(f"x{index}", "continuous", 0.0, 1.0) for index in range(3)))
IMAGE = Schema("image", (Feature("gray", "continuous", 0.0, 1.0),), size=(4, 4))


class Calls(nn.Module):
    """A network whose forward is a function of one's own."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.last = function, nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.last(self.function(x))
        return answer


def over_the_batch(x: Tensor) -> Tensor:
    return x - x.mean(0)


def in_place(x: Tensor) -> Tensor:
    x -= 0.5
    return x


@pytest.mark.parametrize(
    ("model", "schema", "message"),
    [
        (Calls(lambda x: nn.functional.dropout(x, 0.5)), TABLE, r"otherwise the second time.*training=self\.training"),
        (Calls(over_the_batch), TABLE, "otherwise among others than alone"),
        (nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False), nn.Linear(3, 2)), TABLE, "does not take an input alone"),
        (
            nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten(), nn.Linear(16, 2)),
            IMAGE,
            "otherwise among others than alone.*track_running_stats",
        ),
        (Calls(in_place), TABLE, "writes over its inputs"),
        (nn.Linear(3, 2).double(), TABLE, r"inputs are torch\.float32 and its weights torch\.float64: bring model\.float"),
    ],
)
def test_what_is_no_function_of_one_input_is_refused(model: nn.Module, schema: Schema, message: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(ModelError, match=message):
        Classifier.wrap(model, schema=schema, classes=("no", "yes"))


@pytest.mark.parametrize(
    "model",
    [
        Calls(lambda x: x),
        nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(), nn.ReLU(inplace=True), nn.Linear(3, 2)),
        nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 2)),
    ],
)
def test_layers_that_rest_in_evaluation_are_taken(model: nn.Module) -> None:
    assert Classifier.wrap(model, schema=TABLE, classes=("no", "yes")).differentiable
