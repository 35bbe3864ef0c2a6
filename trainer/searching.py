"""Hyper-parameter search of a given budget, by Optuna (Akiba et al., 2019, arXiv:1907.10902)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from math import inf
from typing import Any, Literal

import pandas as pd

from classifier.architecture import ARCHITECTURES
from classifier.dataset import Splits
from classifier.errors import ConfigurationError, ModelError, did_you_mean
from classifier.progress import progress_bar
from classifier.seeds import Seed
from trainer.loop import train
from trainer.recipe import Recipe
from trainer.run import Epoch

# They change what the validation loss means, so that losses could not be compared, or come after it, so that it does not
# tell them apart; a search over seeds finds only luck.
_NOT_SEARCHED = ("class_weights", "robust", "private", "prune", "quantise", "calibration", "seed")
_OPTIONS = tuple(field.name for field in fields(Recipe) if field.name not in ("_", "options"))


@dataclass(frozen=True)
class Range:
    """Numbers to choose from; whole ones where both ends are.

    Args:
        low: Smallest.
        high: Largest.
        log: Whether factors count alike rather than differences, as for a learning rate.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (-inf < self.low < self.high < inf) or (self.log and self.low <= 0):
            raise ConfigurationError(f"a range needs finite low < high, above 0 where it is log, got {self.low} and {self.high}")


@dataclass(frozen=True)
class Trial:
    """One recipe that was tried.

    Args:
        options: What it differs in.
        validation_loss: That of the weights it kept; ``None`` where it was stopped or failed.
        epochs: How many epochs it trained.
        outcome: ``"completed"``, ``"pruned"`` (worse than the median of the others so far) or ``"failed"`` (the loss was no number,
            or the options do not go together).
    """

    options: Mapping[str, Any]
    validation_loss: float | None
    epochs: int
    outcome: Literal["completed", "pruned", "failed"]


@dataclass(frozen=True)
class Search:
    """What a search found.

    Args:
        recipe: The recipe with the lowest validation loss.
        trials: All that was tried, in order.
    """

    recipe: Recipe
    trials: tuple[Trial, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a trial: its options, its loss, its epochs and its outcome."""
        return pd.DataFrame([{**trial.options, **{k: v for k, v in asdict(trial).items() if k != "options"}} for trial in self.trials])


def search(
    splits: Splits,
    recipe: Recipe,
    space: Mapping[str, Range | Sequence[Any]],
    *,
    trials: int = 20,
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> Search:
    """Try recipes, and take the one with the lowest validation loss. The test part is not touched.

    The winner's validation loss flatters: it is the best of many on the same rows.

    Args:
        splits: Rows to learn from and to compare on.
        recipe: What stays the same.
        space: For an option of the recipe or of its architecture, a range or the values to choose from.
        trials: How many recipes are tried.
        seed: Decides which; the same seed tries the same.
        device: See `train`.
        progress: Whether to show a bar on a terminal.

    Raises:
        ConfigurationError: If Optuna is not installed, or the space asks for what cannot be searched.
        ModelError: If no trial came to an end.
    """
    _require(recipe, space, trials)
    optuna = _optuna()
    tried: list[Trial] = []
    with _quiet(optuna), progress_bar("searching", trials, shown=progress) as advance:
        study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=Seed(seed, ("search",)).integer() % 2**32),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=max(1, recipe.epochs // 10)),
        )
        for _ in range(trials):
            trial = study.ask()
            chosen = {name: _choose(trial, name, values) for name, values in space.items()}
            result = _try(splits, recipe, chosen, trial, device)
            state = optuna.trial.TrialState
            states = {"completed": state.COMPLETE, "pruned": state.PRUNED, "failed": state.FAIL}
            study.tell(trial, result.validation_loss, state=states[result.outcome])
            tried.append(result)
            advance(result.outcome)
    finished = {trial.validation_loss: trial for trial in reversed(tried) if trial.validation_loss is not None}
    if not finished:
        raise ModelError(f"none of {trials} trials came to an end", remedy="lower the learning rates of the space")
    return Search(with_options(recipe, finished[min(finished)].options), tuple(tried))


def with_options(recipe: Recipe, options: Mapping[str, Any]) -> Recipe:
    """The recipe with some options changed: its own by their names, all others as those of its architecture."""
    own = {name: value for name, value in options.items() if name in _OPTIONS}
    rest = {name: value for name, value in options.items() if name not in _OPTIONS}
    return replace(recipe, **own, options={**recipe.options, **rest})


class _PrunedError(Exception):
    """A trial is worse than the others were."""


def _try(splits: Splits, recipe: Recipe, chosen: Mapping[str, Any], trial: Any, device: str) -> Trial:
    seen: list[Epoch] = []

    def tell(epoch: Epoch) -> None:
        seen.append(epoch)
        trial.report(epoch.validation_loss, epoch.number)
        if trial.should_prune():
            raise _PrunedError

    try:
        record = train(splits, with_options(recipe, chosen), device=device, progress=tell).card["training"]
    except _PrunedError:
        return Trial(chosen, None, len(seen), "pruned")
    except (ModelError, ConfigurationError):
        return Trial(chosen, None, len(seen), "failed")
    return Trial(chosen, record["loss"]["validation"][record["best_epoch"] - 1], len(seen), "completed")


def _choose(trial: Any, name: str, values: Range | Sequence[Any]) -> Any:
    if not isinstance(values, Range):
        # By position: Optuna takes no tuples as values.
        return values[trial.suggest_categorical(name, range(len(values)))]
    if isinstance(values.low, int) and isinstance(values.high, int):
        return trial.suggest_int(name, values.low, values.high, log=values.log)
    return trial.suggest_float(name, values.low, values.high, log=values.log)


def _require(recipe: Recipe, space: Mapping[str, Range | Sequence[Any]], trials: int) -> None:
    if trials < 1:
        raise ConfigurationError(f"trials must be at least 1, got {trials}")
    if not space:
        raise ConfigurationError("a search needs a space of at least one option")
    if recipe.private is not None:
        raise ConfigurationError("every trial of a private recipe would spend its epsilon again", remedy="search on other data")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigurationError("a search runs in one process", remedy="leave out torchrun")
    known = [*_OPTIONS, *(option.name for option in fields(ARCHITECTURES[recipe.architecture]))]
    for name, values in space.items():
        if name not in known:
            raise ConfigurationError(
                f"the architecture {recipe.architecture!r} has no option {name!r} to search", remedy=did_you_mean(name, known)
            )
        if name in _NOT_SEARCHED:
            raise ConfigurationError(f"{name} cannot be searched: validation losses could not tell", remedy="set it in the recipe")
        if not isinstance(values, Range) and (isinstance(values, str) or not isinstance(values, Sequence) or len(values) == 0):
            raise ConfigurationError(f"the space of {name} must be a range or a list of values, got {values!r}")


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ConfigurationError("a search needs the package optuna", remedy="pip install 'assay[search]'") from error
    return optuna


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
