from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audit.robustness.corruptions import SEVERITIES, answers_under_corruption, corrupt, engine, refusals
from audit.robustness.corruptions.calibration_error import measure_calibration
from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.known_answers import measure_known_answers
from classifier import Classifier, Dataset, Feature, Schema
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.metric import Metric
from classifier.seeds import Seed

Cases = Callable[[str], tuple[Tensor, Schema]]


@pytest.fixture
def inputs(
    pictures: Callable[..., tuple[Tensor, Schema]],
    people: tuple[Tensor, Schema],
    letters: Dataset,
    recordings: Dataset,
    rings: Dataset,
) -> Cases:
    """Some inputs of a modality and their schema."""
    made = {"image": pictures(7, 1, 28, 28), "tabular": (people[0][:60], people[1])}
    for data in (letters, recordings, rings):
        made[data.schema.modality] = (data.inputs, data.schema)
    return lambda modality: made[modality]


EVERY = [(modality, kind) for modality, registry in CORRUPTIONS.items() for kind in registry if kind != "wrong_case"]


@pytest.mark.parametrize(("modality", "kind"), EVERY, ids=[f"{modality}-{kind}" for modality, kind in EVERY])
def test_what_is_drawn_for_a_row_hangs_on_the_seed_and_its_name_alone(
    modality: str, kind: str, inputs: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, schema = inputs(modality)
    names = torch.arange(len(x)) * 7 + 1
    every = corrupt(x, schema, kind=kind, severity=4, seed=5, rows=names)
    assert torch.equal(corrupt(x, schema, kind=kind, severity=4, seed=5, rows=names), every)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(corrupt(x[order], schema, kind=kind, severity=4, seed=5, rows=names[order], reference=x), every[order], atol=1e-6)
    alone = corrupt(x[2:3], schema, kind=kind, severity=4, seed=5, rows=names[2:3], reference=x)
    assert torch.allclose(alone, every[2:3], atol=1e-6)
    monkeypatch.setattr(engine, "_ELEMENTS", 2 * x[0].numel())
    assert torch.allclose(corrupt(x, schema, kind=kind, severity=4, seed=5, rows=names), every, atol=1e-6)


DRAWN = [(modality, kind) for modality, kind in EVERY if kind not in ("brightness", "contrast", "defocus_blur", "jpeg_compression",
         "pixelate", "zoom_blur", "shift")]  # fmt: skip


@pytest.mark.parametrize(("modality", "kind"), DRAWN, ids=[f"{modality}-{kind}" for modality, kind in DRAWN])
def test_another_seed_draws_otherwise_and_severity_0_draws_nothing(modality: str, kind: str, inputs: Cases) -> None:
    x, schema = inputs(modality)
    before = x.clone()
    one, other = (corrupt(x, schema, kind=kind, severity=5, seed=seed) for seed in (0, 1))
    assert not torch.equal(one, other)
    assert torch.equal(corrupt(x, schema, kind=kind, severity=0), x)
    assert torch.equal(x, before)
    assert one.dtype == x.dtype


def test_a_wrong_request_says_what_there_is(people: tuple[Tensor, Schema]) -> None:
    x, schema = people
    with pytest.raises(ConfigurationError, match="did you mean 'noise'"):
        corrupt(x, schema, kind="noize", severity=1)
    with pytest.raises(ConfigurationError, match="severity must be 0 to 5, got 6"):
        corrupt(x, schema, kind="noise", severity=6)
    with pytest.raises(DataError, match=r"shape \(N, 8\), got \(300, 7\)"):
        corrupt(x[:, :7], schema, kind="noise", severity=1)
    with pytest.raises(DataError, match="300 inputs, got 3 names"):
        corrupt(x, schema, kind="noise", severity=1, rows=torch.arange(3))


def linear(schema: Schema, weight: Tensor, bias: Tensor | None = None) -> Classifier:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data, layer.bias.data = weight, torch.zeros(len(weight)) if bias is None else bias
    return Classifier.wrap(layer, schema=schema, classes=tuple("abcdefghij"[: len(weight)]))


@pytest.mark.parametrize("classes", [2, 10])
def test_a_classifier_that_ignores_its_inputs_keeps_its_answers(classes: int, people: tuple[Tensor, Schema]) -> None:
    x, schema = people
    deaf = linear(schema, torch.zeros(classes, 8), torch.linspace(0, 1, classes))
    labels = torch.arange(len(x)) % classes
    found = answers_under_corruption(deaf, x, labels)
    assert found.kinds == CORRUPTIONS["tabular"].ids()
    for answers in found.corrupted.values():
        assert np.array_equal(answers.right, labels.numpy() == classes - 1)
        assert np.allclose(answers.brier, found.clean.brier)


def test_what_is_decided_is_counted_not_what_is_likeliest(people: tuple[Tensor, Schema]) -> None:
    x, schema = people
    deaf = linear(schema, torch.zeros(2, 8), torch.tensor([0.0, -1.0]))  # the event has a probability of 0.269
    events = torch.ones(len(x), dtype=torch.int64)
    likeliest, presumed = (answers_under_corruption(deaf, x, events, kinds=("noise",), threshold=t) for t in (0.5, 0.25))
    assert likeliest.right("noise").sum() == 0
    assert presumed.right("noise").all()
    assert presumed.clean.confidence[0] == pytest.approx(1 / (1 + np.e))
    assert presumed.clean.brier[0] == pytest.approx(2 * (1 - 1 / (1 + np.e)) ** 2)


def test_answers_that_cannot_be_used_are_refused(people: tuple[Tensor, Schema]) -> None:
    x, schema = people
    classifier = linear(schema, torch.ones(2, 8))
    y = torch.zeros(len(x), dtype=torch.int64)
    with pytest.raises(DataError, match="got 0 rows"):
        answers_under_corruption(classifier, x[:0], y[:0])
    with pytest.raises(DataError, match="labels must lie in 0 to 1, got 0 to 2"):
        answers_under_corruption(classifier, x, y + 2 * (torch.arange(len(x)) == 1))
    with pytest.raises(ConfigurationError, match="severities must be of 1 to 5"):
        answers_under_corruption(classifier, x, y, severities=(0, 1))
    fragile = Classifier.wrap(lambda rows: torch.stack([1 - rows.amax(1) / 9, rows.amax(1) / 9], 1), schema=schema, classes=("a", "b"))
    broken = Classifier(lambda rows: torch.where(rows.amax(1, keepdim=True) > 1.5, torch.nan, rows[:, :2]), fragile.description)
    with pytest.raises(DataError, match="under unit_errors of severity 1 with values that are not finite"):
        answers_under_corruption(broken, x, y, kinds=("unit_errors",))


def test_nothing_to_corrupt_is_said() -> None:
    schema = Schema("tabular", (Feature("home", "categorical", categories=("rent", "own")),))
    x, classifier = torch.eye(2), linear(schema, torch.eye(2))
    assert refusals(schema, x)["noise"] == "no feature is a number"
    with pytest.raises(NotApplicableError, match="noise: no feature is a number"):
        answers_under_corruption(classifier, x, torch.tensor([0, 1]), kinds=("noise", "shift"))
    assert answers_under_corruption(classifier, x, torch.tensor([0, 1])).kinds == ("category_noise", "missing_values")


def test_the_known_answers_hold_for_other_seeds() -> None:
    for seed in range(3):
        assert [answer for answer in measure_known_answers(Seed(seed)) if not answer.holds] == []


def seen(gap: float, rows: int, seed: int, times: int = 1) -> Metric:
    """The calibration error of a classifier that is right less often than it says by `gap`."""
    generator = np.random.default_rng(seed)
    confidence = np.tile(0.6 + 0.4 * generator.beta(2, 2, rows), (times, 1))
    return measure_calibration("error", confidence, generator.random(rows) < confidence - gap, Seed(seed), draws=300)


@pytest.mark.parametrize("rows", [250, 1000])
@pytest.mark.parametrize("times", [1, 3])
def test_a_calibrated_classifier_of_few_rows_breaks_no_rule(rows: int, times: int) -> None:
    metrics = [seen(0.0, rows, seed, times) for seed in range(40)]
    assert np.mean([metric.low == 0 for metric in metrics]) >= 0.9
    # The error as it is seen is about 0.05 of 250 rows.
    assert np.median([metric.value for metric in metrics if metric.value is not None]) < 0.025


@pytest.mark.parametrize("gap", [0.1, 0.3])
def test_the_interval_holds_the_error_of_a_classifier_that_is_too_sure(gap: float) -> None:
    metrics = [seen(gap, 500, seed) for seed in range(40)]
    assert np.mean([m.low <= gap <= m.high for m in metrics if m.low is not None and m.high is not None]) >= 0.85
    assert np.mean([m.value for m in metrics if m.value is not None]) == pytest.approx(gap, abs=0.02)


def test_without_chance_the_calibration_error_is_what_its_bins_add_up_to() -> None:
    confidence = np.repeat([0.95, 0.75, 0.55], 4000)
    right = np.concatenate([np.arange(4000) < 4000 * share for share in (0.65, 0.75, 0.95)])
    found = measure_calibration("error", confidence[None], right[None], Seed(0))
    assert found.value == pytest.approx((0.3 + 0.0 + 0.4) / 3, abs=0.01)


def test_fewer_rows_than_bins_have_no_calibration_error() -> None:
    assert measure_calibration("error", np.full((2, 14), 0.9), np.ones((2, 14), dtype=bool), Seed(0)).reason is not None


def test_severities_of_one_kind_share_their_draws(people: tuple[Tensor, Schema]) -> None:
    x, schema = people
    changed = torch.stack([(corrupt(x, schema, kind="category_noise", severity=s) != x).any(1) for s in SEVERITIES])
    # A row that a mild corruption changes, a severe one changes too.
    assert (changed[1:] >= changed[:-1]).all()
