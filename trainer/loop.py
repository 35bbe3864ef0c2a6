"""The training loop: Adam on cross-entropy, stopped by the validation loss."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import isfinite

import torch
from torch import Tensor, nn

from classifier.architectures._layers import Standardize
from classifier.classifier import Classifier
from classifier.dataset import Dataset, Splits
from classifier.errors import ModelError
from classifier.modality import modality_of
from classifier.progress import progress_bar
from classifier.seeds import Seed
from trainer.recipe import Recipe


@dataclass(frozen=True)
class Epoch:
    """How far the training is.

    Args:
        number: Epochs done, from 1.
        of: Epochs there will be at most.
        train_loss: Mean loss over the training rows of this epoch.
        validation_loss: Loss over the validation rows after it.
    """

    number: int
    of: int
    train_loss: float
    validation_loss: float

    def __str__(self) -> str:
        return f"epoch {self.number} of {self.of}: training loss {self.train_loss:.4f}, validation loss {self.validation_loss:.4f}"


def train(data: Dataset | Splits, recipe: Recipe, *, device: str = "auto", progress: bool | Callable[[Epoch], None] = True) -> Classifier:
    """Train a classifier.

    The rows are held on the device and batched by index, so that an epoch of a small network costs no loading.

    Args:
        data: A dataset, which is split with the recipe's seed, or its splits; the test part is not touched.
        recipe: Everything that determines the run.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for a GPU where there is one.
        progress: Whether to show a bar on a terminal, or a function that is told of every epoch.

    Returns:
        The classifier with the lowest validation loss; its card holds the training record.

    Raises:
        ModelError: If the loss stops being a number.
    """
    splits = data if isinstance(data, Splits) else data.split(seed=recipe.seed)
    place = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    network = recipe.network()
    classes = splits.train.classes
    seed = Seed(recipe.seed, ("train",))
    x, y = splits.train.inputs.to(place), splits.train.labels.to(place)
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        # Fresh weights and dropout draw from the global generator, which is put back afterwards.
        torch.manual_seed(seed.child("weights").integer())
        module = network.build(splits.train.schema, len(classes)).to(place)
        for layer in module.modules():
            if isinstance(layer, Standardize):
                layer.fit(x)
        weights = _class_weights(recipe, y, len(classes))
        history, best = _fit(module, x, y, splits.validation, recipe, weights, seed, progress)
    card = {
        "baseline": modality_of(splits.train.schema).typical(x).flatten().tolist(),
        "training": {
            "recipe": asdict(recipe),
            "data": {"train": splits.train.digest, "validation": splits.validation.digest},
            "rows": {"train": len(splits.train), "validation": len(splits.validation)},
            "class_weights": None if weights is None else weights.tolist(),
            "loss": history,
            "best_epoch": best,
        },
    }
    return Classifier.wrap(module, schema=splits.train.schema, classes=classes, factory=network, card=card)


def _fit(
    module: nn.Module,
    x: Tensor,
    y: Tensor,
    validation: Dataset,
    recipe: Recipe,
    weights: Tensor | None,
    seed: Seed,
    progress: bool | Callable[[Epoch], None],
) -> tuple[Mapping[str, list[float]], int]:
    """Train in place; returns the losses by epoch and the epoch whose weights were kept, from 1."""
    loss = nn.CrossEntropyLoss(weight=weights)
    optimizer: torch.optim.Optimizer = torch.optim.AdamW(module.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    held_x, held_y = validation.inputs.to(x.device), validation.labels.to(x.device)
    order = seed.child("order").torch()
    history: dict[str, list[float]] = {"train": [], "validation": []}
    best, kept = 0, copy.deepcopy(module.state_dict())
    with progress_bar("training", recipe.epochs, shown=progress is True) as advance:
        for epoch in range(1, recipe.epochs + 1):
            history["train"].append(_epoch(module, x, y, loss, optimizer, recipe.batch_size, order))
            module.eval()
            with torch.no_grad():
                history["validation"].append(loss(module(held_x), held_y).item())
            state = Epoch(epoch, recipe.epochs, history["train"][-1], history["validation"][-1])
            diverged = next((value for value in (state.train_loss, state.validation_loss) if not isfinite(value)), None)
            if diverged is not None:
                raise ModelError(
                    f"the loss is {diverged} in epoch {epoch} at learning_rate {recipe.learning_rate}",
                    remedy=f"try learning_rate = {recipe.learning_rate / 10:g}",
                )
            if callable(progress):
                progress(state)
            advance(f"loss {state.train_loss:.3f}, validation {state.validation_loss:.3f}")
            if best == 0 or state.validation_loss < history["validation"][best - 1] or recipe.patience is None:
                best, kept = epoch, copy.deepcopy(module.state_dict())
            elif epoch - best >= recipe.patience:
                break
    module.load_state_dict(kept)
    return history, best


def _epoch(
    module: nn.Module, x: Tensor, y: Tensor, loss: nn.Module, optimizer: torch.optim.Optimizer, size: int, order: torch.Generator
) -> float:
    module.train()
    total = torch.zeros((), device=x.device)
    for rows in torch.split(torch.randperm(len(x), generator=order).to(x.device), size):
        optimizer.zero_grad()
        batch = loss(module(x[rows]), y[rows])
        batch.backward()
        optimizer.step()
        total += batch.detach() * len(rows)
    return total.item() / len(x)


def _class_weights(recipe: Recipe, labels: Tensor, classes: int) -> Tensor | None:
    """Inverse frequencies with mean 1 over the rows ``(K,)``, or ``None`` where classes count alike."""
    counts = torch.bincount(labels, minlength=classes).float()
    even = len(labels) / classes
    if recipe.class_weights == "none" or (recipe.class_weights == "auto" and counts.min() >= 0.8 * even):
        return None
    return even / counts
