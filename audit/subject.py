"""Subject: what is audited, and what the checks have already computed of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.classifier import Classifier
from classifier.dataset import Dataset, Independence
from classifier.errors import ConfigurationError, ModelError
from classifier.metric import Metric
from classifier.modality import modality_of
from classifier.seeds import Seed
from trainer import Recipe, cross_predict

Need = Literal["classifier", "gradient", "training", "recipe", "compression", "two_classes", "favourable", "protected", "files"]
Value = TypeVar("Value")

_LACKS: Mapping[Need, str] = {
    "classifier": "there are predictions only, and this asks the classifier itself",
    "gradient": "this needs gradients",
    "training": "the training data are not known",
    "recipe": "the classifier comes without the recipe that trained it",
    "compression": "the classifier was neither pruned nor quantised",
    "two_classes": "this is asked of classifiers of two classes",
    "favourable": "no class is named as favourable",
    "protected": "no protected attribute is named",
    "files": "the classifier came in no file",
}


@dataclass(frozen=True)
class Decision:
    """What is done with a probability: the event is presumed from `threshold` on.

    Args:
        threshold: Least probability of the event at which it is presumed.
    """

    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ConfigurationError(f"threshold must lie between 0 and 1, got {self.threshold}")

    @classmethod
    def from_costs(cls, missed_event: float, false_alarm: float) -> Decision:
        """The threshold of least expected cost (Elkan, 2001)."""
        if not (missed_event > 0 and false_alarm > 0):
            raise ConfigurationError(f"costs must be above 0, got {missed_event} and {false_alarm}")
        return cls(false_alarm / (missed_event + false_alarm))


@dataclass
class Subject:
    """What is audited.

    It remembers what was computed of it, so that no two checks compute or train the same thing.

    Args:
        test: Rows to measure on.
        classifier: What is audited.
        predictions: Its probabilities on the test rows ``(N, K)``, where the classifier itself is not at hand.
        training: The rows it learned from.
        validation: The rows that decided when its training stopped.
        recipe: What trained it, so that it can be trained again.
        decision: What is done with a probability.
        independence: How it is known that the test rows were not learned from.
        split_group: The column whose rows belong together.
        declarations: What no measurement tells: intended use, source of the labels.
        files: The files and folders that the classifier was brought in.
    """

    test: Dataset
    classifier: Classifier | None = None
    predictions: Tensor | None = None
    training: Dataset | None = None
    validation: Dataset | None = None
    recipe: Recipe | None = None
    decision: Decision = field(default_factory=Decision)
    independence: Independence = "unknown"
    split_group: str | None = None
    declarations: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    _memory: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if (self.classifier is None) == (self.predictions is None):
            raise ConfigurationError("a subject is a classifier or its predictions, one of the two")
        if self.predictions is not None:
            _require_probabilities(self.predictions, len(self.test), len(self.test.classes))
        if self.classifier is None:
            return
        if self.classifier.classes != self.test.classes:
            raise ModelError(
                f"the classifier knows the classes {', '.join(self.classifier.classes)}, the data have {', '.join(self.test.classes)}",
                remedy="name the classes alike, in the same order",
            )
        if self.classifier.schema != self.test.schema:
            raise ModelError(
                "the classifier takes other inputs than the data hold: their schemas differ",
                remedy="read the data with schema=classifier.schema",
            )

    def lacks(self, need: Need) -> str | None:
        """Why the subject cannot meet a check's need, or ``None`` where it can."""
        met = {
            "classifier": self.classifier is not None,
            "gradient": self.classifier is not None and self.classifier.differentiable,
            "training": self.training is not None,
            "recipe": self.recipe is not None and self.training is not None and self.validation is not None,
            "compression": self.recipe is None or bool(self.recipe.prune or self.recipe.quantise),
            "two_classes": len(self.test.classes) == 2,
            "favourable": self.test.favourable is not None,
            "protected": bool(self.test.protected),
            "files": bool(self.files),
        }[need]
        if met or need != "gradient" or self.classifier is None:
            return None if met else _LACKS[need]
        return f"{self.classifier.why_no_gradients}, and {_LACKS[need]}"

    def remember(self, key: Any, compute: Callable[[], Value]) -> Value:
        """What `compute` gives, computed once for each `key`."""
        if key not in self._memory:
            self._memory[key] = compute()
        value: Value = self._memory[key]
        return value

    @property
    def model(self) -> Classifier:
        """The classifier, for checks that need one."""
        if self.classifier is None:
            raise ModelError(_LACKS["classifier"])
        return self.classifier

    def on_test(self, metric: Metric) -> Metric:
        """A score on the test rows, marked as a bound where these may have been learned from, since that flatters."""
        if self.independence != "unknown":
            return metric
        return replace(metric, bound="upper" if metric.better == "higher" else "lower")

    def probabilities(self, dataset: Dataset | None = None) -> NDArray[np.float64]:
        """Probability of each class on the test rows, or on others ``(N, K)``."""
        rows = self.test if dataset is None else dataset
        if self.predictions is not None:
            if rows is not self.test:
                raise ModelError("there are predictions for the test rows only")
            return self.predictions.double().numpy()

        def compute() -> NDArray[np.float64]:
            logits = self.model.logits(rows.inputs).double()
            if not logits.isfinite().all():
                raise ModelError("the classifier answers with values that are not finite", remedy="check its weights and its inputs")
            return logits.softmax(1).cpu().numpy()

        return self.remember(("probabilities", rows.digest), compute)

    def presumed(self, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
        """The class that each row is taken for ``(N,)``: by the decision's threshold of two classes, else the likeliest."""
        if probabilities.shape[1] == 2:
            return (probabilities[:, 1] >= self.decision.threshold).astype(np.int64)
        return probabilities.argmax(1)

    def cross_fitted(self, seed: int) -> tuple[Dataset, NDArray[np.float64]]:
        """All rows, and probabilities for each ``(N, K)`` from a classifier of the same recipe that never saw it."""
        parts = [part for part in (self.training, self.validation, self.test) if part is not None]
        recipe = self.recipe
        if recipe is None or len(parts) < 3:
            raise ModelError(_LACKS["recipe"])

        def compute() -> tuple[Dataset, NDArray[np.float64]]:
            rows = Dataset.joined(parts)
            logits = cross_predict(rows, recipe, seed=seed, group=self.split_group)
            return rows, logits.double().softmax(1).numpy()

        return self.remember(("cross_fitted", seed), compute)

    def sample(self, limit: int, seed: Seed) -> Tensor:
        """Test rows to measure on where all of them would take too long, as indices in random order ``(n,)``.

        Of one audit a smaller sample is the beginning of a larger one, whichever check asks: what two checks say is of
        common rows.
        """
        return torch.randperm(len(self.test), generator=Seed(seed.value, ("sample",)).torch())[:limit]

    def background(self, count: int, seed: int) -> Tensor:
        """Rows to compare with in an explanation ``(B, *S)``: some of the training rows, else of the test rows.

        Where the parts of two inputs have nothing in common, as nodes of graphs, it is the one typical input.
        """
        rows = self.training if self.training is not None else self.test
        chosen = np.random.default_rng(seed).permutation(len(rows))[:count]
        background = rows.inputs[torch.from_numpy(np.sort(chosen))]
        modality = modality_of(rows.schema)
        return background if modality.aligned else modality.typical(background)[None]


def _require_probabilities(predictions: Tensor, rows: int, classes: int) -> None:
    if predictions.shape != (rows, classes):
        raise ModelError(f"the predictions have the shape {tuple(predictions.shape)}, required is ({rows}, {classes})")
    if not predictions.isfinite().all() or predictions.min() < 0 or ((predictions.sum(1) - 1).abs() > 1e-3).any():
        raise ModelError("the predictions are no probabilities: at least 0, and 1 in sum for each row")
