"""Wrong labels are planted and must be found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from classifier import Classifier, Dataset
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from explain.training_data.mislabelling import mislabelled


@pytest.fixture(scope="module")
def planted(make_rows: Callable[..., Dataset], make_network: Callable[..., nn.Module]) -> tuple[Classifier, Dataset, np.ndarray]:
    """A network that was trained on rows of which one in ten has the next class's label, and which those are."""
    clean = make_rows(300, 6, 3)
    wrong = np.random.default_rng(0).permutation(300) < 30
    rows = replace(clean, labels=torch.where(torch.from_numpy(wrong), (clean.labels + 1) % 3, clean.labels))
    module = make_network(6, 3)
    search = torch.optim.Adam(module.parameters(), 0.02)
    for _ in range(80):
        search.zero_grad()
        cross_entropy(module(rows.inputs), rows.labels).backward()
        search.step()
    return Classifier.wrap(module, schema=rows.schema, classes=rows.classes), rows, wrong


@pytest.mark.parametrize("method", ["self_influence", "loss"])
def test_flipped_labels_come_first(planted: tuple[Classifier, Dataset, np.ndarray], method: str) -> None:
    classifier, rows, wrong = planted
    found = mislabelled(classifier, rows, method=method)
    assert found.auc(wrong).low > 0.85
    precision = found.precision(wrong, 30)
    assert precision.low > 0.3
    assert precision.value == pytest.approx(wrong[found.order[:30].numpy()].mean())
    first = found.to_frame(30)
    truth = (rows.labels - 1) % 3
    hit = [
        rows.classes[int(truth[row])] == rather
        for row, rather in zip(found.order[:30].tolist(), first["rather"], strict=True)
        if wrong[row]
    ]
    assert np.mean(hit) > 0.8


def test_a_ranking_at_chance_has_an_auc_of_a_half(planted: tuple[Classifier, Dataset, np.ndarray]) -> None:
    classifier, rows, wrong = planted
    found = mislabelled(classifier, rows)
    shuffled = replace(found, scores=found.scores[torch.randperm(300, generator=torch.Generator().manual_seed(1))])
    assert shuffled.auc(wrong).low < 0.5 < shuffled.auc(wrong).high


def test_self_influence_is_the_squared_length_of_a_rows_gradient(planted: tuple[Classifier, Dataset, np.ndarray]) -> None:
    classifier, rows, _ = planted
    found = mislabelled(classifier, rows, checkpoints=[classifier, classifier], learning_rates=(0.5, 0.25))
    assert classifier.module is not None
    module = Classifier.wrap(classifier.module, schema=rows.schema, classes=rows.classes).module
    assert module is not None
    module.requires_grad_()
    for row in (0, 50):
        loss = cross_entropy(module(rows.inputs[row : row + 1]), rows.labels[row : row + 1])
        squares = sum(g.square().sum() for g in torch.autograd.grad(loss, list(module.parameters())))
        assert float(found.scores[row]) == pytest.approx(0.75 * float(squares), rel=1e-4)


def test_the_expected_precision_is_the_mean_doubt_of_the_probabilities_that_are_given(
    planted: tuple[Classifier, Dataset, np.ndarray],
) -> None:
    classifier, rows, wrong = planted
    # Probabilities that know which labels are wrong expect exactly what is there.
    truth = torch.where(torch.from_numpy(wrong), (rows.labels - 1) % 3, rows.labels)
    found = mislabelled(classifier, rows, probabilities=torch.nn.functional.one_hot(truth, 3).float())
    assert found.held_out
    assert found.expected_precision[29] == pytest.approx(found.precision(wrong, 30).value)
    assert found.expected_precision[-1] == pytest.approx(0.1)
    assert not mislabelled(classifier, rows).held_out


def test_suspects_show_themselves(planted: tuple[Classifier, Dataset, np.ndarray]) -> None:
    classifier, rows, _ = planted
    found = mislabelled(classifier, rows)
    assert "suspicion is no finding" in found._repr_html_()
    assert "most suspect of 300 labels" in found.plot().get_title(loc="left")
    assert len(found.to_frame()) == len(found) == 300


def test_bad_input_is_refused(planted: tuple[Classifier, Dataset, np.ndarray]) -> None:
    classifier, rows, wrong = planted
    box = Classifier.wrap(lambda x: classifier.probabilities(x), schema=rows.schema, classes=rows.classes)
    with pytest.raises(NotApplicableError, match='method="loss"'):
        mislabelled(box, rows)
    assert mislabelled(box, rows, method="loss").auc(wrong).low > 0.85
    with pytest.raises(ConfigurationError, match="method must be self_influence or loss"):
        mislabelled(classifier, rows, method="guess")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="sum to 1"):
        mislabelled(classifier, rows, probabilities=torch.ones(300, 3))
    with pytest.raises(ConfigurationError, match="k must lie in 1 to 300"):
        mislabelled(classifier, rows).precision(wrong, 0)
    with pytest.raises(ConfigurationError, match="each of the 300 rows"):
        mislabelled(classifier, rows).auc(wrong[:5])
    holed = replace(rows, inputs=rows.inputs.index_fill(0, torch.tensor([4]), torch.nan))
    with pytest.raises(DataError, match="1 of 300 rows are not, first row 104"):
        mislabelled(classifier, holed)
