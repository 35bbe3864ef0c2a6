"""What runs on what: every check, method and way of training is tried on every modality, and the page says what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cases import CASES, OPTIONS, cases

from audit import Subject, run
from audit.check import check_ids
from classifier import Classifier, Splits
from classifier.architecture import ARCHITECTURES
from classifier.errors import NotApplicableError
from explain import attribute, available
from explain.method import METHODS
from trainer import Private, Recipe, Robust, train

PAGE = Path(__file__).parents[2] / "docs" / "matrix.md"
INTRODUCTION = """# What runs on what

Made by `tests/laws/test_matrix.py`, which runs everything that stands here on small cases. "yes": it ran. A number: it refused, for
the reason below the table. After a change that is meant, make the page anew with
`ASSAY_WRITE_MATRIX=1 pytest tests/laws/test_matrix.py`.
"""
QUICK = {
    "explanation.attribution": {"limit": 2, "background": 2, "samples": 256},
    "robustness.attack": {"limit": 6, "suite": "quick", "eps": (0.1,)},
    "robustness.distance": {"limit": 6, "steps": 2, "targets": 2, "queries": 30},
    "robustness.transfer": {"limit": 12, "steps": 4, "queries": (8,)},
    "robustness.backdoor": {"rows": 6, "steps": 5, "rotations": 2, "limit": 40},
    "robustness.out_of_distribution": {"resamples": 20},
    "data.label_errors": {"resamples": 20},
    "robustness.text_edits": {"limit": 4, "queries": 20, "tries": 1},
    "robustness.invariance": {"count": 2},
    "robustness.bounds": {"limit": 3, "exact": 1, "eps": (0.05,), "nodes": 5, "methods": ("ibp", "crown_ibp"), "suite": "quick"},
    "robustness.smoothing": {"limit": 3, "n": 60, "n0": 10, "sigma": (0.25,)},
    "robustness.corruptions": {"limit": 6, "severities": (3,), "resamples": 20},
    "robustness.feature_costs": {"limit": 6, "values": 4},
    "performance.learning": {"permutations": 50},
    "performance.accuracy": {"resamples": 20},
    "fairness.groups": {"resamples": 20},
}
# A small network for each modality.
NETWORKS = {
    "tabular": Recipe("mlp", hidden=(8,)),
    "image": Recipe("cnn", hidden=(8,), options={"channels": (4,)}),
    "text": Recipe("transformer_text", options={"width": 8, "buckets": 64}),
    "sequence": Recipe("temporal_cnn", hidden=(4,)),
    "graph": Recipe("graph_attention", hidden=(8,)),
}
TRAININGS = {
    "pgd": {"robust": Robust("pgd", eps=0.05, steps=2)},
    "trades": {"robust": Robust("trades", eps=0.05, steps=2)},
    "noise": {"robust": Robust("noise", eps=0.05)},
    "ibp": {"robust": Robust("ibp", eps=0.05)},
    "private": {"private": Private(delta=1e-4, noise_multiplier=1.0)},
}
YES = "yes"


@pytest.fixture(scope="module", autouse=True)
def _page() -> None:
    """Write the page anew where that is asked for, before it is compared."""
    if os.environ.get("ASSAY_WRITE_MATRIX"):
        PAGE.write_text("\n".join([INTRODUCTION, *(section() for section in SECTIONS)]), encoding="utf-8")


def table(title: str, first: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """A table in Markdown: each cell is "yes" or a reason, and every reason stands once below, by its number."""
    reasons = list(dict.fromkeys(cell for cells in rows.values() for cell in cells if cell != YES))
    lines = [f"## {title}", "", f"| {first} | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name, cells in rows.items():
        lines.append(f"| {name} | {' | '.join(c if c == YES else str(reasons.index(c) + 1) for c in cells)} |")
    return "\n".join([*lines, "", *(f"{number}. {reason}" for number, reason in enumerate(reasons, start=1)), ""])


def subjects(modality: str, classes: int) -> dict[str, Subject]:
    splits = cases(modality, classes, 40).split(seed=0)
    # One that decides all rows alike leaves nothing to turn and nothing to imitate.
    recipe = replace(NETWORKS[modality], epochs=2 if modality == "text" else 4, learning_rate=0.03, batch_size=16)
    trained = train(splits, recipe, progress=False)
    assert trained.module is not None
    return {
        "trained here": Subject(
            splits.test, classifier=trained, training=splits.train, validation=splits.validation, recipe=recipe, independence="held out"
        ),
        "brought network": Subject(splits.test, classifier=Classifier.wrap(trained.module, schema=trained.schema, classes=trained.classes)),
        "brought black box": Subject(
            splits.test, classifier=Classifier.wrap(trained.probabilities, schema=trained.schema, classes=trained.classes)
        ),
        "predictions alone": Subject(splits.test, predictions=trained.probabilities(splits.test.inputs)),
    }


def checks(modality: str) -> str:
    columns = {
        f"{kind}, {classes} classes": run(subject, options=QUICK, progress=False)
        for classes in (2, 10)
        for kind, subject in subjects(modality, classes).items()
    }
    rows = {f"`{check}`": [audit[check].not_run or YES for audit in columns.values()] for check in check_ids()}
    return table(f"Checks: {modality}", "check", list(columns), rows)


def methods() -> str:
    columns: dict[str, Classifier] = {}
    for modality in CASES:
        data = cases(modality, 2)
        network = train(Splits(data, data, data), replace(NETWORKS[modality], epochs=1), progress=False)
        columns[f"{modality}, network"] = network
        columns[f"{modality}, black box"] = Classifier.wrap(network.probabilities, schema=network.schema, classes=network.classes)
    data = cases("tabular", 2)
    columns["tabular, additive"] = train(Splits(data, data, data), Recipe("additive", hidden=(4,), epochs=1), progress=False)
    rows = {f"`{method}`": [explained(method, classifier) for classifier in columns.values()] for method in METHODS}
    return table("Explanations", "method", list(columns), rows)


def explained(method: str, classifier: Classifier) -> str:
    """Whether a method explains a classifier, tried; or why it says that it does not."""
    (entry,) = [entry for entry in available(classifier, rows=2) if entry.method == method]
    x = cases(classifier.schema.modality, 2).inputs[:2]
    if not entry.applies:
        with pytest.raises(NotApplicableError):
            attribute(classifier, x, method)
        # What was measured on the way, such as by how much a sum is missed, is not the same on every machine.
        return entry.reason.partition(": of rows drawn")[0]
    assert attribute(classifier, x, method).attributions.isfinite().all()
    return YES


def trainings() -> str:
    rows = {
        f"`{name}`, {modality}": [trained(name, modality, options) for options in TRAININGS.values()]
        for name in ARCHITECTURES
        for modality in sorted(ARCHITECTURES[name].modalities)
    }
    return table("Training", "architecture", [f"`{name}`" for name in TRAININGS], rows)


def trained(name: str, modality: str, options: Mapping[str, Robust | Private]) -> str:
    data = cases(modality, 2)
    recipe = Recipe(name, options=OPTIONS.get(name, {}), epochs=1, batch_size=12, **options)  # type: ignore[arg-type]
    try:
        with torch.random.fork_rng():
            classifier = train(Splits(data, data, data), recipe, progress=False)
    except NotApplicableError as error:
        return error.problem
    assert classifier.logits(data.inputs).isfinite().all()
    return YES


SECTIONS: list[Callable[[], str]] = [*((lambda modality=modality: checks(modality)) for modality in CASES), methods, trainings]


# Tables stand for the others where time is short.
@pytest.mark.parametrize("modality", [pytest.param(name, marks=() if name == "tabular" else pytest.mark.slow) for name in CASES])
def test_the_checks_run_on_what_the_page_says(modality: str) -> None:
    assert checks(modality) in PAGE.read_text(encoding="utf-8")


def test_the_methods_explain_what_the_page_says() -> None:
    assert methods() in PAGE.read_text(encoding="utf-8")


def test_the_architectures_are_trained_as_the_page_says() -> None:
    assert trainings() in PAGE.read_text(encoding="utf-8")
