"""Explanations side by side with Captum and SHAP: ``python -m benchmarks.explain``.

Times are the best of several runs in this process. A peer that explains one row at a time is timed on some
rows and scaled to all; the table says so. Errors are against exact Shapley values,
with ten features, on the same rows for all.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.schema import Feature, Schema
from explain import attribute

ROWS, FEATURES, FEW, SAMPLES, STEPS = 512, 30, 10, 256, 50
PEER_ROWS = 32


def make_classifier(features: int) -> Classifier:
    """A random network of two hidden layers of 64."""
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", 0.0, 1.0) for i in range(features)))
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return Classifier.wrap(module, schema=schema, classes=("no", "yes"))


def best_time(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Seconds of the fastest of `repeats` runs after one to warm up, and what the last one gave."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    return min(times), result


def log_odds(classifier: Classifier) -> Callable[[Tensor], Tensor]:
    """The output that everyone explains."""
    module = classifier.module
    assert module is not None

    def function(x: Tensor) -> Tensor:
        logits = module(x)
        return logits[:, 1] - logits[:, 0]

    return function


def our_kernel(classifier: Classifier, x: Tensor, baseline: Tensor) -> Tensor:
    """Assay's, standard errors included."""
    return attribute(classifier, x, "kernel_shap", samples=SAMPLES, baseline=baseline).attributions


def captum_kernel(classifier: Classifier, x: Tensor, baseline: Tensor) -> Tensor:
    """Captum's KernelShap, with all perturbations of a row in one evaluation."""
    from captum.attr import KernelShap

    engine = KernelShap(log_odds(classifier))
    rows = [engine.attribute(row[None], baseline[None], n_samples=SAMPLES, perturbations_per_eval=SAMPLES) for row in x]
    return torch.cat(rows)


def shap_kernel(classifier: Classifier, x: Tensor, baseline: Tensor) -> Tensor:
    """SHAP's KernelExplainer with one background row."""
    from shap import KernelExplainer

    output = log_odds(classifier)

    def function(rows: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            return output(torch.from_numpy(rows).float()).numpy()

    explainer = KernelExplainer(function, baseline[None].double().numpy())
    return torch.from_numpy(explainer.shap_values(x.double().numpy(), nsamples=SAMPLES, l1_reg=0, silent=True))


def measure_kernel_shap(features: int) -> Table:
    """KernelSHAP with the same number of coalitions; with few features, also the error."""
    classifier = make_classifier(features)
    generator = torch.Generator().manual_seed(1)
    x, baseline = torch.rand(ROWS, features, generator=generator), torch.rand(features, generator=generator)
    truth = attribute(classifier, x, "exact_shapley", baseline=baseline).attributions if features <= FEW else None
    table = Table("method", "rows timed", "seconds for 512 rows", "ratio to ours", "RMS error", title=f"KernelSHAP, {features} features")
    runs: list[tuple[str, int, int, Callable[[Tensor], Tensor]]] = [
        (
            "assay kernel_shap",
            ROWS,
            5,
            lambda rows: attribute(classifier, rows, "kernel_shap", samples=SAMPLES, baseline=baseline).attributions,
        ),
        ("shap KernelExplainer", PEER_ROWS, 2, lambda rows: shap_kernel(classifier, rows, baseline)),
        ("captum KernelShap", PEER_ROWS, 2, lambda rows: captum_kernel(classifier, rows, baseline)),
    ]
    ours = 0.0
    for name, count, repeats, work in runs:
        spent, scores = best_time(lambda work=work, count=count: work(x[:count]), repeats)  # type: ignore[misc]
        seconds = spent * ROWS / count
        ours = ours or seconds
        error = "" if truth is None else f"{float((scores[:PEER_ROWS] - truth[:PEER_ROWS]).square().mean().sqrt()):.4f}"
        table.add_row(name, f"{count}, scaled" if count < ROWS else str(count), f"{seconds:.3f}", f"{seconds / ours:.1f}", error)
    return table


def measure_integrated_gradients() -> Table:
    """Integrated gradients through `attribute`, which also predicts and checks, and with Captum alone."""
    from captum.attr import IntegratedGradients

    classifier = make_classifier(FEATURES)
    generator = torch.Generator().manual_seed(1)
    x, baseline = torch.rand(ROWS, FEATURES, generator=generator), torch.rand(FEATURES, generator=generator)
    output = log_odds(classifier)
    with torch.no_grad():
        change = output(x) - output(baseline[None])
    table = Table("method", "seconds", "ratio to ours", "mean completeness error", title=f"Integrated gradients, {STEPS} steps")
    engine = IntegratedGradients(output)
    runs: list[tuple[str, Callable[[], Tensor]]] = [
        ("assay attribute", lambda: attribute(classifier, x, "integrated_gradients", steps=STEPS, baseline=baseline).attributions.float()),
        ("captum", lambda: engine.attribute(x, baseline[None], n_steps=STEPS)),
        ("captum, trapezoid", lambda: engine.attribute(x, baseline[None], n_steps=STEPS, method="riemann_trapezoid")),
    ]
    ours = 0.0
    for name, work in runs:
        seconds, scores = best_time(work, 5)
        ours = ours or seconds
        table.add_row(name, f"{seconds:.3f}", f"{seconds / ours:.2f}", f"{float((scores.sum(1) - change).abs().mean()):.4f}")
    return table


def main() -> None:
    """Print every table."""
    warnings.filterwarnings("ignore")
    np.random.seed(0)
    torch.manual_seed(0)
    console = Console(width=110)
    console.print(f"{ROWS} rows, {SAMPLES} coalitions, one baseline row, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for table in (measure_kernel_shap(FEATURES), measure_kernel_shap(FEW), measure_integrated_gradients()):
        console.print(table)


if __name__ == "__main__":
    main()
