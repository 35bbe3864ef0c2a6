"""Laws that every registered attribution method must keep, on networks and black boxes of two and ten classes."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor, nn

from classifier.architectures._terms import AdditiveNetwork
from classifier.classifier import Classifier
from classifier.errors import NotApplicableError
from classifier.schema import Feature, Schema
from explain import Explanation, attribute, available
from explain.method import METHODS

# Three numbers that play alike, a group of three columns, and a feature that no model below looks at.
SCHEMA = Schema(
    "tabular",
    (
        Feature("first", "continuous", 0.0, 1.0),
        Feature("second", "continuous", 0.0, 10.0),
        Feature("group", "categorical", categories=("a", "b", "c")),
        Feature("third", "continuous", -1.0, 1.0),
        Feature("ignored", "continuous", 0.0, 1.0),
        Feature("fifth", "continuous", 0.0, 1.0),
    ),
)
WIDTH, IGNORED = 8, 6
LIMITS = {"integrated_gradients": 0.02, "expected_gradients": 1e-3}  # The others are complete to rounding.
MATRIX = [(method, kind, classes) for method in METHODS for kind in ("network", "black box") for classes in (2, 10)]


class Network(nn.Module):
    """A random network that ignores one column and treats the first two alike."""

    def __init__(self, classes: int, seed: int, *, linear: bool = False, bend: type[nn.Module] = nn.Tanh) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.first = nn.Parameter(torch.randn(WIDTH, 16, generator=generator))
        self.second = nn.Parameter(torch.randn(16, classes, generator=generator))
        # A layer, so that methods with rules for layers are held to the laws too.
        self.bend = nn.Identity() if linear else bend()
        with torch.no_grad():
            self.first[IGNORED] = 0
            self.first[1] = self.first[0]

    @property
    def slope(self) -> Tensor:
        return self.first @ self.second

    def forward(self, x: Tensor) -> Tensor:
        return self.bend(x @ self.first) @ self.second


class Total(nn.Module):
    """The sum of two networks' logits."""

    def __init__(self, one: nn.Module, other: nn.Module) -> None:
        super().__init__()
        self.one, self.other = one, other

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) + self.other(x)


class Curves(AdditiveNetwork):
    """A random network of one curve a feature and one pair, that ignores one column and treats the first two alike."""

    def __init__(self, classes: int, seed: int, *, linear: bool = False) -> None:
        super().__init__([*((name,) for name in SCHEMA.names), ("third", "group")], classes)
        generator = torch.Generator().manual_seed(seed)
        self.slope = nn.Parameter(torch.randn(WIDTH, classes, generator=generator))
        self.linear = linear
        with torch.no_grad():
            self.slope[IGNORED] = 0
            self.slope[1] = self.slope[0]

    def contributions(self, x: Tensor) -> Tensor:
        columns = x[:, :, None] * self.slope
        features = torch.stack([columns[:, group].sum(1) for group in SCHEMA.groups.values()], 1)
        third, group = SCHEMA.groups["third"], SCHEMA.groups["group"]
        pair = x[:, third] * (x[:, group] @ self.slope[group])
        return torch.cat([features if self.linear else torch.sin(3 * features), 0 * pair[:, None] if self.linear else pair[:, None]], 1)


class TotalOfCurves(AdditiveNetwork):
    """The sum of two networks' curves."""

    def __init__(self, one: Curves, other: Curves) -> None:
        super().__init__(one.terms, len(one.bias))
        self.one, self.other = one, other

    def contributions(self, x: Tensor) -> Tensor:
        return self.one.contributions(x) + self.other.contributions(x)


def network(method: str, classes: int, seed: int, *, linear: bool = False) -> Network | Curves:
    """A network that the method holds for."""
    if "terms" in METHODS[method].needs:
        return Curves(classes, seed, linear=linear)
    return Network(classes, seed, linear=linear, bend=nn.ReLU if method == "exact_integrated_gradients" else nn.Tanh)


def wrapped(module: nn.Module, kind: str, classes: int) -> Classifier:
    """The same function as a network, or hidden behind probabilities."""

    def function(x: Tensor) -> Tensor:
        with torch.no_grad():
            return module(x).softmax(1)

    names = tuple(f"class {index}" for index in range(classes))
    return Classifier.wrap(module if kind == "network" else function, schema=SCHEMA, classes=names)


@cache
def rows() -> Tensor:
    generator = torch.Generator().manual_seed(11)
    x = torch.rand(6, WIDTH, generator=generator)
    x[:, 2:5] = torch.eye(3)[torch.randint(3, (6,), generator=generator)]
    x[:, 1] = x[:, 0]
    return x


BASELINE = torch.tensor([0.3, 0.3, 1 / 3, 1 / 3, 1 / 3, 0.5, 0.5, 0.5])


@cache
def explained(method: str, kind: str, classes: int) -> Explanation:
    return attribute(wrapped(network(method, classes, seed=1), kind, classes), rows(), method, baseline=BASELINE)


def applies(method: str, kind: str, classes: int) -> bool:
    classifier = wrapped(network(method, classes, seed=1), kind, classes)
    (entry,) = [entry for entry in available(classifier, rows=6) if entry.method == method]
    return entry.applies


CASES = [case for case in MATRIX if applies(*case)]
applicable = pytest.mark.parametrize(("method", "kind", "classes"), CASES)


def keeping(law: str) -> pytest.MarkDecorator:
    """The cases whose method says that it keeps a law."""
    return pytest.mark.parametrize(("method", "kind", "classes"), [case for case in CASES if law in METHODS[case[0]].laws])


def allowance(explanation: Explanation, exact: float) -> Tensor | float:
    """How far a feature's attribution may be off: five standard errors, where it was sampled."""
    return exact if explanation.standard_error is None else 5 * explanation.standard_error + exact


@applicable
def test_attributions_have_the_shape_of_the_inputs(method: str, kind: str, classes: int) -> None:
    explanation = explained(method, kind, classes)
    assert explanation.attributions.shape == rows().shape
    assert explanation.by_feature().shape == (6, 6)
    assert explanation.predictions.shape == (6, classes)
    assert explanation.attributions.abs().max() > 0.05


@keeping("dummy")
def test_an_ignored_feature_gets_nothing(method: str, kind: str, classes: int) -> None:
    explanation = explained(method, kind, classes)
    assert (explanation.by_feature().abs() <= allowance(explanation, 1e-6))[:, SCHEMA.names.index("ignored")].all()


@keeping("symmetry")
def test_features_that_play_alike_get_alike(method: str, kind: str, classes: int) -> None:
    explanation = explained(method, kind, classes)
    scores = explanation.by_feature()
    allowed = 1e-5 if explanation.standard_error is None else 5 * explanation.standard_error[:, :2].sum(1) + 1e-5
    assert ((scores[:, 0] - scores[:, 1]).abs() <= allowed).all()


@pytest.mark.parametrize(("method", "kind", "classes"), [case for case in CASES if METHODS[case[0]].quantity == "contribution"])
def test_contributions_sum_to_what_changed(method: str, kind: str, classes: int) -> None:
    explanation = explained(method, kind, classes)
    change = explanation.value - explanation.base_value
    assert change.abs().max() > 0.1
    assert torch.allclose(explanation.by_feature().sum(1), change, atol=LIMITS.get(method, 1e-5), rtol=0)
    assert explanation.completeness_error.max() <= LIMITS.get(method, 1e-5)


@applicable
def test_the_same_seed_gives_the_same_result_to_the_bit(method: str, kind: str, classes: int) -> None:
    again = attribute(wrapped(network(method, classes, seed=1), kind, classes), rows(), method, baseline=BASELINE)
    assert torch.equal(again.attributions, explained(method, kind, classes).attributions)


@applicable
def test_a_batch_of_one_equals_a_batch_of_many(method: str, kind: str, classes: int) -> None:
    classifier = wrapped(network(method, classes, seed=1), kind, classes)
    alone = torch.cat([attribute(classifier, rows()[i : i + 1], method, baseline=BASELINE).attributions for i in range(3)])
    assert torch.allclose(alone, explained(method, kind, classes).attributions[:3], atol=1e-5, rtol=0)


@keeping("linear")
def test_a_linear_classifier_gets_weight_times_distance(method: str, kind: str, classes: int) -> None:
    if (kind, classes) == ("black box", 10):
        return  # The logits of a black box are log-probabilities: for two classes their difference is linear, a single one is not.
    module = network(method, classes, seed=2, linear=True)
    explanation = attribute(wrapped(module, kind, classes), rows(), method, baseline=BASELINE, target=1)
    weights = module.slope
    slope = weights[:, 1] - weights[:, 0] if classes == 2 else weights[:, 1]
    truth = explanation.modality.gather(slope.detach() * (rows() - BASELINE)).double()
    assert ((explanation.by_feature() - truth).abs() <= allowance(explanation, 1e-4)).all()


LINEAR = [(method, classes) for method, kind, classes in CASES if kind == "network" and "linearity" in METHODS[method].laws]


@pytest.mark.parametrize(("method", "classes"), LINEAR)
def test_attributions_of_a_sum_are_the_sum_of_attributions(method: str, classes: int) -> None:
    one, other = network(method, classes, seed=3), network(method, classes, seed=4)
    total = TotalOfCurves(one, other) if isinstance(one, Curves) and isinstance(other, Curves) else Total(one, other)
    parts = [
        attribute(wrapped(module, "network", classes), rows(), method, baseline=BASELINE, target=0).attributions
        for module in (one, other, total)
    ]
    assert torch.allclose(parts[0] + parts[1], parts[2], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("method", "kind", "classes"), [case for case in CASES if METHODS[case[0]].quantity == "contribution"])
def test_only_the_categories_that_differ_from_the_baseline_get_credit(method: str, kind: str, classes: int) -> None:
    classifier = wrapped(network(method, classes, seed=1), kind, classes)
    x = rows()[:1].clone()
    x[:, 2:5] = torch.tensor([0.0, 1.0, 0.0])
    same = BASELINE.clone()
    same[2:5] = x[0, 2:5]
    assert attribute(classifier, x, method, baseline=same).by_feature()[0, 2].abs() < 1e-6
    assert attribute(classifier, x, method, baseline=BASELINE).by_feature()[0, 2].abs() > 1e-3


@pytest.mark.parametrize(("method", "classes"), [(name, classes) for name in METHODS for classes in (2, 10)])
def test_a_method_that_does_not_apply_names_one_that_does(method: str, classes: int) -> None:
    classifier = wrapped(Network(classes, seed=1), "black box", classes)
    entry = next(entry for entry in available(classifier) if entry.method == method)
    if entry.applies:
        assert attribute(classifier, rows()[:1], method).method == method
        return
    with pytest.raises(NotApplicableError) as refusal:
        attribute(classifier, rows()[:1], method)
    named = [name for name in METHODS if name in refusal.value.remedy]
    assert named
    assert attribute(classifier, rows()[:1], named[0]).attributions.isfinite().all()
