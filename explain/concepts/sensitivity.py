"""Sensitivity to concepts: how far the output rises in their directions, and what of that is more than chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explain.saved import Saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ConceptSensitivity(Saved):
    """How the output follows concepts.

    Args:
        concepts: Names of the concepts ``(C,)``.
        scores: For each concept and each set of random examples that it was told from, the share of the inputs whose output rises
            in its direction ``(C, R)``.
        rise: How far the output rises on a short step in the concept's direction, as a share of how far it would in the steepest, as a
            mean over inputs and sets ``(C,)``: 1 is the steepest itself, -1 is straight down.
        random: For each concept, the same of random concepts of its size ``(C, M)``.
        accuracy: How often its examples are told from random ones, on examples held out ``(C,)``; 0.5 is guessing.
        accuracy_low: Lower end of the Wilson interval of that; it must be above 0.5 for the direction to mean the concept.
        p: Chance that a random concept has a rise as far from the random ones' mean, times the number of concepts (Bonferroni), at
            most 1 ``(C,)``.
        p_t_test: The p-value of Kim et al., a two-sided t-test of the scores against those of random concepts, times
            the number of concepts ``(C,)``. It takes directions for independent that share examples, and finds too much.
        alpha: Under which p is significant.
        layer: The layer.
        target: The class whose output is looked at.
        unit: What the output is.
        inputs: How many inputs.
        seed: What was sampled with.
        notes: What a reader must know.
        classifier_digest: Digest of the classifier.
    """

    concepts: tuple[str, ...]
    scores: Array
    rise: Array
    random: Array
    accuracy: Array
    accuracy_low: Array
    p: Array
    p_t_test: Array
    alpha: float
    layer: str
    target: str
    unit: str
    inputs: int
    seed: int
    notes: tuple[str, ...]
    classifier_digest: str

    @property
    def found(self) -> NDArray[np.bool_]:
        """Whether the layer tells each concept from random examples at all ``(C,)``."""
        return self.accuracy_low > 0.5

    @property
    def significant(self) -> NDArray[np.bool_]:
        """Whether each concept is found, and its rise is none of chance ``(C,)``."""
        return self.found & (self.p <= self.alpha)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Of each concept in words what was seen."""
        return tuple(
            "the layer does not tell it from random examples"
            if not found
            else "no different from random concepts"
            if not significant
            else f"{'raises' if rise > 0 else 'lowers'} the {self.unit}"
            for found, significant, rise in zip(self.found, self.significant, self.rise, strict=True)
        )

    def to_frame(self) -> pd.DataFrame:
        """One line a concept, with the columns below.

        concept, rise, the ends of the middle 95 % of random concepts' rises, p, significant, verdict, accuracy and its low end, and of Kim
        et al. the score (a mean over sets, with its standard deviation) and their p.
        """
        low, high = np.quantile(self.random, [0.025, 0.975], axis=1)
        return pd.DataFrame(
            {
                "concept": self.concepts,
                "rise": self.rise,
                "random_low": low,
                "random_high": high,
                "p": self.p,
                "significant": self.significant,
                "verdict": self.verdicts,
                "accuracy": self.accuracy,
                "accuracy_low": self.accuracy_low,
                "score": self.scores.mean(1),
                "score_deviation": self.scores.std(1),
                "p_t_test": self.p_t_test,
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how far the output rises for each concept, with what random concepts do."""
        from explain.figures.concepts.sensitivity import draw_sensitivity

        return draw_sensitivity(self, ax=ax)

    def __repr__(self) -> str:
        return f"ConceptSensitivity({', '.join(f'{name}: {said}' for name, said in zip(self.concepts, self.verdicts, strict=True))})"

    def _repr_html_(self) -> str:
        from explain.figures.behaviour._tables import table_html

        caption = f"How far the {self.unit} rises in the direction of a concept at the layer {self.layer}, over {self.inputs} inputs"
        return table_html(caption, self.to_frame()[["concept", "rise", "p", "verdict", "accuracy", "score"]], self.notes)
