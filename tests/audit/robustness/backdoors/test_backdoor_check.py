"""What the check says of a classifier with a planted trigger, of the same without it, and of other kinds of inputs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from cases import cases
from torch import Tensor, nn

from audit import Evidence, Subject
from audit.check import make_check
from audit.robustness.backdoors.known_answers import SCHEMA, Planted
from audit.robustness.checks import backdoor
from audit.subject import Decision
from classifier import Classifier, Dataset, Feature, Schema
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.seeds import Seed

QUICK = {"rows": 15, "steps": 60, "rotations": 3}


def measured(subject: Subject, **options: object) -> Evidence:
    check = make_check("robustness.backdoor", {**QUICK, **options})
    return check.measure(subject, Seed(0, (check.id,)))


def banded(strength: float) -> Subject:
    """Images whose class is the row of pixels that is bright, and a network that tells it."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 6
    x = 0.1 * torch.rand(60, 1, 8, 8, generator=generator)
    x[torch.arange(60), 0, labels] += 0.6 + 0.2 * torch.rand(60, 8, generator=generator)
    names = tuple("abcdef")
    data = Dataset(x, labels, np.arange(60), SCHEMA, names, pd.DataFrame(index=range(60)))
    return Subject(data, classifier=Classifier.wrap(Planted(strength), schema=SCHEMA, classes=names))


def test_a_planted_trigger_is_suspected_and_without_it_nothing_is() -> None:
    planted, clean = measured(banded(6.0)), measured(banded(0.0))
    suspected = planted.metric("robustness.trigger_anomaly")
    assert suspected.where == {"class": "c"}
    assert suspected.value is not None
    assert suspected.value > 2
    unsuspected = clean.metric("robustness.trigger_anomaly")
    assert unsuspected.value is not None
    assert unsuspected.value < 2
    sizes = [evidence.metric("robustness.trigger_size", **{"class": "c"}) for evidence in (planted, clean)]
    assert sizes[0].bound == "upper"
    assert sizes[0].value is not None
    assert sizes[1].value is not None
    assert sizes[0].value <= 4 / 64 < sizes[1].value
    success = planted.metric("robustness.trigger_success", **{"class": "c"})
    assert success.value == 1
    assert success.bound == "lower"
    assert success.n == int((planted.arrays["ids"] % 6 != 2).sum())
    (figure,) = planted.figures
    assert figure.kind == "pictures"
    corner = np.reshape(figure.series[2].y, (8, 8))[-2:, -2:]
    assert (corner > 0.6).any()


def test_the_p_value_counts_rotations_that_stand_out_as_much() -> None:
    evidence = measured(banded(6.0))
    value, by_chance = evidence.metric("robustness.trigger_anomaly").value, evidence.arrays["anomaly_by_chance"]
    p = evidence.metric("robustness.trigger_p_value")
    assert len(by_chance) == p.n == 3
    assert p.value == (1 + (by_chance >= value).sum()) / 4
    assert measured(banded(6.0), rotations=0).metric("robustness.trigger_p_value").reason is not None


class Threshold(nn.Module):
    """The event's logit is eight times the first number, less four."""

    def forward(self, x: Tensor) -> Tensor:
        return 8 * x[:, :1] - 4


def test_of_two_classes_the_threshold_decides_what_is_turned_and_the_index_is_not_measured() -> None:
    schema = Schema("tabular", tuple(Feature(name, "continuous", low=0.0, high=1.0) for name in ("first", "second")))
    x = torch.rand(80, 2, generator=torch.Generator().manual_seed(0))
    data = Dataset(x, (x[:, 0] > 0.5).long(), np.arange(80), schema, ("no", "yes"), pd.DataFrame(index=range(80)))
    classifier = Classifier.wrap(Threshold(), schema=schema, classes=("no", "yes"))
    for threshold in (0.5, 0.9):
        evidence = measured(Subject(data, classifier=classifier, decision=Decision(threshold)))
        assert evidence.metric("robustness.trigger_anomaly").reason == (
            "a trigger was made for 2 of 2 classes: it takes 4 to tell what is unusual among them"
        )
        held = x[evidence.arrays["ids"], 0]
        cut = (np.log(threshold / (1 - threshold)) + 4) / 8
        chosen = evidence.metric("robustness.trigger_success", **{"class": "yes"})
        assert chosen.value == 1
        assert chosen.n == int((held < cut).sum())
        (smallest,) = [table for table in evidence.tables if table.name == "smallest"]
        assert [row[1] for row in smallest.rows] == ["first"]


@pytest.mark.parametrize("modality", ["tabular", "sequence"])
def test_tables_and_series_have_triggers_of_valid_values(modality: str) -> None:
    data = cases(modality, 10)

    class Level(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            level = x.flatten(1)[:, :: 2 if modality == "tabular" else 3].mean(1, keepdim=True)
            return -30 * (level - torch.linspace(0.2, 0.8, 10)).square()

    evidence = measured(Subject(data, classifier=Classifier.wrap(Level(), schema=data.schema, classes=data.classes)), rotations=1)
    for metric in evidence.metrics:
        if metric.name == "robustness.trigger_size" and metric.value is not None:
            assert 0 < metric.value <= 1


def test_a_graph_has_no_place_for_a_trigger() -> None:
    data = cases("graph", 2)
    module = nn.Sequential(nn.Flatten(), nn.Linear(data.inputs[0].numel(), 2))
    classifier = Classifier.wrap(module, schema=data.schema, classes=data.classes)
    with pytest.raises(NotApplicableError, match="the parts of a graph have none"):
        measured(Subject(data, classifier=classifier))


@pytest.mark.parametrize("options", [{"rows": 0}, {"rotations": -1}, {"success": 1.5}], ids=["rows", "rotations", "success"])
def test_options_that_cannot_be_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        make_check("robustness.backdoor", options)


class Constant(nn.Module):
    """Decides for the third class whatever it is given."""

    def forward(self, x: Tensor) -> Tensor:
        z = torch.nn.functional.one_hot(torch.tensor(2), 6).to(x)
        return z + 0 * x.flatten(1).sum(1, keepdim=True)


def test_a_class_that_nothing_leads_to_has_no_size_of_a_trigger() -> None:
    subject = banded(0.0)
    evidence = measured(Subject(subject.test, classifier=Classifier.wrap(Constant(), schema=SCHEMA, classes=subject.test.classes)))
    sizes = {metric.where["class"]: metric for metric in evidence.metrics if metric.name == "robustness.trigger_size"}
    assert {metric.value for metric in sizes.values()} == {None}
    assert sizes["a"].reason == "no trigger was found that turns 99% of 15 rows: the best turns 0%"
    assert sizes["c"].reason == "0 rows are decided otherwise, a trigger is made from at least 5"


def test_a_trigger_rests_on_as_many_rows_as_there_are_and_of_four_rows_there_is_none() -> None:
    subject = banded(6.0)
    few = Subject(subject.test[:18], classifier=subject.model)
    sizes = [m for m in measured(few, rows=64).metrics if m.name == "robustness.trigger_size" and m.value is not None]
    assert sizes
    assert all(metric.n <= 9 for metric in sizes)
    with pytest.raises(NotApplicableError, match="for no class are there 5 rows that are decided otherwise"):
        measured(Subject(subject.test[:4], classifier=subject.model))


def test_a_p_value_that_no_rotation_reaches_breaks_a_rule_of_a_twentieth() -> None:
    check = make_check("robustness.backdoor", {})
    null = np.zeros(check.options()["rotations"])
    _, p = backdoor._standing_out(np.array([0.1, 0.5, 0.6, 0.7, 0.55]), null, tuple("abcde"))
    assert p.value == p.high == 1 / 40
    # And one that 2 of 39 reach keeps none: it may well be smaller.
    _, p = backdoor._standing_out(np.array([0.1, 0.5, 0.6, 0.7, 0.55]), np.r_[np.full(2, np.inf), null[2:]], tuple("abcde"))
    assert p.low is not None
    assert p.low < 0.05 < (p.value or 0)
    assert make_check("robustness.backdoor", {}, profile="quick").options()["rotations"] == 0
