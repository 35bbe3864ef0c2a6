"""What one step does: its loss, its rate, its pieces, and what the device cannot do."""

from __future__ import annotations

from dataclasses import replace
from math import cos, pi

import pytest
import torch
from torch import nn

from classifier import Classifier, Dataset, Splits
from classifier.errors import ConfigurationError, ModelError
from trainer import Recipe, train
from trainer.acceleration import Acceleration
from trainer.objective import Objective, class_weights
from trainer.optimizing import learning_rate

RECIPE = Recipe("mlp", hidden=(8,), epochs=5, patience=None)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return Dataset.builtin("moons").split(seed=0)


def largest_difference(one: Classifier, other: Classifier) -> float:
    assert one.module is not None
    assert other.module is not None
    return max((a - b).abs().max().item() for a, b in zip(one.module.parameters(), other.module.parameters(), strict=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_pieces_of_a_batch_sum_to_torchs_mean_loss(smoothing: float, weighted: bool) -> None:
    x, y = torch.randn(30, 4), torch.randint(0, 3, (30,))
    weights = torch.tensor([0.5, 1.0, 3.0]) if weighted else None
    network, objective = nn.Linear(4, 3), Objective(weights, smoothing)
    whole = nn.CrossEntropyLoss(weights, label_smoothing=smoothing)(network(x), y)
    # Torch divides smoothed losses by the weights of the labels too.
    parts = sum(objective.total(network, x[rows], y[rows]) for rows in torch.arange(30).split(7))
    assert torch.allclose(parts / objective.size(y), whole, atol=1e-6)


def test_class_weights_are_inverse_frequencies_where_classes_are_uneven() -> None:
    labels = torch.tensor([0] * 6 + [1] * 2)
    expected = torch.tensor([8 / 12, 8 / 4])
    for choice in ("auto", "balanced"):
        weights = class_weights(choice, labels, 2)
        assert weights is not None
        assert torch.allclose(weights, expected)
    assert class_weights("none", labels, 2) is None
    assert class_weights("auto", torch.tensor([0, 1, 0, 1]), 2) is None


@pytest.mark.parametrize(
    ("schedule", "progress", "share"),
    [("constant", 0.9, 1.0), ("linear", 0.5, 0.5), ("cosine", 0.25, (1 + cos(pi / 4)) / 2), ("linear", 0.0, 1.0), ("cosine", 1.0, 0.0)],
)
def test_a_schedule_falls_as_its_name_says(schedule: str, progress: float, share: float) -> None:
    recipe = replace(RECIPE, schedule=schedule, learning_rate=0.4)  # type: ignore[arg-type]
    assert learning_rate(recipe, progress) == pytest.approx(0.4 * share)


def test_the_rate_rises_over_the_warm_up_and_falls_over_the_rest() -> None:
    recipe = replace(RECIPE, schedule="linear", warmup=0.2, learning_rate=1.0)
    assert [learning_rate(recipe, p) for p in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.0])


@pytest.mark.parametrize("accumulate", [2, 5])
def test_accumulated_pieces_make_the_step_of_the_whole_batch(splits: Splits, accumulate: int) -> None:
    whole, pieces = (train(splits, replace(RECIPE, accumulate=count), progress=False) for count in (1, accumulate))
    assert largest_difference(whole, pieces) < 1e-4
    assert largest_difference(whole, train(splits, replace(RECIPE, seed=1), progress=False)) > 1e-2


def test_clipping_bounds_a_steps_gradient() -> None:
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3.0, 4.0])
    Acceleration(torch.device("cpu")).step(torch.optim.SGD([parameter], lr=1.0), clip_norm=0.5)
    assert parameter.tolist() == pytest.approx([-0.3, -0.4], abs=1e-5)


def test_half_precision_is_refused_with_a_note_where_the_device_has_none(splits: Splits) -> None:
    half = train(splits, replace(RECIPE, precision="float16"), device="cpu", progress=False)
    assert half.card["training"]["notes"] == ["trained in float32: a cpu has no float16 here"]
    assert half.digest == train(splits, RECIPE, device="cpu", progress=False).digest


def test_bfloat16_products_train_to_nearly_the_same(splits: Splits) -> None:
    plain, mixed = (
        train(splits, replace(RECIPE, precision=precision), device="cpu", progress=False) for precision in ("float32", "bfloat16")
    )  # type: ignore[arg-type]
    assert mixed.card["training"]["notes"] == []
    assert 0 < largest_difference(plain, mixed) < 0.1


def test_a_network_that_does_not_compile_is_trained_as_it_is_and_says_why(monkeypatch: pytest.MonkeyPatch, splits: Splits) -> None:
    def fail(network: nn.Module) -> nn.Module:
        raise RuntimeError("there is no compiler\nand more lines")

    monkeypatch.setattr(torch, "compile", fail)
    compiled = train(splits, replace(RECIPE, compile=True), progress=False)
    assert compiled.card["training"]["notes"] == ["not compiled: there is no compiler"]
    assert compiled.digest == train(splits, RECIPE, progress=False).digest


def test_a_network_whose_gradients_do_not_compile_is_trained_as_it_is_and_keeps_its_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))

    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, *gradients: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no kernel for this gradient")

    monkeypatch.setattr(torch, "compile", lambda module: lambda x: Broken.apply(module(x)))
    acceleration = Acceleration(torch.device("cpu"), compile=True)
    assert acceleration.prepared(network, [torch.rand(4, 2)]) is network
    assert acceleration.notes == ["not compiled: no kernel for this gradient"]
    assert network[1].num_batches_tracked == 0
    assert network[1].running_mean.tolist() == [0, 0, 0]
    assert network[0].weight.grad is None


def test_a_network_that_does_not_run_in_half_precision_is_trained_in_single_and_says_why() -> None:
    class Picky(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer = super().forward(x)
            if answer.dtype == torch.bfloat16:
                raise RuntimeError("could not create a primitive")
            return answer

    acceleration = Acceleration(torch.device("cpu"), torch.bfloat16)
    acceleration.prepared(Picky(2, 2), [torch.rand(4, 2)])
    assert acceleration.dtype is None
    assert acceleration.notes == ["trained in float32: in bfloat16 the network does not run: could not create a primitive"]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_loss_that_stays_a_number_but_runs_away_stops_too(splits: Splits, optimizer: str) -> None:
    recipe = replace(RECIPE, epochs=20, optimizer=optimizer, learning_rate=1e6)  # type: ignore[arg-type]
    with pytest.raises(
        ModelError, match=r"the loss is [\d.e+]+ in step \d+ of epoch \d+ at learning_rate 1000000.0; try learning_rate = 100000"
    ):
        train(splits, recipe, progress=False)


def test_a_loss_that_blows_up_names_the_step(splits: Splits) -> None:
    with pytest.raises(ModelError, match=r"in step \d+ of epoch \d+ at learning_rate 1e\+30; try learning_rate = 1e\+29"):
        train(splits, replace(RECIPE, optimizer="sgd", learning_rate=1e30), progress=False)


def test_the_record_tells_what_the_run_cost(splits: Splits) -> None:
    record = train(splits, replace(RECIPE, schedule="linear"), progress=False).card["training"]
    assert record["seconds"] > 0
    assert record["hardware"]["device"]
    assert record["energy"]["watt_hours"] >= 0
    assert record["energy"]["source"]
    # The rate in the middle of each epoch.
    assert record["learning_rate"] == pytest.approx([1e-3 * share for share in (0.9, 0.7, 0.5, 0.3, 0.1)])


def test_the_recorded_loss_is_the_mean_over_all_rows_by_their_weights(splits: Splits) -> None:
    """At a rate that changes nothing, in batches of different sizes and mixes of classes."""
    recipe = replace(RECIPE, epochs=1, batch_size=7, learning_rate=1e-30, optimizer="sgd", class_weights="balanced")
    uneven = replace(splits, train=splits.train[splits.train.labels.numpy().cumsum() % 4 != 3])
    classifier = train(uneven, recipe, progress=False)
    record = classifier.card["training"]
    logits, weight = classifier.logits(uneven.train.inputs), torch.tensor(record["class_weights"])
    expected = nn.functional.cross_entropy(logits, uneven.train.labels, weight=weight)
    assert record["loss"]["train"][0] == pytest.approx(expected.item(), rel=1e-5)


def test_a_warm_up_steps_from_the_first_step_on(splits: Splits) -> None:
    recipe = replace(RECIPE, epochs=1, batch_size=1000, warmup=0.5)
    slow, fast = (train(splits, replace(recipe, learning_rate=rate), progress=False) for rate in (1e-3, 1e-2))
    assert largest_difference(slow, fast) > 1e-4


def test_a_device_that_is_not_there_is_refused(splits: Splits) -> None:
    with pytest.raises(ConfigurationError, match="there is no device 'tpu' here"):
        train(splits, RECIPE, device="tpu", progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"warmup": 1.0}, "warmup must be a share"),
        ({"label_smoothing": -0.1}, "label_smoothing must be a share"),
        ({"clip_norm": 0.0}, "clip_norm must be above 0"),
        ({"accumulate": 0}, "accumulate must be at least 1"),
        ({"optimizer": "lion"}, "optimizer must be adam, adamw or sgd, got 'lion'"),
        ({"schedule": "step"}, "schedule must be constant, linear or cosine"),
        ({"precision": "int8"}, "precision must be float32, bfloat16 or float16"),
        ({"options": {"widht": 3}}, "the architecture 'mlp' has no option 'widht'"),
        ({"options": {"hidden": 32}}, "hidden of 'mlp' must be a list of whole numbers, got 32"),
        ({"options": {"dropout": "0.1"}}, "dropout of 'mlp' must be a number, got '0.1'"),
        ({"hidden": (3,), "options": {"hidden": (4,)}}, "hidden stands twice"),
        ({"epochs": "5"}, "epochs must be a whole number, got '5'"),
        ({"epochs": 2.5}, "epochs must be a whole number, got 2.5"),
        ({"epochs": None}, "epochs must be a whole number, got None"),
        ({"learning_rate": None}, "learning_rate must be a number, got None"),
        ({"hidden": 32}, "hidden must be a list of whole numbers, got 32"),
        ({"compile": "yes"}, "compile must be true or false, got 'yes'"),
        ({"seed": True}, "seed must be a whole number, got True"),
        ({"robust": "pgd"}, "robust must be a Robust, got 'pgd'"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Recipe(**{"architecture": "mlp", **options})  # type: ignore[arg-type]
