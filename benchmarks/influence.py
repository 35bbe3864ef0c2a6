"""Influence of training rows side by side with Captum: ``python -m benchmarks.influence``.

The same network, checkpoints and rows for all, in this process; times are the best of several runs. Captum's scores must agree
with ours before its time counts, and the table prints by how much they differ.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from benchmarks.timing import best_time
from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.schema import Feature, Schema
from explain.training_data.influencing import training_influence

ROWS, INPUTS, FEATURES, STAGES, REPEATS = 5000, 50, 30, 3, 3
RATE = 0.01


def make_network(seed: int) -> nn.Module:
    """A network of two hidden layers of 64."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(FEATURES, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))


def make_rows() -> Dataset:
    """Random rows, since times do not depend on what they say."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(ROWS, FEATURES, generator=generator)
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", 0.0, 1.0) for i in range(FEATURES)))
    return Dataset(x, (x[:, 0] > x[:, 1]).long(), np.arange(ROWS), schema, ("no", "yes"), pd.DataFrame(index=range(ROWS)))


def captum_work(networks: list[nn.Module], rows: Dataset, x: Tensor, target: Tensor, *, fast: bool, batch: int) -> Callable[[], Tensor]:
    """Captum's TracInCP, vectorised over rows, or TracInCPFast, which looks at the last layer alone, without its bias."""
    from captum.influence import TracInCP, TracInCPFast

    def load(module: nn.Module, name: str) -> float:
        module.load_state_dict(networks[int(name)].state_dict())
        return RATE

    data, names, model = TensorDataset(rows.inputs, rows.labels), [str(i) for i in range(STAGES)], make_network(0)
    common: dict[str, Any] = {"checkpoints_load_func": load, "loss_fn": nn.CrossEntropyLoss(reduction="sum"), "batch_size": batch}
    if fast:
        peer: Any = TracInCPFast(model, "4", data, names, **common)
    else:
        peer = TracInCP(model, data, names, sample_wise_grads_per_batch=True, **common)
    return lambda: peer.influence((x, target))


def main() -> None:
    """Print the table."""
    warnings.filterwarnings("ignore")
    rows, x = make_rows(), torch.rand(INPUTS, FEATURES, generator=torch.Generator().manual_seed(1))
    networks = [make_network(seed) for seed in range(STAGES)]
    stages = [Classifier.wrap(network, schema=rows.schema, classes=rows.classes) for network in networks]
    target = stages[-1].predict(x)
    ask: dict[str, Any] = {"target": target, "progress": False}
    every: dict[str, Any] = {**ask, "method": "tracin", "checkpoints": stages, "learning_rates": (RATE,) * STAGES}
    runs: list[tuple[str, str, Callable[[], Any]]] = [
        ("assay tracin", "all layers", lambda: training_influence(stages[-1], rows, x, **every).scores),
        ("captum TracInCP, batch 256", "all layers", captum_work(networks, rows, x, target, fast=False, batch=256)),
        ("assay tracin", "last layer, no bias", lambda: training_influence(stages[-1], rows, x, layers=("4.weight",), **every).scores),
        ("captum TracInCPFast, batch 256", "last layer, no bias", captum_work(networks, rows, x, target, fast=True, batch=256)),
        ("assay trak, 1 model", "all layers", lambda: training_influence(stages[-1], rows, x, method="trak", **ask).scores),
        (
            "assay influence_functions, 1 model",
            "all layers",
            lambda: training_influence(stages[-1], rows, x, method="influence_functions", **ask).scores,
        ),
    ]
    table = Table("method", "weights", "seconds", "ratio to ours", "largest difference / largest score", title="TracIn and others")
    ours: dict[str, tuple[float, Tensor]] = {}
    for name, weights, work in runs:
        seconds, scores = best_time(work, REPEATS)
        first = ours.setdefault(weights, (seconds, scores))
        told = f"{float((scores - first[1]).abs().max() / first[1].abs().max()):.1e}" if name.startswith("captum") else ""
        table.add_row(name, weights, f"{seconds:.3f}", f"{seconds / first[0]:.1f}", told)
    console = Console(width=130)
    console.print(
        f"{ROWS} training rows, {INPUTS} inputs, {STAGES} checkpoints, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    console.print(table)


if __name__ == "__main__":
    main()
