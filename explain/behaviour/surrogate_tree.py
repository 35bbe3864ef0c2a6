"""Surrogate tree: a few questions that answer as the classifier does, and how often they do (Craven and Shavlik, 1995)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError
from classifier.metric import Metric
from classifier.schema import Schema
from classifier.seeds import Seed
from classifier.statistics import bootstrap, proportion
from explain.behaviour.cases import draw_cases, require_table
from explain.behaviour.questions import Node, end_places, joined, read_nodes
from explain.saved import Saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
_RESAMPLES = 500
# A question that explains less of the squared probabilities is about rounding.
_NOISE = 1e-9


@dataclass(frozen=True, eq=False)
class SurrogateTree(Saved):
    """A decision tree that imitates a classifier.

    Args:
        nodes: All places, the root first.
        agreement: Share of held-out rows that the tree and the classifier decide alike.
        chance: The same of one constant answer, the decision that is most frequent where the tree was made.
        explained: R^2 of the probabilities on the held-out rows: 1 is all of their variance, 0 is none.
        schema: What the inputs mean.
        classes: Names of the classes.
        depth: Questions in a row at most.
        seed: What rows were held out with.
        notes: What a reader must know.
        classifier_digest: Digest of the classifier.
    """

    nodes: tuple[Node, ...]
    agreement: Metric
    chance: Metric
    explained: Metric
    schema: Schema
    classes: tuple[str, ...]
    depth: int
    seed: int
    notes: tuple[str, ...]
    classifier_digest: str

    @property
    def rules(self) -> tuple[str, ...]:
        """Every way through the tree as a sentence, from the left: ``"duration ≤ 23 months and purpose is car → good, ..."``."""
        return tuple(
            f"{' and '.join(conditions) or 'always'} → {self.classes[node.decision]} "
            f"({', '.join(self._probability(node))}; {node.rows / self.nodes[0].rows:.0%} of rows)"
            for conditions, node in self._ends()
        )

    def predict(self, x: Tensor) -> Tensor:
        """The tree's decisions ``(N,)`` on inputs ``(N, D)``."""
        return torch.tensor([node.decision for node in self.nodes])[end_places(self.nodes, self.depth, x)]

    def probabilities(self, x: Tensor) -> Tensor:
        """The tree's probabilities ``(N, K)``, those that the classifier has on average at the end that a row comes to."""
        return torch.tensor([node.probabilities for node in self.nodes], dtype=torch.float64)[end_places(self.nodes, self.depth, x)]

    def to_frame(self) -> pd.DataFrame:
        """One line for each end: rule, decision, rows, share, and the probability of each class."""
        lines = [
            (
                " and ".join(conditions) or "always",
                self.classes[node.decision],
                node.rows,
                node.rows / self.nodes[0].rows,
                *node.probabilities,
            )
            for conditions, node in self._ends()
        ]
        return pd.DataFrame(lines, columns=["rule", "decision", "rows", "share", *(f"probability of {name}" for name in self.classes)])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the tree with its questions in words."""
        from explain.figures.behaviour.surrogate import draw_surrogate

        return draw_surrogate(self, ax=ax)

    def __str__(self) -> str:
        return "\n".join((*self.rules, self.fidelity))

    @property
    def fidelity(self) -> str:
        """How far to trust it, in words."""
        return (
            f"decides like the classifier in {_percent(self.agreement)} of {self.agreement.n} held-out rows; "
            f"always the same answer would in {_percent(self.chance)}; R² of the probabilities {self.explained}"
        )

    def __repr__(self) -> str:
        return f"SurrogateTree({sum(1 for _ in self._ends())} ends, {self.fidelity})"

    def _repr_html_(self) -> str:
        from explain.figures.behaviour._tables import table_html

        return table_html(f"A tree that {self.fidelity}", self.to_frame(), self.notes)

    def _probability(self, node: Node) -> list[str]:
        if len(self.classes) == 2:
            return [f"probability of {self.classes[1]} {node.probabilities[1]:.2f}"]
        return [f"probability {max(node.probabilities):.2f}"]

    def _ends(self, place: int = 0, conditions: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
        node = self.nodes[place]
        if node.children is None:
            yield conditions, node
            return
        for child, condition in zip(node.children, (node.at_most, node.above), strict=True):
            yield from self._ends(child, joined(conditions, condition, node.feature))


def surrogate(
    classifier: Classifier,
    dataset: Dataset,
    *,
    depth: int = 3,
    smallest: int = 10,
    held_out: float = 0.3,
    rows: int = 50_000,
    seed: int = 0,
) -> SurrogateTree:
    """Imitate a classifier by a small decision tree, and measure on other rows how far it does.

    The tree is scikit-learn's regression tree on the classifier's probabilities; it decides for the class that is most probable
    on average where a row ends.

    Args:
        classifier: One of a table, black boxes included.
        dataset: The rows; their labels are not used.
        depth: Questions in a row at most.
        smallest: Rows that each end has at least.
        held_out: Share of the rows that the tree does not see, on which it is judged.
        rows: How many rows are used at most, drawn by the seed.
        seed: Decides which rows are held out.

    Raises:
        ConfigurationError: If an option is out of range, the data are not the classifier's, or there are too few rows.
        DataError: If the rows are not finite.
        NotApplicableError: If the inputs are no table.
    """
    from sklearn.tree import DecisionTreeRegressor

    require_table(classifier, "a surrogate tree", "explain.attribute and explain.prototypes take other inputs")
    if depth < 1 or smallest < 1 or not 0 < held_out < 1:
        raise ConfigurationError(
            f"depth and smallest must be at least 1 and held_out a share, got {depth}, {smallest} and {held_out}",
            remedy="the defaults are 3, 10, 0.3",
        )
    stream = Seed(seed, ("surrogate",))
    cases = draw_cases(classifier, dataset, rows, stream)
    order = stream.child("held_out").numpy().permutation(len(cases))
    cut = round(held_out * len(cases))
    if cut < 2 or len(cases) - cut < 2 * smallest:
        raise ConfigurationError(
            f"{len(cases)} rows are too few to hold out {held_out:.0%} and ask a question with {smallest} rows on either side",
            remedy="give more rows, or a smaller smallest",
        )
    inputs = cases.inputs.cpu()
    given = classifier.probabilities(cases.inputs).double().cpu()
    held, seen = order[:cut], order[cut:]
    ties = stream.child("ties").integer() % 2**32
    engine = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=smallest, min_impurity_decrease=_NOISE, random_state=ties)
    engine.fit(inputs[seen].numpy(), given[seen].numpy())
    nodes = tuple(read_nodes(engine.tree_, classifier.schema))
    places = end_places(nodes, depth, inputs[held])
    imitated = np.array([node.probabilities for node in nodes])[places]
    decisions, constant = given[held].argmax(1).numpy(), np.bincount(given[seen].argmax(1)).argmax()
    notes = (
        ["the classifier decides all the rows alike that the tree was made from"] if len(set(given[seen].argmax(1).tolist())) == 1 else []
    )
    return SurrogateTree(
        nodes=nodes,
        agreement=proportion("explanation.surrogate_agreement", imitated.argmax(1) == decisions),
        chance=proportion("explanation.constant_agreement", decisions == constant),
        explained=bootstrap("explanation.surrogate_r2", _Explained(given[held].numpy(), imitated), cut, stream, resamples=_RESAMPLES),
        schema=classifier.schema,
        classes=classifier.classes,
        depth=depth,
        seed=seed,
        notes=(*notes, *([f"{len(cases)} of {len(dataset)} rows, drawn by the seed"] if len(cases) < len(dataset) else [])),
        classifier_digest=classifier.digest,
    )


class _Explained:
    """R^2 over weighted rows, of all classes' probabilities together; NaN where they do not vary."""

    def __init__(self, truth: Array, imitated: Array) -> None:
        self.truth, self.error = truth, ((truth - imitated) ** 2).sum(1)

    def __call__(self, weights: Array) -> Array:
        share = weights / weights.sum(1, keepdims=True)
        variance = share @ (self.truth**2).sum(1) - ((share @ self.truth) ** 2).sum(1)
        return 1 - np.divide(share @ self.error, variance, out=np.full(len(share), np.nan), where=variance > 1e-12)


def _percent(metric: Metric) -> str:
    if metric.value is None or metric.low is None or metric.high is None:
        return str(metric)
    return f"{metric.value:.0%} [{metric.low:.0%}, {metric.high:.0%}]"
