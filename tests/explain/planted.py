"""Cases in which it is known what decides, for every method that should find it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from classifier import Classifier, Dataset, Splits
from explain import Explanation
from trainer import Recipe, train

ROWS = 8


@dataclass(frozen=True)
class Planted:
    """A classifier, and cases of which the parts that decide are known.

    Args:
        classifier: Trained on such cases.
        data: Cases that it was not trained on.
        decides: Which players decide in each case ``(N, P)``.
        counted: Which players are ranked at all ``(N, P)``: those that decide, and those that surely do not.
    """

    classifier: Classifier
    data: Dataset
    decides: NDArray[np.bool_]
    counted: NDArray[np.bool_]

    def found(self, scores: NDArray[np.float64]) -> float:
        """How often a player that decides is ranked before one that does not: the mean AUC of the sizes ``(N, P)`` over the cases."""
        lines = zip(np.abs(scores), self.decides, self.counted, strict=True)
        return float(np.mean([roc_auc_score(truth[kept], sizes[kept]) for sizes, truth, kept in lines]))

    def found_by(self, explanation: Explanation) -> float:
        """The same for an explanation of the cases."""
        return self.found(explanation.by_feature().numpy())


def mixture(rows: int, generator: np.random.Generator) -> pd.DataFrame:
    """Two Gaussian clusters a class, that differ in three of ten numbers; the other seven are noise of the same spread."""
    labels = np.arange(rows) % 2
    second = generator.integers(0, 2, rows)
    x = generator.normal(size=(rows, 10))
    centre = np.where(second[:, None] == 1, [2.0, 2.0, 2.5], [2.5, 2.5, 2.0])
    x[:, [1, 4, 7]] += np.where(labels[:, None] == 1, centre, -centre)
    spread = x.std(0)
    frame = pd.DataFrame(x / spread, columns=[f"x{i}" for i in range(10)])
    return frame.assign(y=np.where(labels == 1, "yes", "no"))


def squares(rows: int, generator: np.random.Generator) -> pd.DataFrame:
    """Noise of 12 x 12 pixels with a bright square of 2 x 2 patches, up left or down right (as XAI-TRIS, arXiv:2306.12816)."""
    labels = np.arange(rows) % 2
    pictures = generator.integers(0, 120, (rows, 12, 12)).astype(np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        start = 6 if label else 2
        picture[start : start + 4, start : start + 4] += 100
    return pd.DataFrame({"picture": pd.Series(list(pictures), dtype=object), "y": np.where(labels == 1, "right", "left")})


@cache
def planted_table() -> Planted:
    """Ten numbers, of which three decide."""
    classifier, held = _trained(mixture(500, np.random.default_rng(1)), "tabular", Recipe("mlp", hidden=(16,), epochs=20))
    decides = np.isin(classifier.schema.names, ["x1", "x4", "x7"])
    return Planted(classifier, held, np.tile(decides, (ROWS, 1)), np.ones((ROWS, 10), dtype=np.bool_))


@cache
def planted_images() -> Planted:
    """Squares in one of two places; the place where none is counts neither way."""
    recipe = Recipe("cnn", hidden=(16,), epochs=6, options={"channels": (8,)})
    classifier, held = _trained(squares(300, np.random.default_rng(2)), "image", recipe)
    places = np.zeros((2, 12, 12), dtype=np.bool_)
    places[0, 2:6, 2:6] = places[1, 6:10, 6:10] = True
    by_patch = places[:, ::2, ::2].reshape(2, -1)
    here = by_patch[held.labels.numpy()]
    return Planted(classifier, held, here, ~by_patch[1 - held.labels.numpy()])


def _trained(frame: pd.DataFrame, modality: str, recipe: Recipe) -> tuple[Classifier, Dataset]:
    data = Dataset.from_frame(frame, target="y", modality=modality)
    held, rest = data[np.arange(ROWS)], data[np.arange(ROWS, len(data))]
    classifier = train(Splits(rest, rest, held), recipe, progress=False)
    assert (classifier.predict(held.inputs) == held.labels).all()
    return classifier, held
