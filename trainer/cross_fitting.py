"""Predictions for every row by a classifier that never saw it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from classifier.dataset import Dataset, Splits
from classifier.seeds import Seed
from trainer.loop import train
from trainer.recipe import Recipe


def cross_predict(dataset: Dataset, recipe: Recipe, *, count: int = 5, seed: int = 0, group: str | None = None) -> Tensor:
    """Logits of each row from a classifier trained on the other folds.

    The numbers describe the recipe, averaged over `count` trainings, rather than one set of weights: that
    is what lets all rows count in a comparison of groups.

    Args:
        dataset: All rows.
        recipe: How each classifier is trained; each takes its own seed from it.
        count: How many folds.
        seed: Decides the folds.
        group: A column whose rows never straddle two folds.

    Returns:
        Logits ``(N, K)``.
    """
    fold = dataset.folds(count, seed=seed, group=group)
    logits = torch.empty(len(dataset), len(dataset.classes))
    for index in range(count):
        rest, held = dataset[fold != index], dataset[fold == index]
        inner = rest.folds(7, seed=seed, group=group)
        own = replace(recipe, seed=Seed(recipe.seed, ("fold", str(index))).integer())
        classifier = train(Splits(rest[inner != 0], rest[inner == 0], held), own, progress=False)
        logits[torch.from_numpy(fold == index)] = classifier.logits(held.inputs).cpu()
    return logits
