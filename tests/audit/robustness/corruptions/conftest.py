"""Images, tables, texts, series and graphs that the tests of the corruptions share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from classifier import Dataset, Feature, Schema
from classifier.modalities.graph import Graph

Pictures = Callable[..., tuple[Tensor, Schema]]


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    """Smooth blobs on black, whole levels of 0 to 255 in natural units of 0 to 1, and their schema."""

    def make(count: int, channels: int, height: int, width: int, kind: str = "integer") -> tuple[Tensor, Schema]:
        generator = torch.Generator().manual_seed(height)
        coarse = torch.rand(count, channels, max(2, height // 4), max(2, width // 4), generator=generator)
        x = functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False)
        x = (2 * x - 0.9).clamp(0, 1)
        features = tuple(Feature(f"channel {index}", kind, low=0.0, high=255.0) for index in range(channels))  # type: ignore[arg-type]
        return (x * 255).round() / 255, Schema("image", features, size=(height, width))

    return make


@pytest.fixture(scope="session")
def people(mixed_schema: Schema) -> tuple[Tensor, Schema]:
    """300 valid rows of `mixed_schema`."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "rate": generator.uniform(-2, 3, 300),
            "months": generator.integers(4, 73, 300),
            "flag": generator.integers(0, 2, 300),
            "married": generator.choice(["no", "yes"], 300),
            "purpose": generator.choice(["car", "house", "school", "other"], 300),
        }
    )
    return mixed_schema.encode(frame), mixed_schema


@pytest.fixture(scope="session")
def letters() -> Dataset:
    """60 texts of words that occur often enough to be known, some of them Chinese."""
    generator = np.random.default_rng(1)
    words = ["the", "road", "was", "long", "and", "cold", "we", "came", "home", "late", "天", "气", "很", "好"]
    texts = [" ".join(generator.choice(words, 12)) + "." for _ in range(60)]
    frame = pd.DataFrame({"case": pd.Series(texts, dtype=object), "y": ["a", "b"] * 30})
    return Dataset.from_frame(frame, target="y", modality="text")


@pytest.fixture(scope="session")
def recordings() -> Dataset:
    """40 series of two variables, of 20 to 30 steps, so that what follows the end is flagged."""
    generator = np.random.default_rng(2)
    cells = [np.stack([np.linspace(1, 5, n), generator.random(n)], 1) for n in generator.integers(20, 31, 40)]
    frame = pd.DataFrame({"case": pd.Series(cells, dtype=object), "y": ["a", "b"] * 20})
    return Dataset.from_frame(frame, target="y", modality="sequence")


@pytest.fixture(scope="session")
def rings() -> Dataset:
    """40 rings of 6 to 12 nodes with a number at each."""
    generator = np.random.default_rng(3)
    cells = [
        Graph(pd.DataFrame({"level": generator.random(n)}), np.stack([np.arange(n), (np.arange(n) + 1) % n], 1))
        for n in generator.integers(6, 13, 40)
    ]
    frame = pd.DataFrame({"case": pd.Series(cells, dtype=object), "y": ["a", "b"] * 20})
    return Dataset.from_frame(frame, target="y", modality="graph")
