"""Small sets of cases of every modality, for the laws that must hold for all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier import Dataset
from classifier.modalities.graph import Graph

Label = NDArray[np.int64]
WORDS = ("good", "bad", "warm", "cold", "early", "late", "near", "far", "thick", "thin")


def table(labels: Label, generator: np.random.Generator) -> pd.DataFrame:
    """Two numbers that tell the class as a place on a circle, and a whole number, a flag and a category that do not."""
    angle = 2 * np.pi * labels / (labels.max() + 1)
    return pd.DataFrame(
        {
            "east": np.cos(angle) + generator.normal(0, 0.02, len(labels)),
            "north": np.sin(angle) + generator.normal(0, 0.02, len(labels)),
            "count": generator.integers(1, 9, len(labels)),
            "flag": generator.integers(0, 2, len(labels)),
            "home": generator.choice(["rent", "own", "free"], len(labels)),
        }
    )


def images(labels: Label, generator: np.random.Generator) -> list[NDArray[np.uint8]]:
    """A bright square, whose place is the class."""
    pictures = generator.integers(0, 40, (len(labels), 16, 16)).astype(np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        row, column = divmod(int(label), 4)
        picture[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 250
    return list(pictures)


def texts(labels: Label, generator: np.random.Generator) -> list[str]:
    """Sentences of different lengths with a word that tells the class, and a day that does not."""
    days = generator.integers(1, 32, len(labels))
    begins = ["it was " * count for count in generator.integers(1, 4, len(labels))]
    return [f"{begin}{WORDS[label]} and {WORDS[label]} on day {day}" for begin, label, day in zip(begins, labels, days, strict=True)]


def series(labels: Label, generator: np.random.Generator) -> list[NDArray[np.float64]]:
    """Two variables over 18 to 24 steps, one of which moves about a level that tells the class."""
    lengths = generator.integers(18, 25, len(labels))
    return [np.stack([label + generator.normal(0, 0.1, n), generator.random(n)], 1) for label, n in zip(labels, lengths, strict=True)]


def graphs(labels: Label, generator: np.random.Generator) -> list[Graph]:
    """Rings of 4 to 7 nodes, with a number at each node about a level that tells the class."""
    rings = []
    for label, count in zip(labels, generator.integers(4, 8, len(labels)), strict=True):
        nodes = pd.DataFrame({"level": label + generator.normal(0, 0.1, count), "noise": generator.random(count)})
        rings.append(Graph(nodes, np.stack([np.arange(count), (np.arange(count) + 1) % count], 1)))
    return rings


CASES: dict[str, Callable[[Label, np.random.Generator], Any]] = {
    "tabular": table, "image": images, "text": texts, "sequence": series, "graph": graphs,
}  # fmt: skip


@cache
def cases(modality: str, classes: int, each: int = 12) -> Dataset:
    """So many cases of each class, which can be told apart, as the modality itself reads and encodes them."""
    labels = np.arange(each * classes) % classes
    given = CASES[modality](labels, np.random.default_rng(classes))
    frame = given if isinstance(given, pd.DataFrame) else pd.DataFrame({"case": pd.Series(given, dtype=object)})
    names = [f"class {label}" for label in labels]
    site = np.where(np.arange(len(labels)) // classes % 2, "north", "south")
    return Dataset.from_frame(frame.assign(y=names, site=site), target="y", modality=modality, protected=("site",))


BERT = {
    "model_type": "bert",
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 4096,
}
# Options of those that have no defaults for all of them.
OPTIONS: dict[str, dict[str, Any]] = {"huggingface": {"config": json.dumps(BERT)}}
