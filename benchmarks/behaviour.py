"""Behaviour over all data side by side with scikit-learn and Captum: ``python -m benchmarks.behaviour``.

Times are the best of several runs in this process. Where both compute the same number, the table gives their largest difference.
scikit-learn gives no intervals over rows; ours are included in our times.
"""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import Tensor

from benchmarks.networks import make_classifier
from benchmarks.timing import best_time
from classifier.classifier import Classifier
from classifier.dataset import Dataset
from explain.behaviour.depending import dependence
from explain.behaviour.h_statistic import interaction_strength
from explain.behaviour.permutation_importance import importance
from explain.behaviour.surrogate_tree import surrogate
from explain.concepts.testing import tcav

ROWS, FEATURES, REPEATS, RUNS = 1000, 30, 10, 10


class Wrapped(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier as scikit-learn wants it."""

    classes_ = np.array([0, 1])

    def __init__(self, classifier: Classifier | None = None) -> None:
        self.classifier = classifier

    def fit(self, x: object, y: object) -> Wrapped:
        """Nothing is left to learn."""
        self.fitted_ = True
        return self

    def predict_proba(self, x: NDArray[Any]) -> NDArray[Any]:
        """Probabilities ``(N, K)``."""
        assert self.classifier is not None
        return self.classifier.probabilities(torch.from_numpy(x).float()).double().numpy()

    def predict(self, x: NDArray[Any]) -> NDArray[Any]:
        """Decisions ``(N,)``."""
        return self.predict_proba(x).argmax(1)


def make_centred() -> Classifier:
    """The random network of the other benchmarks, its log-odds shifted so that both classes occur."""
    classifier = make_classifier(FEATURES)
    module = copy.deepcopy(classifier.module)
    assert isinstance(module, torch.nn.Sequential)
    last = module[-1]
    assert isinstance(last, torch.nn.Linear)
    x = torch.rand(ROWS, FEATURES, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        last.bias -= module(x).mean(0)
        last.weight *= 3
        last.bias *= 3
    return Classifier.wrap(module, schema=classifier.schema, classes=classifier.classes)


def make_data(classifier: Classifier) -> Dataset:
    """Rows at random, with the labels that the classifier's probabilities make likely."""
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(ROWS, FEATURES, generator=generator)
    labels = torch.multinomial(classifier.probabilities(x), 1, generator=generator)[:, 0]
    return Dataset(x, labels, np.arange(ROWS), classifier.schema, classifier.classes, pd.DataFrame(index=range(ROWS)))


def measure_importance(classifier: Classifier, data: Dataset) -> Table:
    """Permutation importance by accuracy."""
    from sklearn.inspection import permutation_importance

    model, x, y = Wrapped(classifier).fit(None, None), data.inputs.double().numpy(), data.labels.numpy()
    table = _table(f"Permutation importance, {ROWS} rows, {FEATURES} features, {REPEATS} repeats")
    ours, found = best_time(lambda: importance(classifier, data, repeats=REPEATS, progress=False), 3)
    seconds, theirs = best_time(lambda: permutation_importance(model, x, y, n_repeats=REPEATS, random_state=0), 3)
    values = np.array([metric.value for metric in found.metrics])
    table.add_row("assay importance, with intervals", f"{ours:.3f}", "1.0", "")
    table.add_row(
        "scikit-learn",
        f"{seconds:.3f}",
        f"{seconds / ours:.1f}",
        f"{np.abs(values - theirs.importances_mean).max():.4f} of at most {values.max():.3f}; other draws",
    )
    return table


def measure_dependence(classifier: Classifier, data: Dataset) -> Table:
    """Partial dependence on the same grid, and accumulated effects, for which scikit-learn has no answer."""
    from sklearn.inspection import partial_dependence

    model, x = Wrapped(classifier).fit(None, None), data.inputs.double().numpy()
    table = _table(f"Dependence on one feature and on two, {ROWS} rows, probability")
    for features in (("x0",), ("x0", "x1")):
        size = "one feature" if len(features) == 1 else "two features"
        ours, found = best_time(lambda features=features: dependence(classifier, data, features, "pdp", output="probability"), 5)  # type: ignore[misc]
        custom = dict(enumerate(found.grids))

        def their_curve(features: tuple[str, ...] = features, custom: dict[int, Any] = custom) -> Any:
            chosen = list(range(len(features)))
            return partial_dependence(model, x, chosen, kind="average", response_method="predict_proba", custom_values=custom)

        seconds, theirs = best_time(their_curve, 5)
        points = f"{size}, {found.values[..., 0].size} points"
        table.add_row(f"assay pdp, with bands: {points}", f"{ours:.4f}", "1.0", "")
        difference = np.abs(found.values[..., 0] - theirs["average"][0]).max()
        table.add_row(f"scikit-learn partial_dependence: {points}", f"{seconds:.4f}", f"{seconds / ours:.1f}", f"{difference:.1e}")
        accumulated, _ = best_time(lambda features=features: dependence(classifier, data, features), 5)  # type: ignore[misc]
        table.add_row(f"assay ale, with bands: {points}", f"{accumulated:.4f}", f"{accumulated / ours:.1f}", "")
    return table


def measure_concepts(classifier: Classifier) -> Table:
    """TCAV scores of one concept against ten random sets; ours also judges a hundred random concepts."""
    from captum.concept import TCAV, Concept

    generator = torch.Generator().manual_seed(2)
    concept, pool, inputs = torch.rand(300, FEATURES, generator=generator).split([30, 150, 120])
    concept = concept.clone()
    concept[:, 0] = 1.0

    def theirs() -> Any:
        module = classifier.module
        assert module is not None
        sets = [pool[torch.randperm(150, generator=generator)[:30]] for _ in range(RUNS)]

        def loader(x: Tensor) -> Any:
            return torch.utils.data.DataLoader(x, batch_size=30)  # type: ignore[arg-type]

        with tempfile.TemporaryDirectory() as folder:
            engine = TCAV(module, ["1"], save_path=folder)
            shown = Concept(0, "high", loader(concept))
            pairs = [[shown, Concept(place + 1, f"random {place}", loader(x))] for place, x in enumerate(sets)]
            return engine.interpret(inputs, pairs, target=1)

    table = _table(f"Concepts, 30 examples, {RUNS} random sets, layer of 64")
    ours, _ = best_time(lambda: tcav(classifier, {"high": concept}, pool, inputs, "1", runs=RUNS), 2)
    seconds, _ = best_time(theirs, 2)
    table.add_row("assay tcav, with 100 random concepts: 1,020 regressions", f"{ours:.3f}", "1.0", "")
    table.add_row("captum TCAV: 10 regressions", f"{seconds:.3f}", f"{seconds / ours:.1f}", "")
    return table


def measure_others(classifier: Classifier, data: Dataset) -> Table:
    """What has no peer here."""
    table = _table("Without a peer")
    runs: list[tuple[str, Callable[[], Any]]] = [
        ("H-statistic, 435 pairs, 100 rows, with intervals", lambda: interaction_strength(classifier, data, progress=False)),
        ("surrogate tree of depth 3", lambda: surrogate(classifier, data)),
    ]
    for name, work in runs:
        table.add_row(name, f"{best_time(work, 1)[0]:.3f}", "", "")
    return table


def _table(title: str) -> Table:
    return Table("method", "seconds", "ratio to ours", "largest difference", title=title)


def main() -> None:
    """Print every table."""
    warnings.filterwarnings("ignore")
    console = Console(width=120)
    console.print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    classifier = make_centred()
    data = make_data(classifier)
    for table in (
        measure_importance(classifier, data),
        measure_dependence(classifier, data),
        measure_concepts(classifier),
        measure_others(classifier, data),
    ):
        console.print(table)


if __name__ == "__main__":
    main()
