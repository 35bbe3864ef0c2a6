"""Who plays: only those who are there, in bounded memory, whatever the other rows are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import pytest
import torch
from cases import cases
from torch import Tensor, nn

from classifier.architectures.transformer_text import TextTransformer, TransformerText
from classifier.classifier import Classifier
from classifier.errors import NotApplicableError
from classifier.modalities._observed import observed_feature
from classifier.schema import Feature, Schema
from classifier.seeds import Seed
from explain import attribute, available
from explain.attribution.exact_shapley import ExactShapley
from explain.attribution.kernel_shap import KernelSHAP
from explain.attribution.owen_values import OwenValues
from explain.attribution.partition_shap import PartitionSHAP
from explain.attribution.permutation_shap import PermutationSHAP
from explain.games.coalitions import coalition_values, games, most_players
from explain.method import Method, Task
from explain.output import Output

FAMILY = (ExactShapley(), KernelSHAP(samples=64), PermutationSHAP(), OwenValues(samples=128), PartitionSHAP())


def task_of(classifier: Classifier, x: Tensor, baseline: Tensor) -> Task:
    return Task(Output.of(classifier, "auto"), x, torch.ones(len(x), dtype=torch.int64), baseline)


@pytest.mark.parametrize("method", FAMILY, ids=lambda method: type(method).__name__)
def test_tokens_that_are_not_there_get_exactly_nothing_and_rows_get_what_they_get_alone(
    method: Method, reader: Classifier, texts: Tensor
) -> None:
    blank = task_of(reader, texts, torch.full((1, texts.shape[1]), 2))
    scores = method(blank, Seed(0))
    assert (scores.attributions[texts == 0] == 0).all()
    assert (scores.attributions[texts != 0] != 0).any()
    for row in range(len(texts)):
        alone = method(task_of(reader, texts[row : row + 1], blank.baseline), Seed(0))
        assert torch.allclose(alone.attributions, scores.attributions[row : row + 1], atol=1e-6)


def test_a_short_text_is_enumerated_in_a_long_schema(reader: Classifier, texts: Tensor) -> None:
    task = task_of(reader, texts, torch.full((1, texts.shape[1]), 2))
    assert most_players(task) == 9
    assert "2^24" in ExactShapley().obstacle(reader, rows=4, background=1)
    assert not ExactShapley().obstacle(reader, rows=4, background=1, players=9)
    module = reader.module
    assert module is not None
    before = int(module.calls)  # type: ignore[arg-type]
    scores = ExactShapley()(task, Seed(0))
    assert int(module.calls) - before <= 2**3 + 2 * 2**5 + 2**9 + 4 * 8  # type: ignore[arg-type]  # the last are for measuring the layers
    assert scores.exact
    assert torch.allclose(KernelSHAP(samples=510)(task, Seed(0)).attributions, scores.attributions, atol=1e-6)
    # The text of three words, by hand.
    truth = torch.zeros(3, dtype=torch.float64)
    for order in permutations(range(3)):
        text = torch.where(texts[0] == 0, 0, 2)
        for player in order:
            before_it = reader.logits(text[None])[0, 1] - reader.logits(text[None])[0, 0]
            text[player] = texts[0, player]
            truth[player] += (reader.logits(text[None])[0, 1] - reader.logits(text[None])[0, 0] - before_it) / 6
    assert torch.allclose(scores.attributions[0, :3], truth, atol=1e-6)


def test_a_text_that_nothing_is_left_of_has_no_contributions(reader: Classifier) -> None:
    task = task_of(reader, torch.zeros(1, 24, dtype=torch.int64), torch.full((1, 24), 2))
    scores = KernelSHAP()(task, Seed(0))
    assert (scores.attributions == 0).all()
    assert scores.base_value is not None
    assert float(scores.base_value[0]) == pytest.approx(float(task.output(task.x, task.target)[0]), abs=1e-6)


def test_too_many_players_of_one_row_are_refused_though_the_schema_was_not_asked(wide: Classifier) -> None:
    rows = torch.rand(2, 11)
    with pytest.raises(NotApplicableError, match="11 players need samples=44"):
        KernelSHAP(samples=40)(task_of(wide, rows, torch.zeros(1, 11)), Seed(0))


def test_a_step_that_only_the_background_has_still_plays() -> None:
    """A series that is cut short is compared with one that goes on: that it ends is its own doing."""
    schema = Schema("sequence", (Feature("level", "continuous", 0.0, 1.0), observed_feature()), size=(4,))

    class Length(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            score = x[..., 1].sum(1) + 0 * x[..., 0].sum(1)
            return torch.stack([torch.zeros_like(score), score], 1)

    classifier = Classifier.wrap(Length(), schema=schema, classes=("no", "yes"))
    x = torch.tensor([[[0.5, 1.0], [0.5, 1.0], [0.5, 0.0], [0.5, 0.0]]])
    whole, same = torch.tensor([[[0.1, 1.0]] * 4]), x.clone()
    assert [len(game.players) for game in games(task_of(classifier, x, whole))] == [4]
    assert [len(game.players) for game in games(task_of(classifier, x, same))] == [2]
    assert attribute(classifier, x, "exact_shapley", baseline=whole).by_feature()[0].tolist() == pytest.approx([0, 0, -1, -1])


@pytest.mark.parametrize("method", ["exact_shapley", "kernel_shap", "permutation_shap", "owen_values", "partition_shap"])
def test_a_background_of_thousands_is_averaged_in_pieces(method: str, game: Callable[..., Classifier]) -> None:
    largest = 0

    def product(x: Tensor) -> Tensor:
        nonlocal largest
        largest = max(largest, len(x))
        return 4 * x[:, 0] * x[:, 1] + x[:, 2] - x[:, 3]

    classifier = game(product, 4)
    generator = torch.Generator().manual_seed(3)
    x, background = torch.rand(2, 4, generator=generator), torch.rand(5000, 4, generator=generator)
    options = {"owen_values": {"groups": (("x0", "x1"),)}, "permutation_shap": {"permutations": 2}}.get(method, {})
    explanation = attribute(classifier, x, method, baseline=background, **options)
    assert largest <= 2**18
    mean, both = background.double().mean(0), (background[:, 0] * background[:, 1]).double().mean()
    x = x.double()
    # By hand: alone and last, each counting half.
    first = 2 * (x[:, 0] * mean[1] - both) + 2 * (x[:, 0] * x[:, 1] - mean[0] * x[:, 1])
    second = 2 * (mean[0] * x[:, 1] - both) + 2 * (x[:, 0] * x[:, 1] - x[:, 0] * mean[1])
    truth = torch.stack([first, second, x[:, 2] - mean[2], mean[3] - x[:, 3]], 1)
    assert torch.allclose(explanation.attributions, truth, atol=1e-5)


def test_rows_beyond_a_thousand_are_played_in_turn(game: Callable[..., Classifier]) -> None:
    classifier = game(lambda x: x @ torch.tensor([1.0, -2.0, 3.0]), 3)
    x = torch.rand(2500, 3)
    values = attribute(classifier, x, "kernel_shap", baseline=torch.zeros(3)).attributions
    assert torch.allclose(values, x.double() * torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64), atol=1e-5)


@pytest.mark.parametrize("elements", [1, 50, 333, 10**6])
def test_values_of_coalitions_do_not_depend_on_how_the_work_is_cut(
    elements: int, classifier: Classifier, x: Tensor, background: Tensor
) -> None:
    task = task_of(classifier, x, background)
    present = torch.rand(9, 8, generator=torch.Generator().manual_seed(1)) > 0.5
    values = coalition_values(task, present, elements=elements)
    for row, coalition in ((0, 0), (4, 8), (2, 5)):
        mixed = torch.where(present[coalition], x[row], background)
        logits = classifier.logits(mixed)
        assert float(values[row, coalition]) == pytest.approx(float((logits[:, 1] - logits[:, 0]).mean()), abs=1e-5)


def test_pieces_are_as_large_as_the_widest_layer_allows(numbers: Callable[[int], Schema]) -> None:
    class Counting(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.widen, self.narrow = nn.Linear(4, width), nn.Linear(width, 2)
            self.largest = 0

        def forward(self, x: Tensor) -> Tensor:
            self.largest = max(self.largest, len(x))
            return self.narrow(torch.relu(self.widen(x)))

    for width in (256, 512):
        classifier = Classifier.wrap(Counting(width), schema=numbers(4), classes=("no", "yes"))
        attribute(classifier, torch.rand(300, 4), "exact_shapley", baseline=torch.zeros(4))
        assert isinstance(classifier.module, Counting)
        assert classifier.module.largest == pytest.approx(2**19 // width, rel=0.2)


def test_a_short_text_in_a_long_schema_gets_exact_values() -> None:
    """What counts is how many tokens the text has, not how many would fit."""
    data = cases("text", 2)
    schema = replace(data.schema, size=(40,))
    x = torch.nn.functional.pad(data.inputs[:2], (0, 40 - data.inputs.shape[1]))
    network = TextTransformer(TransformerText(width=8, buckets=64), schema, 2)
    classifier = Classifier.wrap(network, schema=schema, classes=data.classes)
    explanation = attribute(classifier, x, "exact_shapley")
    assert explanation.exact
    assert attribute(classifier, x).method == "exact_shapley"
    entry = {entry.method: entry for entry in available(classifier, rows=2)}["exact_shapley"]
    assert not entry.applies
    most = int(explanation.modality.present(x).sum(1).max())
    assert {entry.method: entry for entry in available(classifier, rows=2, players=most)}["exact_shapley"].applies
