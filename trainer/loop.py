"""Training: a recipe and data become a classifier."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from classifier.architecture import Settles
from classifier.architectures._layers import Standardize
from classifier.classifier import Classifier
from classifier.dataset import Dataset, Splits
from classifier.modality import modality_of
from classifier.records import digest
from classifier.seeds import Seed
from trainer.distributed import join_world
from trainer.finishing import finish
from trainer.objective import class_weights
from trainer.optimizing import learning_rate
from trainer.private import public_inputs
from trainer.recipe import Recipe
from trainer.run import Epoch, Run


def train(
    data: Dataset | Splits,
    recipe: Recipe,
    *,
    device: str = "auto",
    progress: bool | Callable[[Epoch], None] = True,
    checkpoint: Path | None = None,
) -> Classifier:
    """Train a classifier.

    The rows are held on the device and batched by index, so that an epoch of a small network costs no loading.
    Under ``torchrun`` every process takes its share of each batch, and all return the same classifier.

    Args:
        data: A dataset, which is split with the recipe's seed, or its splits; the test part is not touched.
        recipe: Everything that determines the run.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for a GPU where there is one.
        progress: Whether to show a bar on a terminal, or a function that is told of every epoch, and can keep its classifier.
        checkpoint: A file that holds the state after an epoch, written every few seconds. Where it is of the same
            recipe and data, the run goes on from there, to the weights of an uninterrupted one. It stays: remove it
            once the classifier is saved. Several processes need it on a disk that all of them read.

    Returns:
        The classifier with the lowest validation loss; its card holds the training record.

    Raises:
        ConfigurationError: If there is no such device, or the recipe asks for what these data cannot have.
        NotApplicableError: If the architecture does not take such inputs, or a layer stands against the recipe.
        ModelError: If the loss stops being a number.
    """
    splits = data if isinstance(data, Splits) else data.split(seed=recipe.seed)
    schema, classes = splits.train.schema, splits.train.classes
    network = recipe.network()
    network.require(schema)
    with join_world(device) as world, torch.random.fork_rng(devices=[world.device] if world.device.type == "cuda" else []):
        x, y = splits.train.inputs.to(world.device), splits.train.labels.to(world.device)
        # What is learned of the inputs beside the weights; in private training the schema's bounds must do.
        seen = x if recipe.private is None else public_inputs(schema).to(x)
        # Fresh weights and dropout draw from the global generator, which is put back afterwards.
        torch.manual_seed(Seed(recipe.seed, ("train", "weights")).integer())
        module = network.build(schema, len(classes)).to(world.device)
        for layer in module.modules():
            if isinstance(layer, Standardize):
                layer.fit(seen)
        weights = class_weights("none" if recipe.private else recipe.class_weights, y, len(classes))
        run = Run(module, recipe, weights, world, splits.train)
        key = digest([asdict(recipe), splits.train.digest, splits.validation.digest]) if checkpoint is not None else ""
        facts = {
            "recipe": asdict(recipe),
            "data": {"train": splits.train.digest, "validation": splits.validation.digest},
            "rows": {"train": len(splits.train), "validation": len(splits.validation)},
            "class_weights": None if weights is None else weights.tolist(),
            "processes": world.size,
        }

        def wrapped(module: nn.Module, best: int, **more: Any) -> Classifier:
            if isinstance(module, Settles):
                module.settle(seen)
            rates = [learning_rate(recipe, (epoch + 0.5) / recipe.epochs) for epoch in range(len(run.train_losses))]
            loss = {"train": list(run.train_losses), "validation": list(run.validation_losses)}
            record = {**facts, "loss": loss, "learning_rate": rates, "best_epoch": best, **more}
            card = {"baseline": modality_of(schema).typical(seen).flatten().tolist(), "training": record}
            return Classifier.wrap(module, schema=schema, classes=classes, factory=network, card=card)

        run.fit(x, y, splits.validation, progress, checkpoint, key, lambda: wrapped(copy.deepcopy(module), len(run.train_losses)))
        spent = run.expense.told()
    notes = [*run.notes, *run.acceleration.notes]
    if run.private is not None and recipe.patience is not None:
        notes.append("kept the last weights: choosing an epoch would look at the validation rows, which nothing protects")
    if run.private is not None and run.private.obstacle:
        notes.append(f"took the gradient of one row after the other, since all at once fail: {run.private.obstacle}")
    private = {} if run.private is None else {"private": run.private.budget.told()}
    trained = wrapped(module, run.best, notes=notes, **private, **spent)
    return finish(trained, recipe, splits.validation, seen.cpu())
