"""Questions: the nodes of a fitted tree, in words and natural units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from classifier.modalities.tabular import word_for
from classifier.schema import Feature, Schema


@dataclass(frozen=True)
class Node:
    """A place in the tree.

    Args:
        rows: How many of the rows that it was made from come here.
        probabilities: What the classifier gives them on average ``(K,)``.
        feature: The feature that is asked about; empty for an end.
        at_most: In words, what the rows that go to the first child have: ``"duration ≤ 23 months"``.
        above: What those have that go to the second.
        children: The places of both children; none for an end.
        column: Which encoded column is asked about.
        threshold: Rows of which it is at most this go to the first child.
    """

    rows: int
    probabilities: tuple[float, ...]
    feature: str = ""
    at_most: str = ""
    above: str = ""
    children: tuple[int, int] | None = None
    column: int = -1
    threshold: float = 0.0

    @property
    def decision(self) -> int:
        """The class that is most probable here, by its index."""
        return int(np.argmax(self.probabilities))


def read_nodes(tree: Any, schema: Schema) -> Iterator[Node]:
    """The nodes of a fitted tree, with its questions in words."""
    owners = {column: feature for feature in schema.features for column in range(*schema.groups[feature.name].indices(len(schema.columns)))}
    for place in range(tree.node_count):
        rows, given = int(tree.n_node_samples[place]), tuple(tree.value[place, :, 0].tolist())
        left, right = int(tree.children_left[place]), int(tree.children_right[place])
        if left < 0:
            yield Node(rows, given)
            continue
        column, threshold = int(tree.feature[place]), float(tree.threshold[place])
        feature = owners[column]
        at_most, above = _words(feature, column - schema.groups[feature.name].start, threshold, schema)
        yield Node(rows, given, feature.name, at_most, above, (left, right), column, threshold)


def _words(feature: Feature, category: int, threshold: float, schema: Schema) -> tuple[str, str]:
    """What rows have of which a column is at most the threshold, and what the others have."""
    name = feature.name
    if feature.kind == "categorical":
        return f"{name} is not {feature.categories[category]}", f"{name} is {feature.categories[category]}"
    if feature.kind == "binary":
        two = feature.categories or tuple(
            word_for(feature, 1.0 * value) for value in (feature.low or 0, 1 if feature.high is None else feature.high)
        )
        return f"{name} is {two[0]}", f"{name} is {two[1]}"
    scaled = schema.encoding == "unit" and feature.low is not None
    natural = (feature.low or 0.0) + feature.span * threshold if scaled else threshold
    word = word_for(feature, float(np.floor(natural)) if feature.kind == "integer" else natural)
    return f"{name} ≤ {word}", f"{name} > {word}"


def joined(conditions: tuple[str, ...], condition: str, feature: str) -> tuple[str, ...]:
    """Conditions with one more, which replaces those on the same feature that it makes needless."""
    needless = [f"{feature} {sign} " for sign in ("≤", ">") if condition.startswith(f"{feature} {sign} ")]
    if condition.startswith(f"{feature} is ") and not condition.startswith(f"{feature} is not "):
        needless = [f"{feature} is not "]
    return (*(known for known in conditions if not known.startswith(tuple(needless))), condition)


def end_places(nodes: tuple[Node, ...], depth: int, x: Tensor) -> Tensor:
    """The node where each row of `x` ``(N, D)`` ends ``(N,)``."""
    # Compared as scikit-learn does, values of 32 bits with a threshold of 64.
    values, places = x.detach().cpu().float().double(), torch.zeros(len(x), dtype=torch.int64)
    children = torch.tensor([node.children or (index, index) for index, node in enumerate(nodes)])
    columns = torch.tensor([max(node.column, 0) for node in nodes])
    thresholds = torch.tensor([node.threshold for node in nodes], dtype=torch.float64)
    for _ in range(depth):
        above = values.gather(1, columns[places][:, None])[:, 0] > thresholds[places]
        places = children[places].gather(1, above.long()[:, None])[:, 0]
    return places
