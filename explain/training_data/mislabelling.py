"""Mislabelling: training rows whose label the training had to be forced to (Pruthi et al., 2020, arXiv:2002.08484, section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.chunks import chunk_size
from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.metric import Metric
from classifier.progress import progress_bar
from classifier.schema import Schema
from classifier.statistics import proportion, roc_auc_metric
from explain.saved import Saved
from explain.training_data.influencing import require_checkpoints, require_training
from explain.training_data.loss import TrainingLoss, uncalibrated
from explain.training_data.method import InfluenceTask
from explain.training_data.methods.tracin import step_sizes
from explain.training_data.row_products import RowProducts, squares

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Ranking = Literal["self_influence", "loss"]


@dataclass(frozen=True, eq=False)
class Suspects(Saved):
    """Rows ranked by how likely their label is wrong. A suspicion is no finding: somebody must look at the rows.

    It holds the training rows, so whoever has it, or the file that it is saved to, has them.

    Args:
        scores: One number a row ``(M,)``; higher is more suspect.
        order: The rows' places, the most suspect first ``(M,)``.
        chances: Probabilities of the classes that the expectation rests on ``(M, K)``.
        labels: Class of each row ``(M,)``.
        ids: Where the rows came from ``(M,)``.
        inputs: The rows ``(M, *S)``.
        method: What they were ranked by.
        held_out: Whether `chances` come from classifiers that never saw the row.
        schema: What the inputs mean.
        classes: Names of the classes.
        notes: What a reader must know of this result.
    """

    scores: Tensor
    order: Tensor
    chances: Tensor
    labels: Tensor
    ids: NDArray[np.int64]
    inputs: Tensor
    method: Ranking
    held_out: bool
    schema: Schema
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def expected_precision(self) -> NDArray[np.float64]:
        """For each length of the ranking, the share of its rows whose label the probabilities deny ``(M,)``.

        The mean of 1 - p(label) over the rows down to there. It is too high where classes overlap, since a rare label is
        not a wrong one, and too low where the probabilities were learned from the same labels.
        """
        doubt = 1 - self.chances.double().gather(1, self.labels[:, None])[:, 0]
        return (doubt[self.order].cumsum(0) / torch.arange(1, len(doubt) + 1)).numpy()

    def to_frame(self, k: int | None = None) -> pd.DataFrame:
        """The `k` most suspect rows, or all: rank, id, label, the most probable other class, p(label), score, expected
        precision down to there, and the row in natural units."""
        rows = self.order[:k]
        names = np.array(self.classes, dtype=object)
        others = self.chances[rows].scatter(1, self.labels[rows, None], -1.0).argmax(1)
        told = {
            "rank": np.arange(1, len(rows) + 1),
            "id": self.ids[rows.numpy()],
            "label": names[self.labels[rows].numpy()],
            "rather": names[others.numpy()],
            "p(label)": self.chances[rows].gather(1, self.labels[rows, None])[:, 0].numpy(),
            "score": self.scores[rows].numpy(),
            "expected precision": self.expected_precision[: len(rows)],
        }
        return pd.concat([pd.DataFrame(told), self.schema.decode(self.inputs[rows])], axis=1)

    def auc(self, wrong: Tensor | NDArray[np.bool_]) -> Metric:
        """How well the ranking finds rows that are known to be mislabelled: the chance that one outranks another row.

        Args:
            wrong: Which rows are ``(M,)``, bool.
        """
        return roc_auc_metric("explain.mislabelled_auc", self.scores.double().numpy(), self._known(wrong))

    def precision(self, wrong: Tensor | NDArray[np.bool_], k: int) -> Metric:
        """The share of the first `k` rows that are known to be mislabelled.

        Args:
            wrong: Which rows are ``(M,)``, bool.
            k: How many rows somebody would look at.
        """
        if not 1 <= k <= len(self.order):
            raise ConfigurationError(f"k must lie in 1 to {len(self.order)}, got {k}")
        hits = self._known(wrong)[self.order[:k].numpy()]
        return proportion("explain.mislabelled_precision", hits).measured_on(rows=k)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the most suspect rows as a table of their features, or as pictures; the figure is ``ax.figure``."""
        from explain.figures.examples.suspect_labels import plot_suspects

        return plot_suspects(self, ax)

    def _known(self, wrong: Tensor | NDArray[np.bool_]) -> NDArray[np.bool_]:
        known = np.asarray(wrong)
        if known.dtype != bool or known.shape != (len(self.order),):
            raise ConfigurationError(
                f"wrong must tell of each of the {len(self.order)} rows whether it is, got {known.shape} of {known.dtype}"
            )
        return known

    def __len__(self) -> int:
        return len(self.order)

    def __repr__(self) -> str:
        return f"Suspects({len(self)} rows by {self.method}; of the first 10, {self.expected_precision[:10][-1]:.0%} expected to be wrong)"

    def _repr_html_(self) -> str:
        from explain.figures.examples._html import suspects_html

        return suspects_html(self)


def mislabelled(
    classifier: Classifier,
    dataset: Dataset,
    *,
    method: Ranking = "self_influence",
    checkpoints: Sequence[Classifier] = (),
    probabilities: Tensor | None = None,
    learning_rates: Sequence[float] = (),
    layers: Sequence[str] = (),
    progress: bool = True,
) -> Suspects:
    """Rank training rows by how much they look mislabelled.

    Args:
        classifier: A classifier that was trained on these rows.
        dataset: The training rows ``M``.
        method: ``"self_influence"``: how much a step on a row takes off its own loss (TracIn of a row on itself), which is
            large for a row that nothing but itself speaks for; or ``"loss"``, the plain loss, to compare with.
        checkpoints: The classifier at several times of its training.
        probabilities: Probabilities ``(M, K)`` by classifiers that never saw the row, as `trainer.cross_predict` gives
            logits for; what precision to expect then rests on them. By default the classifier's own.
        learning_rates: Step size at each checkpoint; by default those of the training records.
        layers: Names of the layers whose weights count; all where there are none.
        progress: Whether to show a bar on a terminal.

    Raises:
        ConfigurationError: If an option does not fit.
        DataError: If the rows are not finite.
        NotApplicableError: If the classifier is a black box and its gradients are asked for.
    """
    if method not in get_args(Ranking):
        raise ConfigurationError(f"method must be {' or '.join(get_args(Ranking))}, got {method!r}")
    if method == "self_influence" and classifier.module is None:
        raise NotApplicableError(f"self_influence needs the network, and {classifier.why_no_gradients}", remedy='take method="loss"')
    require_training(classifier, dataset)
    stages = require_checkpoints(classifier, checkpoints)
    shape = (len(dataset), len(classifier.classes))
    if probabilities is not None:
        sums = probabilities.sum(-1)
        if tuple(probabilities.shape) != shape or not torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
            raise ConfigurationError(
                f"probabilities must be {shape} and sum to 1 in each row, got {tuple(probabilities.shape)}",
                remedy="of logits, take softmax(1)",
            )
    task = InfluenceTask(classifier, dataset, dataset.inputs[:0].to(classifier.device), dataset.labels[:0], stages, progress)
    rates, notes = step_sizes(stages, tuple(learning_rates)) if method == "self_influence" else ((1.0,) * len(stages), ())
    scores, loss = torch.zeros(len(dataset)), TrainingLoss.of(classifier)
    for number, (stage, rate) in enumerate(zip(stages, rates, strict=True), start=1):
        network = uncalibrated(stage)
        gradients = RowProducts(network, tuple(layers)) if method == "self_influence" else None
        size = gradients.chunk if gradients else chunk_size(classifier.schema.shape)
        with progress_bar(f"{method}, checkpoint {number} of {len(stages)}", -(-len(dataset) // size), shown=progress) as advance:
            for rows, x, labels in task.batches(size=size):
                found = squares(gradients(loss, x, labels)) if gradients else loss(network.logits(x), labels)
                scores[rows] += rate * found.detach().cpu()
                advance(f"row {rows.stop}")
        notes = (*notes, *(note for note in (gradients.notes if gradients else ()) if note not in notes))
    chances = classifier.probabilities(dataset.inputs).cpu() if probabilities is None else probabilities.detach().cpu().float()
    if probabilities is None:
        notes = (*notes, "the expected precision rests on the classifier's own probabilities, which were learned from the same labels")
    return Suspects(
        scores=scores,
        order=torch.argsort(scores, descending=True, stable=True),
        chances=chances,
        labels=dataset.labels,
        ids=dataset.ids,
        inputs=dataset.inputs,
        method=method,
        held_out=probabilities is not None,
        schema=classifier.schema,
        classes=classifier.classes,
        notes=notes,
    )
