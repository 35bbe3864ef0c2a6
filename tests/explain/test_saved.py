"""Results that are saved come back without loss, and from nothing but their own file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import IntegrityError
from explain import Dependence, Importance, dependence, importance, interaction_strength, mislabelled, prototypes, surrogate, tcav


@pytest.fixture(scope="module")
def cases(credit: Classifier) -> Dataset:
    """Eighty rows of a table with words and numbers, in natural units."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "amount": generator.integers(500, 2000, 80),
            "purpose <b>": generator.choice(["car", "tv & radio"], 80),
            "rate": generator.integers(1, 5, 80),
        }
    )
    inputs = credit.schema.encode(frame)
    return Dataset(inputs, credit.predict(inputs), np.arange(80), credit.schema, credit.classes, pd.DataFrame(index=range(80)))


RESULTS: dict[str, Callable[[Classifier, Dataset], Any]] = {
    "importance": lambda model, data: importance(model, data, metric="log_loss"),
    "accumulated effects of a word": lambda model, data: dependence(model, data, "purpose <b>"),
    "curves": lambda model, data: dependence(model, data, "amount", "ice"),
    "partial dependence of a number and a word": lambda model, data: dependence(model, data, ("amount", "purpose <b>"), "pdp"),
    "interaction strength": lambda model, data: interaction_strength(model, data, rows=20),
    "surrogate tree": lambda model, data: surrogate(model, data),
    "prototypes": lambda model, data: prototypes(model, data),
    "concepts": lambda model, data: tcav(model, {"much": data.inputs[:8]}, data.inputs[8:], data.inputs, "0"),
    "suspects": lambda model, data: mislabelled(model, data),
}


@pytest.mark.parametrize("name", RESULTS)
def test_saving_loses_nothing(name: str, credit: Classifier, cases: Dataset, tmp_path: Path) -> None:
    result = RESULTS[name](credit, cases)
    result.save(tmp_path / "result")
    again = type(result).load(tmp_path / "result")
    for field in fields(result):
        _require_same(getattr(again, field.name), getattr(result, field.name))
    assert again._repr_html_() == result._repr_html_()
    assert [file.name for file in tmp_path.iterdir()] == ["result"]


def _require_same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, Tensor | np.ndarray):
        assert one.dtype == other.dtype
        assert torch.equal(one, other) if isinstance(one, Tensor) else np.array_equal(one, other)
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            _require_same(mine, theirs)
    else:
        assert one == other


def test_a_file_that_is_cut_changed_or_anothers_is_refused(credit: Classifier, cases: Dataset, tmp_path: Path) -> None:
    result, path = dependence(credit, cases, "amount"), tmp_path / "result"
    with pytest.raises(IntegrityError, match="is missing"):
        Dependence.load(path)
    result.save(path)
    content = path.read_bytes()
    with pytest.raises(IntegrityError, match="does not hold a Importance"):
        Importance.load(path)
    # Its last number, and the seed in its record.
    for place in (len(content) - 1, content.index(b'seed\\":0') + 7):
        path.write_bytes(bytes((*content[:place], content[place] ^ 1, *content[place + 1 :])))
        with pytest.raises(IntegrityError, match="other numbers than were saved"):
            Dependence.load(path)
    path.write_bytes(content[:-9])
    with pytest.raises(IntegrityError, match="no safetensors file"):
        Dependence.load(path)
    replace(result, values=None).save(path)  # type: ignore[arg-type]
    with pytest.raises(IntegrityError, match="lacks values"):
        Dependence.load(path)
