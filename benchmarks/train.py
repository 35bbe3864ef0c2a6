"""Training side by side with scikit-learn and a plain torch loop: ``python -m benchmarks.train``.

Times are seconds of this process. An epoch's time is the difference of a long and a short run, so that what is
done once does not count; the best of several, taken in turns. All train the same network (one hidden layer of 64) by
Adam with the same batch size. Assay also standardizes, and measures the validation loss of each epoch; the others do not.
"torch, batches by index" is the least that an epoch of single steps can cost in torch.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from classifier import Dataset, Splits
from trainer import Recipe, train

HIDDEN, SEEDS, REPEATS = 64, 5, 5


def wide_table() -> Splits:
    """20,000 rows of 30 numbers, with a label that needs an interaction."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(20_000, 30))
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(30)])
    label = values[:, 0] + values[:, 1] * values[:, 2] > 0
    return Dataset.from_frame(frame.assign(label=np.where(label, "yes", "no")), target="label", event="yes").split(seed=0)


def by_assay(splits: Splits, epochs: int, batch: int, seed: int = 0) -> Callable[[torch.Tensor], np.ndarray]:
    recipe = Recipe("mlp", hidden=(HIDDEN,), epochs=epochs, batch_size=batch, patience=None, class_weights="none", seed=seed)
    classifier = train(splits, recipe, device="cpu", progress=False)
    return lambda x: classifier.probabilities(x)[:, 1].numpy()


def by_loader(splits: Splits, epochs: int, batch: int, seed: int = 0) -> Callable[[torch.Tensor], np.ndarray]:
    """The loop of the tutorials."""
    torch.manual_seed(seed)
    x, y = splits.train.inputs, splits.train.labels
    module = nn.Sequential(nn.Linear(x.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2))
    optimizer, loss = torch.optim.Adam(module.parameters(), lr=1e-3), nn.CrossEntropyLoss()
    for _ in range(epochs):
        for some_x, some_y in DataLoader(TensorDataset(x, y), batch_size=batch, shuffle=True):
            optimizer.zero_grad()
            loss(module(some_x), some_y).backward()
            optimizer.step()
    return lambda x: module(x).softmax(1)[:, 1].detach().numpy()


def by_index(splits: Splits, epochs: int, batch: int, seed: int = 0) -> Callable[[torch.Tensor], np.ndarray]:
    """The shortest loop: nothing is loaded, nothing is measured."""
    torch.manual_seed(seed)
    x, y = splits.train.inputs, splits.train.labels
    module = nn.Sequential(nn.Linear(x.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2))
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3, fused=True)
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for some_x, some_y in zip(x[order].split(batch), y[order].split(batch), strict=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(some_x), some_y).backward()
            optimizer.step()
    return lambda x: module(x).softmax(1)[:, 1].detach().numpy()


def by_sklearn(splits: Splits, epochs: int, batch: int, seed: int = 0) -> Callable[[torch.Tensor], np.ndarray]:
    estimator = MLPClassifier((HIDDEN,), batch_size=batch, max_iter=epochs, alpha=0, tol=0, n_iter_no_change=10**6, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that it has not converged, as was asked
        estimator.fit(splits.train.inputs.numpy(), splits.train.labels.numpy())
    return lambda x: estimator.predict_proba(x.numpy())[:, 1]


ALL = {
    "assay": by_assay,
    "torch with a DataLoader": by_loader,
    "torch, batches by index": by_index,
    "scikit-learn MLPClassifier": by_sklearn,
}


def seconds_an_epoch(splits: Splits, batch: int) -> dict[str, float]:
    """Of each trainer; they take turns, so that a machine that slows down slows them all."""

    def run(name: str, epochs: int) -> float:
        started = time.process_time()
        ALL[name](splits, epochs, batch)
        return time.process_time() - started

    rounds = [{name: (run(name, 1), run(name, 6)) for name in ALL} for _ in range(REPEATS)]
    return {name: (min(each[name][1] for each in rounds) - min(each[name][0] for each in rounds)) / 5 for name in ALL}


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    console, splits = Console(), wide_table()
    table = Table("trainer", "batch size", "s an epoch", "against assay", title=f"An epoch of {len(splits.train):,} rows of 30 numbers")
    for batch in (64, 256, 1024, 4096):
        each = seconds_an_epoch(splits, batch)
        for name, epoch in each.items():
            table.add_row(name, str(batch), f"{epoch:.4f}", f"{epoch / each['assay']:.1f} x")
    console.print(table)
    credit = Table("trainer", "seconds", "ROC AUC on test rows", title=f"German credit, 40 epochs, batches of 64, means over {SEEDS} seeds")
    parts = [Dataset.builtin("german-credit").split(seed=seed) for seed in range(SEEDS)]
    for name, work in ALL.items():
        started = time.process_time()
        scores = [work(part, 40, 64, seed)(part.test.inputs) for seed, part in enumerate(parts)]
        spent = (time.process_time() - started) / SEEDS
        area = np.mean([roc_auc_score(part.test.labels, score) for part, score in zip(parts, scores, strict=True)])
        credit.add_row(name, f"{spent:.2f}", f"{area:.3f}")
    console.print(credit)


if __name__ == "__main__":
    main()
