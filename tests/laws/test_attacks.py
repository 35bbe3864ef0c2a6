"""The laws of attacks: what every registered one must keep on every kind of input, in every norm that it knows, unasked."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

import pytest
import torch
from cases import cases
from torch import Tensor

from audit.robustness import Robustness, attack
from audit.robustness.forward import decided_logits
from audit.robustness.method import ATTACKS, Attack
from classifier import Classifier, Splits
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.modality import modality_of
from classifier.perturbation import Norm, PerturbationSet
from trainer import Recipe, train

# Few steps; an attack that is not named here is tried as it comes.
QUICK: dict[str, dict[str, Any]] = {
    "apgd": {"steps": 6},
    "apgd_targeted": {"steps": 4, "targets": 2},
    "constrained_apgd": {"steps": 4, "restarts": 3},
    "evolutionary": {"generations": 4, "population": 8},
    "fab": {"steps": 5, "targets": 2},
    "fmn": {"steps": 15},
    "hop_skip_jump": {"queries": 200, "probes": 20},
    "pgd": {"steps": 5},
    "random_search": {"queries": 10},
    "square": {"queries": 20},
    "transfer": {"steps": 4, "asks": 2},
}
NAMES = tuple(ATTACKS)
NORMS = get_args(Norm)
KINDS = ("table of two classes", "table of ten classes", "image", "series")
# Far enough that rows fall, near enough that some stand.
EPS = {"Linf": 0.3, "L2": 0.8, "L1": 2.0}
THRESHOLD = 0.4
# What lies on a row's way is looked for among the rows beside it.
OF_ITS_NEIGHBOURS = {"hop_skip_jump"}


@pytest.fixture(scope="module", autouse=True)
def _without_flags() -> Iterator[None]:
    """Whether a number can be trusted is asked by attacks of its own, and is no law of any one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("audit.robustness.attacking.find_flags", lambda *args, **options: ())
        yield


@cache
def subject(kind: str) -> tuple[Classifier, Tensor, Tensor]:
    """A small network, rows of it, and labels of which some are wrong from the start."""
    modality = {"image": "image", "series": "sequence"}.get(kind, "tabular")
    data = cases(modality, 10 if kind == "table of ten classes" else 2, 2 if kind == "table of ten classes" else 10)
    recipe = Recipe("logistic" if modality == "image" else "mlp", epochs=15, batch_size=8)
    classifier = train(Splits(data, data, data), recipe, progress=False)
    labels = data.labels.clone()
    labels[:3] = (labels[:3] + 1) % len(data.classes)
    return classifier, data.inputs, labels


@cache
def surrogate(kind: str) -> Classifier:
    """Another network on the same rows; training one on answers takes most of an attack's time."""
    classifier, x, _ = subject(kind)
    data = cases(classifier.schema.modality, len(classifier.classes), len(x) // len(classifier.classes))
    return train(Splits(data, data, data), Recipe("logistic", epochs=15, batch_size=8), progress=False)


def made(name: str, kind: str) -> Attack:
    return ATTACKS[name](**QUICK.get(name, {}), **({"surrogate": surrogate(kind)} if name == "transfer" else {}))


def attacked(name: str, kind: str, norm: Norm, **options: Any) -> Robustness:
    classifier, x, y = subject(kind)
    given = {"eps": EPS[norm], "constrained": False, "threshold": THRESHOLD, "seed": 3, **options}
    return attack(given.pop("classifier", classifier), x, y, norm=norm, suite=(made(name, kind),), prove=False, **given)


@cache
def refused(name: str, kind: str, norm: Norm) -> str:
    """Why an attack cannot be tried; empty where it can."""
    try:
        attacked(name, kind, norm)
    except (NotApplicableError, ConfigurationError) as error:
        return str(error)
    return ""


def decided(kind: str, x: Tensor) -> Tensor:
    return decided_logits(subject(kind)[0], THRESHOLD)(x).argmax(1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_what_an_attack_finds_is_near_within_bounds_and_decided_wrongly(name: str, kind: str) -> None:
    classifier, x, y = subject(kind)
    right = decided(kind, x) == y
    tried = 0
    for norm in NORMS:
        if refused(name, kind, norm):
            continue
        tried += 1
        for constrained in (False, True):
            found = attacked(name, kind, norm, constrained=constrained)
            fell = right & ~found.robust
            assert torch.equal(found.robust | fell, right)
            assert (decided(kind, found.adversarial[fell]) != y[fell]).all()
            # Rows that stand, and those that are wrong from the start, are given back as they were, unasked.
            assert torch.equal(found.adversarial[~fell], x[~fell])
            assert (found.queries[~right] == 0).all()
            allowed = PerturbationSet.around(x, classifier.schema, eps=EPS[norm], norm=norm, constrained=constrained)
            assert ((found.adversarial >= allowed.lower) & (found.adversarial <= allowed.upper)).all()
            assert (allowed.distance(found.adversarial) <= EPS[norm] * (1 + 1e-5)).all()
            assert torch.allclose(allowed.distance(found.adversarial), found.distance, atol=1e-5)
            assert {by for by, gone in zip(found.broken_by, fell.tolist(), strict=True) if gone} <= {name}
            if constrained:
                assert modality_of(classifier.schema).valid(found.adversarial[fell]).all()
    assert tried or ATTACKS[name].__module__.endswith(("constrained_apgd", "evolutionary"))


@pytest.mark.parametrize("name", NAMES)
def test_an_attack_breaks_rows_of_a_table(name: str) -> None:
    for norm in ATTACKS[name].norms:
        fell = [len(by) - by.count("") - by.count("clean") for by in (attacked(name, kind, norm).broken_by for kind in KINDS[:2])]
        assert sum(fell) > 0, norm


@pytest.mark.parametrize("name", NAMES)
def test_nothing_breaks_where_nothing_may_change(name: str) -> None:
    for kind in KINDS:
        for norm in NORMS:
            if not refused(name, kind, norm):
                _, x, y = subject(kind)
                assert torch.equal(attacked(name, kind, norm, eps=0.0).robust, decided(kind, x) == y)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_finds_the_same_however_the_work_is_cut(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    norms = [norm for norm in NORMS if not refused(name, kind, norm)]
    whole = [attacked(name, kind, norm) for norm in norms]
    for first, norm in zip(whole, norms, strict=True):
        again = attacked(name, kind, norm)
        assert torch.equal(first.adversarial, again.adversarial)
        assert first.broken_by == again.broken_by
    if name in OF_ITS_NEIGHBOURS:
        return
    monkeypatch.setattr("audit.robustness.campaign._SIDE_BY_SIDE", 7)
    for first, norm in zip(whole, norms, strict=True):
        parts = attacked(name, kind, norm)
        assert torch.equal(first.robust, parts.robust)
        # A sum over another number of rows may round otherwise.
        assert torch.allclose(first.adversarial, parts.adversarial, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_an_attack_runs_on_a_black_box_or_says_that_it_needs_gradients(name: str, kind: str) -> None:
    classifier, x, y = subject(kind)
    box = Classifier.wrap(classifier.probabilities, schema=classifier.schema, classes=classifier.classes)
    norm = ATTACKS[name].norms[0]
    if ATTACKS[name].gradient:
        with pytest.raises(NotApplicableError, match=f"black box, and {name} needs gradients; take suite="):
            attacked(name, kind, norm, classifier=box)
    elif not refused(name, kind, norm):
        found = attacked(name, kind, norm, classifier=box)
        assert (found.gradients == 0).all()
        fell = (decided(kind, x) == y) & ~found.robust
        assert (decided(kind, found.adversarial[fell]) != y[fell]).all()


@pytest.mark.parametrize("name", NAMES)
def test_what_an_attack_does_not_know_it_refuses_with_the_reason(name: str) -> None:
    reasons = {reason for kind in KINDS for norm in NORMS if (reason := refused(name, kind, norm))}
    for reason in reasons:
        assert f"{name} knows no changes in" in reason or "changes the features of a table, not" in reason, reason
