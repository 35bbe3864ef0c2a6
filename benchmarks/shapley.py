"""Shapley values side by side with Captum and SHAP: ``python -m benchmarks.shapley``.

All play the same game: the same classifier, rows, baseline, players and number of coalitions. The methods take turns of a
second, and the time of each is its best run, so that what else the machine does meets all alike. Where others use the machine too, the
processor's own time tells more than the clock. A peer that explains one row after the other is timed on some rows and
scaled to all; the table says so. Errors are against exact Shapley values of the rows that all explain.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.modality import modality_of
from classifier.schema import Feature, Schema
from explain import attribute

ROWS, PEER_ROWS, SAMPLES, TURNS = 512, 16, 256, 5
# Every method has a second a turn, and at least one run: what another leaves behind in caches and memory is then paid once.
TURN_SECONDS = 1.0
BLOCK = 10


@dataclass(frozen=True)
class Case:
    """A classifier with rows, a baseline and the exact answer for the first rows.

    Args:
        title: What it is.
        classifier: What is explained.
        x: Rows ``(N, *S)``.
        baseline: What they are compared with ``(*S)``.
        truth: Exact Shapley values of the first rows ``(PEER_ROWS, P)``.
    """

    title: str
    classifier: Classifier
    x: Tensor
    baseline: Tensor
    truth: Tensor

    def output(self, x: Tensor) -> Tensor:
        """The log-odds of the second class, which everyone explains."""
        assert self.classifier.module is not None
        logits = self.classifier.module(x)
        return logits[:, 1] - logits[:, 0]


def network(features: int, generator: torch.Generator) -> nn.Sequential:
    """A random network of two hidden layers of 64. Its features come in blocks of 10 with hidden units of their own.

    So its Shapley values are those of the blocks, and are found by enumeration whatever the number of blocks. It is
    computed as any dense network is.
    """
    module = nn.Sequential(nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    hidden = torch.arange(64) % (features // BLOCK)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator))
        module[0].weight *= hidden[:, None] == torch.arange(features) // BLOCK
        module[2].weight *= hidden[:, None] == hidden
    return module


def table_case(features: int) -> Case:
    """Rows of numbers for the network of two layers."""
    generator = torch.Generator().manual_seed(0)
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", 0.0, 1.0) for i in range(features)))
    classifier = Classifier.wrap(network(features, generator), schema=schema, classes=("no", "yes"))
    x, baseline = torch.rand(ROWS, features, generator=generator), torch.rand(features, generator=generator)
    truth = []
    for start in range(0, features, BLOCK):
        block = slice(start, start + BLOCK)

        class Part(nn.Module):
            def forward(self, columns: Tensor, block: slice = block) -> Tensor:
                rows = baseline.repeat(len(columns), 1)
                rows[:, block] = columns
                answer: Tensor = classifier.logits(rows)
                return answer

        part = Classifier.wrap(Part(), schema=Schema("tabular", schema.features[block]), classes=("no", "yes"))
        truth.append(attribute(part, x[:PEER_ROWS, block], "exact_shapley", baseline=baseline[block]).attributions)
    return Case(f"MLP, {features} features", classifier, x, baseline, torch.cat(truth, 1))


def image_case() -> Case:
    """Images of 8 x 8 pixels, in 16 patches of four, for a network of two convolutions."""
    generator = torch.Generator().manual_seed(0)
    convolutions = nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()
    module = nn.Sequential(*convolutions, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 16, 2))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.15 * torch.randn(parameter.shape, generator=generator))
    schema = Schema("image", (Feature("gray", "continuous", 0.0, 1.0),), size=(8, 8))
    classifier = Classifier.wrap(module, schema=schema, classes=("no", "yes"))
    x, baseline = torch.rand(ROWS, 1, 8, 8, generator=generator), torch.zeros(1, 8, 8)
    exact = [attribute(classifier, part, "exact_shapley", baseline=baseline).by_feature() for part in torch.split(x[:PEER_ROWS], 8)]
    return Case("CNN, 8 x 8 pixels in 16 patches", classifier, x, baseline, torch.cat(exact))


def ours(case: Case, x: Tensor) -> Tensor:
    """Assay's whole call: standard errors, predictions and checks included."""
    return attribute(case.classifier, x, "kernel_shap", samples=SAMPLES, baseline=case.baseline).by_feature()


def shap_kernel(case: Case, x: Tensor) -> Tensor:
    """SHAP's KernelExplainer with one background row and the same players."""
    from shap import KernelExplainer
    from shap.utils._legacy import DenseData

    shape, membership = case.classifier.schema.shape, modality_of(case.classifier.schema).membership.flatten().numpy()

    def function(rows: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            return case.output(torch.from_numpy(rows).float().reshape(-1, *shape)).numpy()

    groups = [np.flatnonzero(membership == player) for player in range(membership.max() + 1)]
    background = DenseData(case.baseline.flatten()[None].double().numpy(), [str(player) for player in range(len(groups))], groups)
    explainer = KernelExplainer(function, background)
    return torch.from_numpy(explainer.shap_values(x.flatten(1).double().numpy(), nsamples=SAMPLES, l1_reg=0, silent=True))


def captum_kernel(case: Case, x: Tensor) -> Tensor:
    """Captum's KernelShap, with all perturbations of a row in one evaluation, and the same players."""
    from captum.attr import KernelShap

    engine, modality = KernelShap(case.output), modality_of(case.classifier.schema)
    mask, many = modality.membership[None], {"n_samples": SAMPLES, "perturbations_per_eval": SAMPLES}
    rows = torch.cat([engine.attribute(row[None], case.baseline[None], feature_mask=mask, **many) for row in x])
    # Captum writes a player's number on each of its elements.
    return modality.gather(rows) / torch.bincount(modality.membership.flatten())


def measure(case: Case) -> Table:
    """KernelSHAP with the same number of coalitions."""
    columns = "method", "rows timed", f"seconds for {ROWS} rows", "ratio", "of the processor", "ratio", "RMS error"
    table = Table(*columns, title=f"KernelSHAP: {case.title}")
    runs: dict[str, tuple[int, Callable[[Case, Tensor], Tensor]]] = {
        "assay kernel_shap": (ROWS, ours),
        "shap KernelExplainer": (PEER_ROWS, shap_kernel),
        "captum KernelShap": (PEER_ROWS, captum_kernel),
    }
    best, scores = {name: np.full(2, np.inf) for name in runs}, {}
    for turn in range(TURNS + 1):
        for name, (count, work) in runs.items():
            until = time.perf_counter() + TURN_SECONDS
            while True:
                start = np.array([time.perf_counter(), time.process_time()])
                scores[name] = work(case, case.x[:count])
                spent = np.array([time.perf_counter(), time.process_time()]) - start
                # The first turn warms up.
                best[name] = np.minimum(best[name], spent * ROWS / count) if turn else best[name]
                if time.perf_counter() > until:
                    break
    for name, (count, _) in runs.items():
        error = float((scores[name][:PEER_ROWS] - case.truth).square().mean().sqrt())
        rows = f"{count}, scaled" if count < ROWS else str(count)
        (clock, processor), ratios = best[name], best[name] / best["assay kernel_shap"]
        times = f"{clock:.3f}", f"{ratios[0]:.1f}", f"{processor:.3f}", f"{ratios[1]:.1f}"
        table.add_row(name, rows, *times, f"{error:.4f}")
    return table


def main() -> None:
    """Print every table."""
    warnings.filterwarnings("ignore")
    np.random.seed(0)
    torch.manual_seed(0)
    console = Console(width=110)
    console.print(f"{ROWS} rows, {SAMPLES} coalitions, one baseline row, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for case in (table_case(30), table_case(10), image_case()):
        console.print(measure(case))


if __name__ == "__main__":
    main()
