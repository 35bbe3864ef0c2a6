"""The checks of proven robustness: planted weakness moves their numbers, and order and nesting hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from audit import Subject, run
from audit.check import make_check
from audit.evidence import Evidence
from audit.report.html import render_html
from audit.robustness import attack, certify, sandwich
from audit.robustness.certificates.exact import Exact, exact_robust
from audit.subject import Decision
from classifier import Classifier, Dataset
from classifier.errors import ConfigurationError, InternalError
from classifier.seeds import Seed

EPS = (0.02, 0.05, 0.1)


def measured(check: str, subject: Subject, **options: Any) -> Evidence:
    return make_check(check, options).measure(subject, Seed(0, (check,)))


def values(evidence: Evidence, name: str, key: str, **where: Any) -> list[float]:
    """The values of a metric in the order of what it was measured at."""
    found = [metric for metric in evidence.metrics if metric.name == name and where.items() <= metric.where.items()]
    assert all(metric.value is not None for metric in found), [metric.reason for metric in found]
    return [metric.value for metric in sorted(found, key=lambda metric: float(metric.where[key])) if metric.value is not None]


@pytest.fixture(scope="module")
def loans() -> Dataset:
    """Rows that two numbers tell apart, with a whole number, a category and a feature that cannot change."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": generator.random(120),
            "b": generator.random(120),
            "months": generator.integers(1, 6, 120),
            "home": generator.choice(["rent", "own"], 120),
            "age": generator.random(120),
        }
    )
    bad = frame["a"] + frame["b"] > 1
    frame["y"] = np.where(bad, "bad", "good")
    # Tells the class as well as a and b do, by very little.
    frame["code"] = np.where(bad, 0.51, 0.49) + generator.normal(0, 0.001, 120)
    features = {"age": {"mutable": False}, "months": {"kind": "integer"}, "code": {"low": 0.0, "high": 1.0}}
    return Dataset.from_frame(frame, target="y", event="bad", features=features)


def network(dataset: Dataset, *, steep: float = 0.0, shortcut: bool = False) -> Classifier:
    """A ReLU network that decides by a + b and by `steep` times the inputs that tell nothing; or by the code alone."""
    schema = dataset.schema
    first, second = nn.Linear(len(schema.columns), 4), nn.Linear(4, 2)
    code = schema.groups["code"].start
    with torch.no_grad():
        first.weight.fill_(steep)
        first.weight[3] = -steep
        first.weight[:2] = first.weight[:, code] = 0
        first.weight[:, :2] = 0
        first.weight[0, :2], first.weight[1, :2] = 1, -1
        first.bias.copy_(torch.tensor([-1.0, 1.0, -1.5 * steep, 1.5 * steep]))
        if shortcut:
            first.weight.fill_(0)
            first.weight[0, code], first.weight[1, code] = 50, -50
            first.bias.copy_(torch.tensor([-25.0, 25.0, 0.0, 0.0]))
        second.weight.copy_(torch.tensor([[-4.0, 4.0, -4.0, 4.0], [4.0, -4.0, 4.0, -4.0]]))
        second.bias.zero_()
    return Classifier.wrap(nn.Sequential(first, nn.ReLU(), second), schema=dataset.schema, classes=dataset.classes)


@pytest.fixture(scope="module")
def bounded(loans: Dataset) -> Callable[..., Evidence]:
    def of(**options: Any) -> Evidence:
        planted = {name: options.pop(name) for name in ("steep", "shortcut") if name in options}
        threshold = options.pop("threshold", 0.5)
        subject = Subject(loans, classifier=network(loans, **planted), decision=Decision(threshold), independence="held out")
        return measured("robustness.bounds", subject, **{"eps": EPS, "limit": 40, "exact": 15, **options})

    return of


def test_proven_exact_and_attacked_come_in_this_order_and_fall_with_eps(bounded: Callable[..., Evidence], loans: Dataset) -> None:
    evidence, classifier = bounded(steep=0.3), network(loans, steep=0.3)
    chosen = np.isin(loans.ids, evidence.arrays["ids"])
    x, y, asked = loans.inputs[chosen], loans.labels[chosen], evidence.arrays["exact_asked"]
    assert asked.sum() == 15
    for kind in ("any", "valid"):
        proven = values(evidence, "robustness.certified_accuracy", "eps", rows=kind)
        assert proven == sorted(proven, reverse=True)
        exact = values(evidence, "robustness.exact_accuracy", "eps", rows=kind)
        assert exact == sorted(exact, reverse=True)
        for eps in EPS:
            robust, state = evidence.arrays[f"certified_{kind}_{eps:g}"], evidence.arrays[f"exact_{kind}_{eps:g}"]
            standing = attack(classifier, x, y, eps=eps, constrained=kind == "valid").robust.numpy()
            assert not (robust & (state == 0)).any()
            assert not (robust & ~standing).any()
            assert not ((state == 1) & ~standing).any()
            assert (state[asked] >= 0).all()
            assert not (evidence.arrays[f"certified_any_{eps:g}"] & ~evidence.arrays[f"certified_valid_{eps:g}"]).any()
    assert {metric.bound for metric in evidence.metrics if metric.name == "robustness.certified_accuracy"} == {"lower"}


@pytest.mark.slow
def test_a_network_that_hangs_on_a_shortcut_is_proven_for_no_row(bounded: Callable[..., Evidence]) -> None:
    clean, planted = bounded(), bounded(shortcut=True)
    for name in ("robustness.certified_accuracy", "robustness.exact_accuracy"):
        assert values(clean, name, "eps", rows="any")[0] > 0.75
        assert values(planted, name, "eps", rows="any") == [0.0, 0.0, 0.0]


def test_valid_rows_are_proven_where_any_rows_fall(bounded: Callable[..., Evidence]) -> None:
    evidence = bounded(steep=3.0, eps=(0.1,))
    # At 0.1 of the range no whole number of 1 to 5 moves and no category changes: only a and b do.
    any_, valid = (values(evidence, "robustness.certified_accuracy", "eps", rows=kind)[0] for kind in ("any", "valid"))
    assert valid > any_
    assert values(evidence, "robustness.exact_accuracy", "eps", rows="valid") >= values(
        evidence, "robustness.exact_accuracy", "eps", rows="any"
    )


def test_the_table_counts_every_row_once(bounded: Callable[..., Evidence]) -> None:
    evidence = bounded(steep=1.0)
    methods, exact = evidence.tables
    for row in methods.rows:
        assert sum(cell for cell in row[2:] if isinstance(cell, int)) == 40
    for row in exact.rows:
        assert sum(cell for cell in row[3:6] if isinstance(cell, int)) == 15


@pytest.mark.slow
def test_the_threshold_decides_what_is_proven(bounded: Callable[..., Evidence], loans: Dataset) -> None:
    evidence, classifier = bounded(threshold=0.02), network(loans)
    chosen = np.isin(loans.ids, evidence.arrays["ids"])
    x, y = loans.inputs[chosen], loans.labels[chosen]
    for eps in EPS:
        proven = evidence.arrays[f"certified_any_{eps:g}"]
        # A linear decision: bounds tell all, and a and b each move by eps.
        odds = classifier.logits(x) @ torch.tensor([-1.0, 1.0]) - torch.tensor(0.02).logit()
        lowest = classifier.logits((x - eps).clamp(0, 1)) @ torch.tensor([-1.0, 1.0]) - torch.tensor(0.02).logit()
        highest = classifier.logits((x + eps).clamp(0, 1)) @ torch.tensor([-1.0, 1.0]) - torch.tensor(0.02).logit()
        truth = ((odds >= 0).long() == y) & torch.where(odds >= 0, lowest > 0, highest < 0)
        assert np.array_equal(proven, truth.numpy())
        assert not np.array_equal(proven, bounded().arrays[f"certified_any_{eps:g}"])


@pytest.mark.slow
def test_undecided_rows_give_no_exact_number(bounded: Callable[..., Evidence], monkeypatch: pytest.MonkeyPatch) -> None:
    def some(classifier: Classifier, x: Tensor, y: Tensor, **options: Any) -> Exact:
        found = exact_robust(classifier, x, y, **options)
        # One that no bound proves: what is proven is known, even where the search does not get there.
        proven = certify(classifier, x, y, eps=options["eps"], constrained=options["constrained"])
        lost = ~proven & ((~proven).cumsum(0) == 1)
        return replace(found, decided=found.decided & ~lost, robust=found.robust & ~lost)

    monkeypatch.setattr("audit.robustness.sandwich.exact_robust", some)
    evidence = bounded(steep=3.0, exact=40, eps=(0.05,))
    metric = evidence.metric("robustness.exact_accuracy", rows="any")
    assert metric.value is None
    assert metric.reason == "1 of 40 rows were not decided within the limits of the search"
    assert [row[5] for row in evidence.tables[1].rows] == [1, 1]
    assert not [metric for metric in bounded(exact=0).metrics if metric.name == "robustness.exact_accuracy"]


def test_a_layer_that_cannot_be_bounded_is_named(loans: Dataset) -> None:
    width = len(loans.schema.columns)
    module = nn.Sequential(nn.Linear(width, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2))
    subject = Subject(loans, classifier=Classifier.wrap(module, schema=loans.schema, classes=loans.classes))
    audit = run(subject, only=("robustness.bounds",), progress=False)
    assert audit["robustness.bounds"].not_run == "not certifiable: LayerNorm at 1"


def smoothed(loans: Dataset, classifier: Classifier, **options: Any) -> Evidence:
    subject = Subject(loans, classifier=classifier, independence="held out")
    return measured("robustness.smoothing", subject, **{"limit": 30, "n": 400, "n0": 40, **options})


def test_more_radius_is_proven_for_fewer_rows_and_stripes_for_none(loans: Dataset) -> None:
    def stripes(x: Tensor) -> Tensor:
        event = (torch.sin(200 * (x[:, 0] + x[:, 1] - 1)) > 0).double()
        return torch.stack([1 - event, event], 1)

    clean = smoothed(loans, network(loans))
    planted = smoothed(loans, Classifier.wrap(stripes, schema=loans.schema, classes=loans.classes))
    for sigma in (0.12, 0.25, 0.5):
        curve = values(clean, "robustness.smoothed_certified_accuracy", "radius", sigma=sigma)
        assert len(curve) >= 5
        whole = clean.metric("robustness.smoothed_accuracy", sigma=sigma).value
        assert [whole, *curve] == sorted([whole, *curve], reverse=True)  # type: ignore[type-var]
        assert whole > 0.6  # type: ignore[operator]
        assert planted.metric("robustness.smoothed_accuracy", sigma=sigma).value < 0.3  # type: ignore[operator]
        assert planted.metric("robustness.smoothed_abstentions", sigma=sigma).value > 0.7  # type: ignore[operator]
    assert clean.metric("robustness.unsmoothed_accuracy").value == 1.0
    bounds = {metric.bound for metric in clean.metrics if metric.name == "robustness.smoothed_certified_accuracy"}
    assert bounds == {"lower"}


def test_the_interval_allows_for_radii_that_are_too_large(loans: Dataset) -> None:
    wide, narrow = (smoothed(loans, network(loans), alpha=alpha, sigma=(0.1,), radii=(0.01,)) for alpha in (0.2, 0.001))
    for evidence, alpha in ((wide, 0.2), (narrow, 0.001)):
        metric = evidence.metric("robustness.smoothed_certified_accuracy")
        plain = evidence.arrays["radius_0.1"][evidence.arrays["predicted_0.1"] == evidence.arrays["labels"]]
        assert metric.value == pytest.approx((plain >= 0.01).sum() / 30)
        assert metric.low is not None
        assert metric.value is not None
        assert metric.value - metric.low > alpha


@pytest.mark.parametrize(
    ("check", "options"),
    [
        ("robustness.bounds", {"eps": (0.0,)}),
        ("robustness.bounds", {"methods": ()}),
        ("robustness.smoothing", {"sigma": (0.0,)}),
        ("robustness.smoothing", {"radii": ()}),
        ("robustness.smoothing", {"limit": 0}),
    ],
    ids=["no eps", "no method", "no noise", "no radius", "no row"],
)
def test_options_that_cannot_be_are_refused(check: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        make_check(check, options)


def test_every_word_of_both_checks_is_found(loans: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.selftest.ENGINES", ("audit.privacy",))
    subject = Subject(loans, classifier=network(loans, steep=1.0), independence="held out")
    options = {
        "robustness.bounds": {"limit": 10, "exact": 3, "eps": (0.05, 0.1), "methods": ("ibp", "crown_ibp", "crown", "alpha_crown")},
        "robustness.smoothing": {"limit": 5, "n": 50, "sigma": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)},
    }
    audit = run(subject, only=tuple(options), options=options, progress=False)
    page = render_html(audit)
    assert "of the smoothed classifier, which decides by majority under noise, and not of the classifier that was audited" in page
    assert [evidence.not_run for evidence in audit.evidence] == [None, None]
    # Drawn with the words of every line.
    assert page.count("data:image/svg") >= 2


def test_a_proven_row_that_falls_is_an_internal_error_that_stops_the_audit(
    credit_subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:

    def lie(*args: Any, **options: Any) -> Any:
        found = attack(*args, **options)
        return replace(found, robust=torch.zeros_like(found.robust))

    monkeypatch.setattr(sandwich, "attack", lie)
    monkeypatch.setattr("audit.selftest.ENGINES", ())
    with pytest.raises(InternalError, match=r"rows are proven at eps = 0\.01 and yet broken by an attack") as raised:
        run(credit_subject, only=["robustness.bounds"], options={"robustness.bounds": {"limit": 20, "exact": 0}}, progress=False)
    assert raised.value.exit_code == 5


def test_a_bound_that_lies_is_caught_by_the_exact_answer_where_no_attack_would(
    credit_subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = sandwich.certify
    monkeypatch.setattr(sandwich, "certify", lambda *args, eps, **options: honest(*args, eps=0.0, **options))
    monkeypatch.setattr(sandwich, "attack", lambda model, x, y, **options: attack(model, x, y, **{**options, "eps": 0.0}))
    with pytest.raises(InternalError, match=r"rows are proven at eps = 0\.5 and yet not exactly robust"):
        measured("robustness.bounds", credit_subject, limit=12, exact=12, eps=[0.5], methods=["ibp"])
