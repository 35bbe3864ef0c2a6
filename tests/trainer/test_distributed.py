"""Two real processes train one classifier, and go on when one of them is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from classifier import Classifier, Dataset
from trainer import Recipe, train
from trainer.distributed import World

SCRIPT = """
import os, signal, sys
from pathlib import Path
import numpy as np
import trainer.run
from classifier import Dataset
from trainer import Recipe, Robust, train

trainer.run.CHECKPOINT_SECONDS = 0.0
folder, killed = Path(sys.argv[1]), sys.argv[2] == "killed"
if sys.argv[3] == "cnn":
    data = Dataset.builtin("digits")
    splits = data[np.arange(400)].split(seed=0)
    options = {"channels": (4,), "hidden": (8,)}
    recipe = Recipe("cnn", options=options, epochs=6, batch_size=49, patience=None, robust=Robust("pgd", eps=0.05, steps=2))
else:
    splits = Dataset.builtin("moons").split(seed=0)
    recipe = Recipe("mlp", hidden=(16,), dropout=float(sys.argv[3]), epochs=6, batch_size=49, learning_rate=0.01, patience=None)
attempt, rank = int(os.environ["TORCHELASTIC_RESTART_COUNT"]), int(os.environ["RANK"])


def tell(epoch):
    if killed and attempt == 0 and epoch.number == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    print(f"attempt {attempt}, epoch {epoch.number}", flush=True)


classifier = train(splits, recipe, device="cpu", progress=tell, checkpoint=folder / "checkpoint")
classifier.save(folder / f"rank{rank}")
"""
RECIPE = Recipe("mlp", hidden=(16,), epochs=6, batch_size=49, learning_rate=0.01, patience=None)


def trained_by_two(folder: Path, *arguments: str, restarts: int = 0) -> tuple[Classifier, Classifier, str]:
    folder.mkdir()
    (folder / "run.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0", "--rdzv-backend=c10d"]
    command += ["--rdzv-endpoint=localhost:0", f"--max-restarts={restarts}", "--monitor-interval=0.1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [*command, str(folder / "run.py"), str(folder), *arguments], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return Classifier.load(folder / "rank0"), Classifier.load(folder / "rank1"), done.stdout


@pytest.mark.slow
def test_two_processes_train_the_classifier_of_one(tmp_path: Path) -> None:
    one = train(Dataset.builtin("moons").split(seed=0), RECIPE, device="cpu", progress=False)
    first, second, _ = trained_by_two(tmp_path / "two", "whole", "0.0")
    assert first.digest == second.digest
    assert first.card["training"]["processes"] == 2
    losses = [torch.tensor(each.card["training"]["loss"]["validation"]) for each in (one, first)]
    assert torch.allclose(*losses, atol=1e-4)
    for mine, theirs in zip(one.module.parameters(), first.module.parameters(), strict=True):  # type: ignore[union-attr]
        assert torch.allclose(mine, theirs, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["0.3", "cnn"])
def test_a_killed_worker_is_survived_and_changes_nothing(tmp_path: Path, network: str) -> None:
    """With dropout; and with batch normalisation and attacked rows, where every process has statistics of its own."""
    whole, *_ = trained_by_two(tmp_path / "whole", "whole", network)
    first, second, said = trained_by_two(tmp_path / "killed", "killed", network, restarts=1)
    assert "attempt 0, epoch 3" in said
    assert "attempt 1, epoch 1" not in said
    assert "attempt 1, epoch 6" in said
    assert first.digest == second.digest == whole.digest


def test_the_shares_of_all_processes_are_the_batch() -> None:
    rows = torch.randperm(11)
    shares = [World(torch.device("cpu"), rank, 4).share(rows) for rank in range(4)]
    assert sorted(torch.cat(shares).tolist()) == sorted(rows.tolist())
    assert {len(share) for share in shares} == {2, 3}
