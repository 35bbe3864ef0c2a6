"""A training run: the loop over epochs and steps, with what it must remember to go on after it was stopped."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, inf, log
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from classifier.chunks import chunk_size
from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, ModelError
from classifier.progress import progress_bar
from classifier.seeds import Seed
from trainer.acceleration import Acceleration
from trainer.checkpoint import Checkpoint
from trainer.distributed import World, without_exchange
from trainer.expense import Expense
from trainer.objective import Objective
from trainer.optimizing import learning_rate, make_optimizer
from trainer.private import PrivateSteps
from trainer.recipe import Recipe
from trainer.robust import RobustObjective

# A checkpoint waits for the disk, which takes longer than an epoch of a small network.
CHECKPOINT_SECONDS = 5.0
# A mean loss so many times that of fresh weights, or of guessing, does not come back.
_DIVERGED = 100.0
# Bytes of inputs that an epoch gathers in its order at once; of more, each step gathers its own.
_SMALL = 2**26


@dataclass(frozen=True)
class Epoch:
    """How far the training is.

    Args:
        number: Epochs done, from 1.
        of: Epochs there will be at most.
        train_loss: Mean loss over the training rows of this epoch.
        validation_loss: Loss over the validation rows after it.
        snapshot: Makes a classifier of the weights after this epoch, such as a checkpoint for TracIn; to be called before
            the next one begins.
    """

    number: int
    of: int
    train_loss: float
    validation_loss: float
    snapshot: Callable[[], Classifier] = field(repr=False)

    def __str__(self) -> str:
        return f"epoch {self.number} of {self.of}: training loss {self.train_loss:.4f}, validation loss {self.validation_loss:.4f}"


class Run:
    """A module on its way from fresh weights to trained ones.

    Args:
        module: The network, with fresh weights.
        recipe: How it is trained.
        weights: Weight of each class ``(K,)``, or ``None``.
        world: The processes that train it.
        rows: The training rows.
    """

    def __init__(self, module: nn.Module, recipe: Recipe, weights: Tensor | None, world: World, rows: Dataset) -> None:
        self.module, self.recipe, self.world = module, recipe, world
        self.expense = Expense(world)
        self.notes: list[str] = []
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
        if max(world.size, recipe.accumulate) > 1 and any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in module.modules()):
            self.notes.append("batch normalisation took the statistics of each process's part of a batch, and of each piece, by themselves")
        self.optimizer = make_optimizer(recipe, module)
        self.parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        self.acceleration = Acceleration.of(recipe, world.device)
        probes = [rows.inputs[: recipe.batch_size].to(world.device), rows.inputs[:2].to(world.device)]
        self.network = self.acceleration.prepared(world.parallel(module), probes)
        self.train_losses: list[float] = []
        self.validation_losses: list[float] = []
        self.best = 0
        self.kept = copy.deepcopy(module.state_dict())
        # A mean loss above this is no chance of a step: it has left where learning is possible.
        self.limit = _DIVERGED * log(len(rows.classes))

    def fit(
        self,
        x: Tensor,
        y: Tensor,
        validation: Dataset,
        progress: bool | Callable[[Epoch], None],
        checkpoint: Path | None,
        key: str,
        snapshot: Callable[[], Classifier],
    ) -> None:
        """Train until the epochs are over or the patience is; the module has the kept weights then."""
        recipe, first, written = self.recipe, self.world.first, time.monotonic()
        if checkpoint is not None:
            self._go_on(checkpoint, key)
        held_x, held_y = validation.inputs.to(x.device), validation.labels.to(x.device)
        with progress_bar("training", recipe.epochs, shown=progress is True and first) as advance:
            for done in range(len(self.train_losses)):
                advance(f"epoch {done + 1} was done before")
            for number in range(len(self.train_losses) + 1, recipe.epochs + 1):
                if self.best and number - 1 - self.best >= (self.patience or inf):
                    break
                train_loss = self._epoch(number, x, y)
                state = Epoch(number, recipe.epochs, train_loss, self._validate(number, held_x, held_y), snapshot)
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

    def _epoch(self, number: int, x: Tensor, y: Tensor) -> float:
        """One pass over the training rows; returns their mean loss."""
        recipe, world = self.recipe, self.world
        self.module.train()
        # Each epoch draws from its own streams, so that a resumed run needs no state of a generator.
        torch.manual_seed(Seed(recipe.seed, ("train", "noise", str(number), str(world.rank))).integer())
        order = torch.randperm(len(x), generator=Seed(recipe.seed, ("train", "order", str(number))).torch()).to(x.device)
        batches = torch.split(order, recipe.batch_size) if self.private is None else self.private.batches(len(x), x.device)
        totals: list[Tensor] = []
        sizes: list[Any] = []
        for step, (some_x, some_y) in enumerate(_gathered(batches, x, y)):
            # The middle of a step: a warm-up does not begin with a step of length 0, nor a schedule end with one.
            total, size = self._step(some_x, some_y, (number - 1 + (step + 0.5) / len(batches)) / recipe.epochs)
            totals.append(total)
            sizes.append(size)
        # Looked at once an epoch: to look at every step would make a GPU wait for each.
        each = world.total(torch.stack(totals)).cpu()
        size = (torch.stack(sizes) if isinstance(sizes[0], Tensor) else torch.tensor(sizes)).to(each)
        means = each / size.clamp_min(torch.finfo(size.dtype).tiny)
        if number == 1:
            self.limit = max(self.limit, _DIVERGED * float(means[0]))
        mean = float(each.sum() / size.sum().clamp_min(torch.finfo(size.dtype).tiny))
        if not mean <= self.limit:
            self._refuse(means, number)
        # Every process goes on with the statistics of the first one, which are those that are saved.
        world.agree(self.module)
        return mean

    def _step(self, x: Tensor, y: Tensor, progress: float) -> tuple[Tensor, Tensor | int]:
        """One step of the optimizer on a batch; returns this process's part of its summed loss, and what the whole is divided by."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, progress)
        # What `Optimizer.zero_grad` does, without its records for a profiler.
        for parameter in self.parameters:
            parameter.grad = None
        if self.private is not None:
            loss = self.private.set_gradients(x, y)
            self.acceleration.step(self.optimizer, self.recipe.clip_norm)
            return loss * len(x), len(x)
        objective = self.objective.at(progress)
        size = objective.size(y)
        own_x, own_y = self.world.share(x), self.world.share(y)
        idle = len(own_x) == 0
        if idle:
            # Nothing to do in a short last batch: it takes part in the exchange with a row that counts nothing.
            own_x, own_y = x[:1], y[:1]
        length = ceil(len(own_x) / self.recipe.accumulate)
        pieces = list(zip(torch.split(own_x, length), torch.split(own_y, length), strict=True))
        losses = []
        for index, (some_x, some_y) in enumerate(pieces):
            with without_exchange(self.network, skip=index < len(pieces) - 1):
                with self.acceleration.precision():
                    total = objective.total(self.network, some_x, some_y)
                # The exchange takes the mean over the processes, and the sum is wanted.
                total = total * 0.0 if idle else total
                self.acceleration.backward(total * (self.world.size / size))
            losses.append(total.detach())
        self.acceleration.step(self.optimizer, self.recipe.clip_norm)
        return torch.stack(losses).sum() if len(losses) > 1 else losses[0], size

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
            self._refuse(loss, number)
        return loss.item()

    def _refuse(self, losses: Tensor, epoch: int) -> NoReturn:
        """Refuse the losses of an epoch's steps, or one loss after it."""
        rate, each = self.recipe.learning_rate, losses.flatten()
        wrong = ~(each <= self.limit)
        step = int(wrong.long().argmax()) if wrong.any() else int(each.argmax())
        where = f"epoch {epoch}" if losses.dim() == 0 else f"step {step + 1} of epoch {epoch}"
        raise ModelError(
            f"the loss is {each[step].item():.4g} in {where} at learning_rate {rate}", remedy=f"try learning_rate = {rate / 10:g}"
        )

    def _state(self, key: str) -> Checkpoint:
        facts = {
            "train": self.train_losses, "validation": self.validation_losses, "best": self.best, "limit": self.limit,
            "spent": self.expense.so_far(), "scale": self.acceleration.scale(),
        }  # fmt: skip
        return Checkpoint(key, facts, self.module.state_dict(), self.kept, self.optimizer.state_dict()["state"])

    def _go_on(self, path: Path, key: str) -> None:
        """Take up the run of a checkpoint, where there is one of this run.

        Raises:
            ConfigurationError: If the processes do not all find the same one.
        """
        saved = Checkpoint.load(path, key)
        if saved is not None:
            self.train_losses, self.validation_losses = list(saved.facts["train"]), list(saved.facts["validation"])
            self.best, self.kept, self.limit = saved.facts["best"], dict(saved.kept), saved.facts["limit"]
            self.expense.add(saved.facts["spent"])
            self.acceleration.rescale(saved.facts["scale"])
            self.module.load_state_dict(saved.weights)
            groups = self.optimizer.state_dict()["param_groups"]
            moments = {index: dict(state) for index, state in saved.moments.items()}
            self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        done = len(self.train_losses)
        if self.world.total(torch.tensor(done, device=self.world.device)).item() != done * self.world.size:
            raise ConfigurationError(
                f"the process {self.world.rank} would go on after epoch {done}, and others after another one",
                remedy="put the checkpoint on a disk that all processes read, or delete it",
            )


def _gathered(batches: Sequence[Tensor], x: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The inputs and labels of each batch of row numbers."""
    if x.nbytes > _SMALL or not batches:
        return ((x[rows], y[rows]) for rows in batches)
    order, sizes = torch.cat(list(batches)), [len(rows) for rows in batches]
    return zip(torch.split(x[order], sizes), torch.split(y[order], sizes), strict=True)
