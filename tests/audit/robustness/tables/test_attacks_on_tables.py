"""The attacks on tables against integer programming, enumeration and closed forms, and the laws that their rows keep."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from audit.robustness.attacks import constrained_apgd as apgd_file
from audit.robustness.attacks import evolutionary as evolutionary_file
from audit.robustness.attacks.constrained_apgd import ConstrainedAPGD
from audit.robustness.attacks.evolutionary import Evolutionary
from audit.robustness.attempt import Attempt
from audit.robustness.known_answers import linear_robust
from audit.robustness.method import Attack
from audit.robustness.tables.known_answers import measure_known_answers
from audit.robustness.tables.valid_rows import ValidRows
from classifier import Classifier, Feature, Schema
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.modality import modality_of
from classifier.perturbation import Norm, PerturbationSet
from classifier.seeds import Seed

Table = tuple[Classifier, Tensor, Tensor]
ATTACKS: list[Attack] = [ConstrainedAPGD(), Evolutionary(generations=30, population=16)]
IDS = ["constrained_apgd", "evolutionary"]
RELATIONS = ["none", "at most", "two", "equal"]


@pytest.mark.slow
@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    relation=st.sampled_from(RELATIONS),
    encoding=st.sampled_from(["unit", "natural"]),
    classes=st.sampled_from([2, 3]),
    eps=st.sampled_from([0.15, 0.25, 0.35, 1.0]),
    seed=st.integers(0, 100),
)
def test_the_attacks_together_break_a_row_where_integer_programming_does(
    make_table: Callable[..., Table],
    exact_margins: Callable[..., np.ndarray],
    make_attempt: Callable[..., Attempt],
    relation: str, encoding: str, classes: int, eps: float, seed: int,
) -> None:  # fmt: skip
    classifier, x, y = make_table(relation, seed, encoding=encoding, classes=classes, rows=8)
    attempt = make_attempt(classifier, x, y, eps)
    for attack in (ConstrainedAPGD(), Evolutionary(generations=40)):
        attack(attempt, Seed(seed))
    margins = exact_margins(classifier, x, y, eps)
    clear = np.abs(margins) > 1e-2
    assert clear.any()
    assert (attempt.broken.numpy() == (margins > 0))[clear].all()


@pytest.mark.parametrize("attack", ATTACKS, ids=IDS)
@pytest.mark.parametrize(("norm", "eps"), [("Linf", 0.3), ("Linf", 1.0), ("L2", 1.5), ("L1", 2.3)])
@pytest.mark.parametrize("relation", ["two", "equal"])
def test_every_adversarial_row_keeps_the_schema_the_ball_and_the_box(
    make_table: Callable[..., Table], make_attempt: Callable[..., Attempt], attack: Attack, norm: Norm, eps: float, relation: str
) -> None:
    classifier, x, y = make_table(relation, 3, encoding="natural", classes=3)
    attempt = make_attempt(classifier, x, y, eps, norm)
    attack(attempt, Seed(0))
    broken = attempt.broken
    assert broken.any()
    found, schema = attempt.adversarial[broken], classifier.schema
    allowed = PerturbationSet.around(x, schema, eps=eps, norm=norm)[broken]
    assert modality_of(schema).valid(found).all()
    assert (classifier.predict(found) != y[broken]).all()
    assert (allowed.distance(found) <= eps * (1 + 1e-5)).all()
    assert ((found >= allowed.lower) & (found <= allowed.upper)).all()
    before, after = schema.decode(x[broken]), schema.decode(found)
    assert (after["age"] == before["age"]).all()
    assert (after["rooms"] >= before["rooms"]).all()
    assert (after["debt"] <= before["debt"] + 1e-6).all()
    assert torch.equal(attempt.adversarial[~broken], x[~broken])


def test_a_category_is_exchanged_only_where_the_ball_has_room_for_the_whole_of_it(make_table: Callable[..., Table]) -> None:
    classifier, x, _ = make_table("none", 0)
    group = classifier.schema.groups["home"]
    for norm, eps, loose in [("Linf", 0.9, False), ("Linf", 1.0, True), ("L2", 1.4, False), ("L2", 1.5, True), ("L1", 1.9, False)]:
        space = ValidRows(PerturbationSet.around(x, classifier.schema, eps=eps, norm=norm), modality_of(classifier.schema))  # type: ignore[arg-type]
        assert bool((space.allowed.lower[:, group] < space.allowed.upper[:, group]).all()) == loose


@pytest.mark.parametrize("relation", ["at most", "two", "equal"])
@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
def test_most_random_rows_are_settled_and_what_is_called_settled_is_valid(
    make_table: Callable[..., Table], relation: str, norm: Norm
) -> None:
    classifier, x, _ = make_table(relation, 1, encoding="natural")
    modality = modality_of(classifier.schema)
    allowed = PerturbationSet.around(x, classifier.schema, eps=0.6, norm=norm)
    space = ValidRows(allowed.in_units(), modality)
    rows = torch.arange(len(x)).repeat(50)
    u = allowed.in_units().centre[rows] + 1.2 * torch.rand(len(rows), x.shape[1], generator=torch.Generator().manual_seed(0)) - 0.6
    settled, good = space.settle(u, rows)
    assert good.double().mean() > 0.95
    assert modality.valid(settled[good] * classifier.schema.scale).all()
    assert (space.allowed[rows[good]].distance(settled[good]) <= 0.6 * (1 + 1e-5)).all()
    assert (space.violation(settled[good]) < 1e-3).all()


def test_what_keeps_the_relations_already_is_not_moved(make_table: Callable[..., Table]) -> None:
    classifier, x, _ = make_table("two", 0)
    space = ValidRows(PerturbationSet.around(x, classifier.schema, eps=1.0), modality_of(classifier.schema))
    settled, good = space.settle(x, torch.arange(len(x)))
    assert good.all()
    torch.testing.assert_close(settled, x)


@pytest.mark.parametrize("attack", ATTACKS, ids=IDS)
def test_without_a_law_the_closed_form_of_a_linear_classifier_is_met(make_attempt: Callable[..., Attempt], attack: Attack) -> None:
    generator = torch.Generator().manual_seed(0)
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", low=0.0, high=1.0) for i in range(6)))
    module = nn.Linear(6, 3)
    module.weight.data, module.bias.data = torch.randn(3, 6, generator=generator), torch.zeros(3)
    classifier = Classifier.wrap(module, schema=schema, classes=("a", "b", "c"))
    x = torch.rand(100, 6, generator=generator)
    y = classifier.predict(x)
    attempt = make_attempt(classifier, x, y, 0.2, law=False)
    attack(attempt, Seed(0))
    assert torch.equal(~attempt.broken, linear_robust(module.weight.data, module.bias.data, x, y, 0.2))


@pytest.mark.parametrize("attack", ATTACKS, ids=IDS)
def test_neither_chunks_nor_the_order_of_rows_change_what_is_found(
    make_table: Callable[..., Table], make_attempt: Callable[..., Attempt], attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier, x, y = make_table("two", 5, classes=3)
    whole = make_attempt(classifier, x, y, 0.3)
    attack(whole, Seed(1))
    monkeypatch.setattr(apgd_file, "chunk_size", lambda shape: 7 * 16)
    monkeypatch.setattr(evolutionary_file, "chunk_size", lambda shape: 7)
    order = torch.arange(len(x)).flip(0)
    parts = make_attempt(classifier, x[order], y[order], 0.3, names=order)
    attack(parts, Seed(1))
    assert whole.broken.any()
    assert torch.equal(parts.broken[order], whole.broken)
    torch.testing.assert_close(parts.adversarial[order], whole.adversarial)


@pytest.mark.parametrize("attack", ATTACKS, ids=IDS)
@pytest.mark.parametrize("mutable", [False, True], ids=["fixed year", "free year"])
@pytest.mark.parametrize("low", [0.0, 1990.0, 100_000.0])
def test_a_large_whole_number_does_not_hide_what_breaks_a_row(
    make_attempt: Callable[..., Attempt], attack: Attack, mutable: bool, low: float
) -> None:
    """A year over its range and back is off by a rounding, which is neither an invalid row nor a step less."""
    features = (Feature("year", "integer", low=low, high=low + 7, mutable=mutable), Feature("n", "integer", low=0.0, high=10.0))
    layer = nn.Linear(2, 2)
    layer.weight.data, layer.bias.data = torch.tensor([[0.0, 0.0], [0.0, 1.0]]), torch.tensor([0.0, -5.5])
    classifier = Classifier.wrap(layer, schema=Schema("tabular", features, encoding="natural"), classes=("a", "b"))
    years, counts = torch.arange(8.0) + low, torch.arange(3.0, 9.0)
    x = torch.cartesian_prod(years, counts)
    attempt = make_attempt(classifier, x, classifier.predict(x), 0.3)
    attack(attempt, Seed(0))
    assert attempt.broken.all()
    assert modality_of(classifier.schema).valid(attempt.adversarial).all()
    assert (attempt.adversarial == attempt.adversarial.round()).all()
    assert mutable or torch.equal(attempt.adversarial[:, 0], x[:, 0])


def test_a_step_of_a_large_whole_number_is_not_lost_in_another_unit_and_back() -> None:
    for low, span in itertools.product((1990.0, 5000.0), (3, 7, 11, 13)):
        schema = Schema("tabular", (Feature("year", "integer", low=low, high=low + span),), encoding="natural")
        centre = torch.arange(low, low + span)[:, None]
        there = (centre + 1) / schema.scale * schema.scale
        assert torch.equal(modality_of(schema).repair(there, centre), centre + 1)


def test_evolution_finds_the_nearest_wrong_row_of_all_where_eps_is_infinite(make_attempt: Callable[..., Attempt]) -> None:
    generator = torch.Generator().manual_seed(4)
    schema = Schema("tabular", tuple(Feature(name, "integer", low=0.0, high=8.0) for name in "abc"))
    module = nn.Linear(3, 2)
    module.weight.data = torch.randn(2, 3, generator=generator)
    module.bias.data = -module.weight.data @ torch.tensor([0.47, 0.54, 0.51])
    classifier = Classifier.wrap(module, schema=schema, classes=("a", "b"))
    lattice = torch.cartesian_prod(*[torch.arange(9)] * 3) / 8
    x = lattice[torch.randperm(len(lattice), generator=generator)[:15]]
    y = classifier.predict(x)
    attempt = make_attempt(classifier, x, y, torch.inf, "L2")
    Evolutionary(generations=60)(attempt, Seed(0))
    wrong = classifier.predict(lattice) != y[:, None]
    nearest = (lattice - x[:, None]).norm(dim=2).masked_fill(~wrong, torch.inf).amin(1)
    torch.testing.assert_close(attempt.distance, nearest)


def test_evolution_asks_for_no_gradient_and_breaks_a_black_box_of_ten_classes(
    make_table: Callable[..., Table], make_attempt: Callable[..., Attempt]
) -> None:
    network, x, y = make_table("two", 2, classes=10)
    box = Classifier.wrap(network.probabilities, schema=network.schema, classes=network.classes)
    of_network, of_box = make_attempt(network, x, y, 0.3), make_attempt(box, x, y, 0.3)
    for attempt in (of_network, of_box):
        ATTACKS[1](attempt, Seed(0))
    assert of_box.broken.any()
    assert torch.equal(of_box.broken, of_network.broken)
    assert not of_box.gradients.any()


@pytest.mark.parametrize("attack", ATTACKS, ids=IDS)
def test_one_row_and_rows_that_cannot_change_are_no_trouble(
    make_table: Callable[..., Table], make_attempt: Callable[..., Attempt], attack: Attack
) -> None:
    classifier, x, y = make_table("equal", 0)
    alone = make_attempt(classifier, x[:1], y[:1], 0.0)
    attack(alone, Seed(0))
    assert not alone.broken.any()
    gone = make_attempt(classifier, x[:1], y[:1], 1.0)
    gone.broken[:] = True
    attack(gone, Seed(0))
    assert not gone.queries.any()


@pytest.mark.parametrize("attack", ATTACKS, ids=IDS)
def test_what_is_no_table_is_refused(attack: Attack) -> None:
    schema = Schema("image", (Feature("grey", "continuous", low=0.0, high=1.0),), size=(4, 4))
    x = torch.rand(2, *schema.shape)
    attempt = Attempt(
        lambda x: x.flatten(1)[:, :2],
        PerturbationSet.around(x, schema, eps=0.1),
        torch.zeros(2).long(),
        torch.arange(2),
        modality_of(schema),
    )
    with pytest.raises(NotApplicableError, match="features of a table"):
        attack(attempt, Seed(0))


def test_impossible_options_are_refused(make_table: Callable[..., Table], make_attempt: Callable[..., Attempt]) -> None:
    for options in ({"steps": 0}, {"restarts": 0}):
        with pytest.raises(ConfigurationError):
            ConstrainedAPGD(**options)
    for options in ({"generations": 0}, {"population": 1}):
        with pytest.raises(ConfigurationError):
            Evolutionary(**options)
    classifier, x, y = make_table("none", 0)
    with pytest.raises(ConfigurationError, match="finite eps"):
        ConstrainedAPGD()(make_attempt(classifier, x, y, torch.inf), Seed(0))


def test_the_known_answers_are_met() -> None:
    answers = measure_known_answers(Seed(7))
    assert {answer.id for answer in answers} == {"robustness.valid_rows", "robustness.feature_costs"}
    assert all(answer.holds for answer in answers), answers
