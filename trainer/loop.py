"""The training loop: a recipe and data become a classifier."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import ceil, inf
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor, nn

from classifier.architecture import Settles
from classifier.architectures._layers import Standardize
from classifier.chunks import chunk_size
from classifier.classifier import Classifier
from classifier.dataset import Dataset, Splits
from classifier.errors import ConfigurationError, ModelError
from classifier.modality import modality_of
from classifier.progress import progress_bar
from classifier.records import digest
from classifier.seeds import Seed
from trainer.acceleration import Acceleration
from trainer.calibrating import fit_calibration
from trainer.checkpoint import Checkpoint
from trainer.compressing import compress
from trainer.distributed import World, join_world, without_exchange
from trainer.expense import Expense
from trainer.objective import Objective, class_weights
from trainer.optimizing import learning_rate, make_optimizer
from trainer.private import PrivateSteps, public_inputs
from trainer.recipe import Recipe
from trainer.robust import RobustObjective

# A checkpoint waits for the disk, which takes longer than an epoch of a small network.
CHECKPOINT_SECONDS = 5.0


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
        progress: Whether to show a bar on a terminal, or a function that is told of every epoch.
        checkpoint: A file that holds the state after an epoch, written every few seconds. Where it is of the same
            recipe and data, the run goes on from there, to the weights of an uninterrupted one; it is removed at
            the end. Several processes need it on a disk that all of them read.

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
        expense = Expense(world.device)
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
        run = _Run(module, recipe, weights, world, splits.train, x[:2])
        key = digest([asdict(recipe), splits.train.digest, splits.validation.digest]) if checkpoint is not None else ""
        run.fit(x, y, splits.validation, progress, checkpoint, key)
        if isinstance(module, Settles):
            module.settle(seen)
        spent = expense.told()
    notes = list(run.acceleration.notes)
    if run.private is not None and recipe.patience is not None:
        notes.append("kept the last weights: choosing an epoch would look at the validation rows, which nothing protects")
    if run.private is not None and not run.private.vectorised:
        notes.append("took the gradient of one row after the other: the course of the network depends on what it is given")
    card = {
        "baseline": modality_of(schema).typical(seen).flatten().tolist(),
        "training": {
            "recipe": asdict(recipe),
            "data": {"train": splits.train.digest, "validation": splits.validation.digest},
            "rows": {"train": len(splits.train), "validation": len(splits.validation)},
            "class_weights": None if weights is None else weights.tolist(),
            "loss": {"train": run.train_losses, "validation": run.validation_losses},
            "learning_rate": [learning_rate(recipe, epoch / recipe.epochs) for epoch in range(len(run.train_losses))],
            "best_epoch": run.best,
            "processes": world.size,
            "notes": notes,
            **({"private": run.private.budget.told()} if run.private is not None else {}),
            **spent,
        },
    }
    return _finish(Classifier.wrap(module, schema=schema, classes=classes, factory=network, card=card), recipe, splits.validation)


def _finish(trained: Classifier, recipe: Recipe, validation: Dataset) -> Classifier:
    """Compress and calibrate, as far as the recipe says so."""

    def calibrated(classifier: Classifier) -> Classifier:
        kind = recipe.calibration
        return classifier if kind == "none" else classifier.calibrated(fit_calibration(classifier, validation, kind))

    if not recipe.prune and recipe.quantise is None:
        return calibrated(trained)
    assert trained.module is not None
    module = copy.deepcopy(trained.module)
    done = {**compress(module, prune=recipe.prune, bits=recipe.quantise), "uncompressed": calibrated(trained).digest}
    card = {**trained.card, "training": {**trained.card["training"], "compression": done}}
    return calibrated(Classifier.wrap(module, schema=trained.schema, classes=trained.classes, factory=recipe.network(), card=card))


class _Run:
    """A module on its way from fresh weights to trained ones."""

    def __init__(self, module: nn.Module, recipe: Recipe, weights: Tensor | None, world: World, rows: Dataset, probe: Tensor) -> None:
        self.module, self.recipe, self.world = module, recipe, world
        self.objective = Objective(weights, recipe.label_smoothing)
        # Epochs whose validation loss is not to be compared yet: the objective still grows.
        self.growing, self.patience, self.private = 0, recipe.patience, None
        if recipe.robust is not None:
            self.objective = RobustObjective(weights, recipe.label_smoothing, robust=recipe.robust, schema=rows.schema, module=module)
            self.growing = ceil(recipe.robust.ramp * recipe.epochs)
        if recipe.private is not None:
            if world.size > 1:
                raise ConfigurationError(f"private training runs in one process, there are {world.size}", remedy="leave out torchrun")
            budget = recipe.private.budget(rows=len(rows), batch_size=recipe.batch_size, epochs=recipe.epochs)
            self.patience, self.private = None, PrivateSteps(module, self.objective, budget, recipe.batch_size)
        self.optimizer = make_optimizer(recipe, module)
        self.acceleration = Acceleration.of(recipe, world.device)
        self.network = self.acceleration.compiled(world.parallel(module), probe)
        self.train_losses: list[float] = []
        self.validation_losses: list[float] = []
        self.best = 0
        self.kept = copy.deepcopy(module.state_dict())

    def fit(
        self,
        x: Tensor,
        y: Tensor,
        validation: Dataset,
        progress: bool | Callable[[Epoch], None],
        checkpoint: Path | None,
        key: str,
    ) -> None:
        """Train until the epochs are over or the patience is; the module has the kept weights then."""
        recipe, first, written = self.recipe, self.world.first, time.monotonic()
        if checkpoint is not None and (saved := Checkpoint.load(checkpoint, key)) is not None:
            self._restore(saved)
        held_x, held_y = validation.inputs.to(x.device), validation.labels.to(x.device)
        with progress_bar("training", recipe.epochs, shown=progress is True and first) as advance:
            for done in range(len(self.train_losses)):
                advance(f"epoch {done + 1} was done before")
            for number in range(len(self.train_losses) + 1, recipe.epochs + 1):
                if self.best and number - 1 - self.best >= (self.patience or inf):
                    break
                train_loss = self._epoch(number, x, y)
                state = Epoch(number, recipe.epochs, train_loss, self._validate(number, held_x, held_y))
                self.train_losses.append(state.train_loss)
                self.validation_losses.append(state.validation_loss)
                if self.best <= self.growing or self.patience is None or state.validation_loss < self.validation_losses[self.best - 1]:
                    self.best, self.kept = number, copy.deepcopy(self.module.state_dict())
                if checkpoint is not None and first and time.monotonic() - written >= CHECKPOINT_SECONDS:
                    self._state(key).save(checkpoint)
                    written = time.monotonic()
                if callable(progress) and first:
                    progress(state)
                advance(f"loss {state.train_loss:.3f}, validation {state.validation_loss:.3f}")
        self.module.load_state_dict(self.kept)
        if checkpoint is not None and first:
            checkpoint.unlink(missing_ok=True)

    def _epoch(self, number: int, x: Tensor, y: Tensor) -> float:
        """One pass over the training rows; returns their mean loss."""
        recipe, world = self.recipe, self.world
        self.module.train()
        # Each epoch draws from its own streams, so that a resumed run needs no state of a generator.
        torch.manual_seed(Seed(recipe.seed, ("train", "noise", str(number), str(world.rank))).integer())
        order = torch.randperm(len(x), generator=Seed(recipe.seed, ("train", "order", str(number))).torch()).to(x.device)
        batches = torch.split(order, recipe.batch_size) if self.private is None else self.private.batches(len(x), x.device)
        losses = []
        for step, rows in enumerate(batches):
            losses.append(self._step(rows, x, y, (number - 1 + step / len(batches)) / recipe.epochs))
        # Looked at once an epoch: to look at every step would make a GPU wait for each.
        each = world.total(torch.stack(losses)).cpu()
        if not each.isfinite().all():
            self._refuse(each, number, int(each.isfinite().long().argmin()) + 1)
        sizes = torch.tensor([len(rows) for rows in batches])
        return float((each * sizes).sum() / sizes.sum().clamp_min(1))

    def _step(self, rows: Tensor, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """One step of the optimizer; returns this process's part of the batch's mean loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, progress)
        self.optimizer.zero_grad()
        if self.private is not None:
            loss = self.private.set_gradients(x[rows], y[rows])
            self.acceleration.step(self.optimizer, self.recipe.clip_norm)
            return loss
        objective = self.objective.at(progress)
        size = self.objective.size(y[rows])
        own = self.world.share(rows)
        # A process with nothing to do in a short last batch takes part in the exchange with a row that counts nothing.
        share = 1 / size if len(own) else size * 0
        own = own if len(own) else rows[:1]
        pieces = torch.split(own, ceil(len(own) / self.recipe.accumulate))
        loss = torch.zeros((), device=x.device)
        for index, piece in enumerate(pieces):
            with without_exchange(self.network, skip=index < len(pieces) - 1):
                with self.acceleration.precision():
                    total = objective.total(self.network, x[piece], y[piece])
                # The exchange takes the mean over the processes, and the sum is wanted.
                self.acceleration.backward(total, share * self.world.size)
            loss += total.detach() * share
        self.acceleration.step(self.optimizer, self.recipe.clip_norm)
        return loss

    @torch.no_grad()
    def _validate(self, number: int, x: Tensor, y: Tensor) -> float:
        """The loss over the validation rows, without smoothing."""
        self.module.eval()
        objective = self.objective.held_out()
        total = torch.zeros((), device=x.device)
        for rows in torch.split(self.world.share(torch.arange(len(x), device=x.device)), chunk_size(tuple(x.shape[1:]))):
            total += objective.total(self.module, x[rows], y[rows])
        loss = self.world.total(total) / objective.size(y)
        if not loss.isfinite():
            self._refuse(loss, number, None)
        return loss.item()

    def _refuse(self, losses: Tensor, epoch: int, step: int | None) -> NoReturn:
        rate, loss = self.recipe.learning_rate, losses.flatten()[(step or 1) - 1].item()
        where = f"epoch {epoch}" if step is None else f"step {step} of epoch {epoch}"
        raise ModelError(f"the loss is {loss} in {where} at learning_rate {rate}", remedy=f"try learning_rate = {rate / 10:g}")

    def _state(self, key: str) -> Checkpoint:
        facts = {"train": self.train_losses, "validation": self.validation_losses, "best": self.best}
        return Checkpoint(key, facts, self.module.state_dict(), self.kept, self.optimizer.state_dict()["state"])

    def _restore(self, saved: Checkpoint) -> None:
        self.train_losses, self.validation_losses = list(saved.facts["train"]), list(saved.facts["validation"])
        self.best, self.kept = saved.facts["best"], dict(saved.kept)
        self.module.load_state_dict(saved.weights)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": {index: dict(state) for index, state in saved.moments.items()}, "param_groups": groups})
