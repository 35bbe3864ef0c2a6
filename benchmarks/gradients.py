"""Gradient attributions side by side with Captum and SHAP: ``python -m benchmarks.gradients``.

Everything that a table compares runs in turns in this process, and its time is the fastest of its turns. Ours go
through `attribute`, which also predicts, checks and computes the baseline's output. Completeness gaps are means over the rows.
Errors of sampled methods are root mean squares over rows and elements against a long reference of ours, on the same rows.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.networks import log_odds, make_classifier
from classifier.classifier import Classifier
from classifier.schema import Feature, Schema
from explain import attribute

ROWS, FEATURES, STEPS, TURNS = 512, 30, 50, 5
FEW, BACKGROUND, SAMPLES = 64, 50, 200
Runs = Sequence[tuple[str, Callable[[], Tensor]]]


def make_image_classifier(side: int) -> Classifier:
    """A random convolutional network of two convolutions, maximum pooling and one linear layer."""
    schema = Schema("image", (Feature("gray", "continuous", 0.0, 1.0),), size=(side, side))
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(32 * (side // 2) ** 2, 10),
    )  # fmt: skip
    return Classifier.wrap(module, schema=schema, classes=[f"class {index}" for index in range(10)])


def in_turns(runs: Runs, turns: int = TURNS) -> list[tuple[str, float, Tensor]]:
    """Each run's name, the seconds of its fastest turn after one to warm up, and what it gave last."""
    fastest = [float("inf")] * len(runs)
    results = [work() for _, work in runs]
    for _ in range(turns):
        for index, (_, work) in enumerate(runs):
            start = time.perf_counter()
            results[index] = work()
            fastest[index] = min(fastest[index], time.perf_counter() - start)
    return [(name, seconds, result) for (name, _), seconds, result in zip(runs, fastest, results, strict=True)]


def measure_integrated(title: str, classifier: Classifier, x: Tensor, baseline: Tensor, output: Callable[[Tensor], Tensor]) -> Table:
    """Integrated gradients of the same steps, and exact ones where they are affordable."""
    from captum.attr import IntegratedGradients

    engine = IntegratedGradients(output)

    def ours(method: str, **options: Any) -> Tensor:
        target = None if len(classifier.classes) == 2 else 0
        return attribute(classifier, x, method, baseline=baseline, target=target, **options).attributions

    runs: list[tuple[str, Callable[[], Tensor]]] = [
        ("captum, its defaults", lambda: engine.attribute(x, baseline[None], n_steps=STEPS)),
        ("assay integrated_gradients", lambda: ours("integrated_gradients", steps=STEPS)),
    ]
    if x.dim() == 2:
        runs.append(("assay exact_integrated_gradients", lambda: ours("exact_integrated_gradients")))
    with torch.no_grad():
        change = (output(x) - output(baseline[None])).double()
    table = Table("method", "seconds", "times faster than captum", "mean completeness gap", "largest gap", title=title)
    peer = 0.0
    for name, seconds, scores in in_turns(runs):
        peer = peer or seconds
        gap = (scores.double().flatten(1).sum(1) - change).abs()
        table.add_row(name, f"{seconds:.4f}", f"{peer / seconds:.1f}", f"{float(gap.mean()):.1e}", f"{float(gap.max()):.1e}")
    return table


def measure_expected(classifier: Classifier, x: Tensor) -> Table:
    """Expected gradients over a background, of as many gradients for each row."""
    from captum.attr import GradientShap
    from shap import GradientExplainer

    background = torch.rand(BACKGROUND, FEATURES, generator=torch.Generator().manual_seed(2))
    truth = attribute(classifier, x, "expected_gradients", baseline=background, samples=BACKGROUND * 200, seed=99).attributions
    output = log_odds(classifier)
    captum = GradientShap(output)

    class Single(nn.Module):
        """The output as a column, which SHAP asks for."""

        def forward(self, rows: Tensor) -> Tensor:
            return output(rows)[:, None]

    explainer = GradientExplainer(Single(), background)
    runs: Runs = [
        ("captum GradientShap", lambda: captum.attribute(x, background, n_samples=SAMPLES, stdevs=0.0)),
        ("shap GradientExplainer", lambda: torch.from_numpy(explainer.shap_values(x, nsamples=SAMPLES)).reshape(x.shape)),
        (
            "assay expected_gradients",
            lambda: attribute(classifier, x, "expected_gradients", baseline=background, samples=SAMPLES).attributions,
        ),
    ]
    return table_of_errors(f"Expected gradients, {FEW} rows, {BACKGROUND} background rows, {SAMPLES} gradients a row", runs, truth)


def measure_smooth(classifier: Classifier, x: Tensor) -> Table:
    """SmoothGrad of as many noisy inputs."""
    from captum.attr import NoiseTunnel, Saliency

    truth = attribute(classifier, x, "smooth_grad", samples=20_000, seed=99).attributions
    tunnel = NoiseTunnel(Saliency(log_odds(classifier)))
    runs: Runs = [
        (
            "captum NoiseTunnel",
            lambda: tunnel.attribute(x, nt_type="smoothgrad", nt_samples=SAMPLES, nt_samples_batch_size=SAMPLES, stdevs=0.15, abs=False),
        ),
        ("assay smooth_grad", lambda: attribute(classifier, x, "smooth_grad", samples=SAMPLES).attributions),
    ]
    return table_of_errors(f"SmoothGrad, {FEW} rows, {SAMPLES} noisy inputs a row", runs, truth)


def table_of_errors(title: str, runs: Runs, truth: Tensor) -> Table:
    """Seconds beside the error of what they bought."""
    table = Table("method", "seconds", "times faster than captum", "RMS error", title=title)
    peer = 0.0
    for name, seconds, scores in in_turns(runs, 3):
        peer = peer or seconds
        error = (scores.double() - truth).square().mean().sqrt()
        table.add_row(name, f"{seconds:.4f}", f"{peer / seconds:.1f}", f"{float(error):.5f}")
    return table


def print_peak_memory() -> None:
    """Explain 10,000 images of 28 x 28 with 200 steps, and print the peak of this process in MiB."""
    schema = Schema("image", (Feature("gray", "continuous", 0.0, 1.0),), size=(28, 28))
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(8 * 49, 10),
    )  # fmt: skip
    classifier = Classifier.wrap(module, schema=schema, classes=[f"class {index}" for index in range(10)])
    start = time.perf_counter()
    attribute(classifier, torch.rand(10_000, 1, 28, 28), "integrated_gradients", steps=200)
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB in {time.perf_counter() - start:.0f} s")


def main() -> None:
    """Print every table."""
    warnings.filterwarnings("ignore")
    console = Console(width=120)
    console.print(f"{ROWS} rows, {torch.get_num_threads()} threads, torch {torch.__version__}")
    generator = torch.Generator().manual_seed(1)
    table = make_classifier(FEATURES)
    x, baseline = torch.rand(ROWS, FEATURES, generator=generator), torch.rand(FEATURES, generator=generator)
    console.print(
        measure_integrated(f"{STEPS} steps, network of {FEATURES} features and 2 x 64 units", table, x, baseline, log_odds(table))
    )
    images = make_image_classifier(8)
    network = images.module
    assert network is not None
    pictures = torch.rand(ROWS, 1, 8, 8, generator=generator)
    output = lambda rows: network(rows)[:, 0]  # noqa: E731
    console.print(measure_integrated(f"{STEPS} steps, convolutional network on 8 x 8", images, pictures, torch.zeros(1, 8, 8), output))
    for measure in (measure_expected, measure_smooth):
        console.print(measure(table, x[:FEW]))
    fresh = subprocess.run([sys.executable, "-m", "benchmarks.gradients", "memory"], capture_output=True, text=True, check=True)
    console.print(f"Peak memory of a process that explains 10,000 images of 28 x 28 with 200 steps: {fresh.stdout.strip()}")


if __name__ == "__main__":
    print_peak_memory() if sys.argv[1:] == ["memory"] else main()
