"""Perturbation methods side by side with Captum: ``python -m benchmarks.perturbation``.

512 rows, an MLP of 30 numbers and a CNN on 8 x 8 pixels, one baseline. Times are the best of several runs in this
process; ours are those of `attribute`, which also predicts, checks and counts standard errors. A peer that explains one
row at a time is timed on some rows and scaled to all; the table says so. The last column is how far the two results
are apart: rounding where both define the same, and the noise of two samples for LIME.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.timing import best_time
from classifier.classifier import Classifier
from classifier.schema import Feature, Schema
from explain import attribute

ROWS, FEATURES, SIDE, SAMPLES, PEER_ROWS = 512, 30, 8, 256, 16


@dataclass(frozen=True)
class Case:
    """A network, rows to explain, and what they are compared with.

    Args:
        name: What it is called.
        classifier: The network of two classes.
        x: The rows ``(N, *S)``.
        baseline: The baseline ``(*S)``.
        players: The player of each element ``(*S)``.
        window: Side and stride of the occluding window; nothing for a table.
    """

    name: str
    classifier: Classifier
    x: Tensor
    baseline: Tensor
    players: Tensor
    window: tuple[int, int] | None

    def output(self, x: Tensor) -> Tensor:
        """The log-odds, as Captum asks for them."""
        module = self.classifier.module
        assert module is not None
        with torch.no_grad():
            logits = module(x)
        return logits[:, 1] - logits[:, 0]


def make_cases() -> list[Case]:
    """Random networks of the sizes that the peers' times are known for."""
    generator = torch.Generator().manual_seed(0)
    table = Schema("tabular", tuple(Feature(f"x{i}", "continuous", 0.0, 1.0) for i in range(FEATURES)))
    image = Schema("image", (Feature("grey", "continuous", 0.0, 1.0),), size=(SIDE, SIDE))
    mlp = nn.Sequential(nn.Linear(FEATURES, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    cnn = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * (SIDE // 2) ** 2, 64), nn.ReLU(), nn.Linear(64, 2)),
    )
    cases = []
    for name, schema, module, window in (("MLP", table, mlp, None), ("CNN", image, cnn, (4, 2))):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
        classifier = Classifier.wrap(module, schema=schema, classes=("no", "yes"))
        shape = schema.shape
        patch = torch.arange(SIDE) // 2
        players = torch.arange(FEATURES) if window is None else (patch[:, None] * (SIDE // 2) + patch)[None]
        x = torch.rand(ROWS, *shape, generator=generator)
        cases.append(Case(name, classifier, x, torch.rand(shape, generator=generator), players, window))
    return cases


def ours(case: Case, method: str, x: Tensor, **options: Any) -> Tensor:
    """What players get ``(N, P)``."""
    return attribute(case.classifier, x, method, baseline=case.baseline, **options).by_feature()


def by_player(case: Case, scores: Tensor) -> Tensor:
    """Captum's scores of elements, of which all of a player have the same, as those of players ``(N, P)``."""
    first = [int((case.players.flatten() == player).nonzero()[0]) for player in range(int(case.players.max()) + 1)]
    return scores.flatten(1)[:, first]


def captum_ablation(case: Case, x: Tensor) -> Tensor:
    """FeatureAblation, as many players at once as there are."""
    from captum.attr import FeatureAblation

    count = int(case.players.max()) + 1
    engine = FeatureAblation(case.output)
    return by_player(case, engine.attribute(x, case.baseline[None], feature_mask=case.players[None], perturbations_per_eval=count))


def captum_occlusion(case: Case, x: Tensor) -> Tensor:
    """Occlusion, divided over the window and summed over patches as ours is."""
    from captum.attr import Occlusion

    assert case.window is not None
    side, stride = case.window
    scores = Occlusion(case.output).attribute(
        x, (1, side, side), strides=(1, stride, stride), baselines=case.baseline[None].expand_as(x), perturbations_per_eval=9
    )
    return torch.zeros(len(x), int(case.players.max()) + 1).index_add_(1, case.players.flatten(), scores.flatten(1) / side**2)


def captum_lime(case: Case, x: Tensor) -> Tensor:
    """Lime with an unpenalised regression and the same kernel as ours, all perturbations of a row in one evaluation."""
    from captum._utils.models.linear_model import SkLearnLinearRegression
    from captum.attr import Lime

    count = int(case.players.max()) + 1
    variance = 2 * 0.75**2 * count

    def kernel(original: Tensor, perturbed: Tensor, kept: Tensor, **_: Any) -> Tensor:
        return torch.exp(-(count - kept.sum()) / variance)

    engine = Lime(case.output, interpretable_model=SkLearnLinearRegression(), similarity_func=kernel)
    rows = [
        engine.attribute(row[None], case.baseline[None], feature_mask=case.players[None], n_samples=SAMPLES, perturbations_per_eval=SAMPLES)
        for row in x
    ]
    return by_player(case, torch.cat(rows))


def measure(case: Case) -> Table:
    """Every method with its peer."""
    table = Table("method", "assay, s", "captum, s", "ratio", "rows timed of captum", "largest difference", title=case.name)
    runs: list[tuple[str, dict[str, Any], Callable[[Case, Tensor], Tensor], int]] = [
        ("feature_ablation", {}, captum_ablation, ROWS),
        ("lime", {"samples": SAMPLES}, captum_lime, PEER_ROWS),
    ]
    if case.window is not None:
        runs.append(("occlusion", {"window": case.window[0], "stride": case.window[1]}, captum_occlusion, ROWS))
    for method, options, peer, rows in runs:
        spent, scores = best_time(lambda method=method, options=options: ours(case, method, case.x, **options), 5)  # type: ignore[misc]
        peers, others = best_time(lambda peer=peer, rows=rows: peer(case, case.x[:rows]), 3)  # type: ignore[misc]
        peers *= ROWS / rows
        apart = float((scores[:rows] - others).abs().max())
        timed = f"{rows}, scaled" if rows < ROWS else str(rows)
        table.add_row(method, f"{spent:.3f}", f"{peers:.3f}", f"{peers / spent:.1f}", timed, f"{apart:.2g}")
    for method, options in (("rise", {"samples": SAMPLES}), ("feature_permutation", {})):
        spent, _ = best_time(lambda method=method, options=options: ours(case, method, case.x, **options), 5)  # type: ignore[misc]
        table.add_row(method, f"{spent:.3f}", "none", "", "", "")
    return table


def main() -> None:
    """Print both tables."""
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    console = Console(width=110)
    console.print(f"{ROWS} rows, {SAMPLES} samples, one baseline row, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for case in make_cases():
        console.print(measure(case))


if __name__ == "__main__":
    main()
