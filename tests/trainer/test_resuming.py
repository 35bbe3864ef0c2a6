"""A killed run goes on from its checkpoint to the weights of an uninterrupted one."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from classifier import Dataset, Splits
from classifier.errors import ConfigurationError, IntegrityError
from classifier.records import digest
from trainer import Epoch, Recipe, train
from trainer.distributed import World
from trainer.run import Run

RECIPE = Recipe("mlp", hidden=(8,), dropout=0.5, epochs=8, schedule="cosine", warmup=0.1, patience=None)


class PowerCutError(Exception):
    """The lights go out."""


@pytest.fixture(autouse=True)
def _after_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.run.CHECKPOINT_SECONDS", 0.0)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return Dataset.builtin("moons").split(seed=0)


def killed_after(epochs: int, splits: Splits, recipe: Recipe, path: Path) -> None:
    def tell(epoch: Epoch) -> None:
        if epoch.number == epochs:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        train(splits, recipe, progress=tell, checkpoint=path)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("patience", [None, 2])
def test_a_resumed_run_has_the_weights_of_an_uninterrupted_one_to_the_bit(
    splits: Splits, tmp_path: Path, optimizer: str, patience: int | None
) -> None:
    recipe = replace(RECIPE, optimizer=optimizer, patience=patience, learning_rate=0.05)  # type: ignore[arg-type]
    whole = train(splits, recipe, progress=False)
    killed_after(2, splits, recipe, tmp_path / "run")
    killed_after(3, splits, recipe, tmp_path / "run")
    seen: list[Epoch] = []
    resumed = train(splits, recipe, progress=seen.append, checkpoint=tmp_path / "run")
    assert resumed.digest == whole.digest
    assert resumed.card["training"]["loss"] == whole.card["training"]["loss"]
    assert [epoch.number for epoch in seen] == list(range(4, len(whole.card["training"]["loss"]["train"]) + 1))
    assert train(splits, recipe, progress=False, checkpoint=tmp_path / "run").digest == whole.digest


def test_the_record_of_a_resumed_run_counts_what_was_spent_before(splits: Splits, tmp_path: Path) -> None:
    def slowly(epoch: Epoch) -> None:
        time.sleep(0.2)
        if epoch.number == 4:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        train(splits, RECIPE, progress=slowly, checkpoint=tmp_path / "run")
    record = train(splits, RECIPE, progress=False, checkpoint=tmp_path / "run").card["training"]
    # The checkpoint of the fourth epoch was written before the fourth pause.
    assert record["seconds"] > 0.6


def test_processes_that_would_go_on_from_different_epochs_are_refused(splits: Splits, tmp_path: Path) -> None:
    class Alone(World):
        """The other process found no checkpoint."""

        def total(self, value: torch.Tensor) -> torch.Tensor:
            return value

        def parallel(self, module: nn.Module) -> nn.Module:
            return module

    killed_after(4, splits, RECIPE, tmp_path / "run")
    module = RECIPE.network().build(splits.train.schema, 2)
    run = Run(module, RECIPE, None, Alone(torch.device("cpu"), 0, 2), splits.train)
    key = digest([asdict(RECIPE), splits.train.digest, splits.validation.digest])
    with pytest.raises(ConfigurationError, match="would go on after epoch 4, and others after another one; put the checkpoint on a disk"):
        run.fit(splits.train.inputs, splits.train.labels, splits.validation, False, tmp_path / "run", key, pytest.fail)


def test_a_run_that_was_stopped_early_and_killed_stays_stopped(splits: Splits, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=40, patience=1, learning_rate=0.3)
    whole = train(splits, recipe, progress=False)
    last = len(whole.card["training"]["loss"]["train"])
    assert last < 40
    killed_after(last, splits, recipe, tmp_path / "run")
    assert train(splits, recipe, progress=False, checkpoint=tmp_path / "run").digest == whole.digest


def test_a_checkpoint_of_another_run_is_not_taken(splits: Splits, tmp_path: Path) -> None:
    killed_after(3, splits, RECIPE, tmp_path / "run")
    other = replace(RECIPE, seed=1)
    seen: list[Epoch] = []
    assert train(splits, other, progress=seen.append, checkpoint=tmp_path / "run").digest == train(splits, other, progress=False).digest
    assert seen[0].number == 1


def test_a_damaged_checkpoint_is_refused(splits: Splits, tmp_path: Path) -> None:
    killed_after(3, splits, RECIPE, tmp_path / "run")
    content = (tmp_path / "run").read_bytes()
    (tmp_path / "run").write_bytes(content[: len(content) // 2])
    with pytest.raises(IntegrityError, match="delete it to train from the start"):
        train(splits, RECIPE, progress=False, checkpoint=tmp_path / "run")
