"""Optimizers and learning-rate schedules, by name."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi

import torch
from torch import nn

from trainer.recipe import Recipe

_SHAPES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1 - progress,
    "cosine": lambda progress: (1 + cos(pi * progress)) / 2,
}


def make_optimizer(recipe: Recipe, module: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimizer over the module's parameters."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=recipe.learning_rate, momentum=0.9, weight_decay=recipe.weight_decay)
    kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    # Fused: one call for all parameters, which is most of what a step of a small network costs.
    return kind(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)


def learning_rate(recipe: Recipe, progress: float) -> float:
    """The step size when a share `progress` of all steps, from 0 to 1, is done.

    It rises linearly over the recipe's warm-up and falls by its schedule over the rest. It depends on nothing
    else, so that a resumed run goes on with the same one.
    """
    if progress < recipe.warmup:
        return recipe.learning_rate * (progress / recipe.warmup)
    rest = (progress - recipe.warmup) / (1 - recipe.warmup)
    return recipe.learning_rate * _SHAPES[recipe.schedule](rest)
