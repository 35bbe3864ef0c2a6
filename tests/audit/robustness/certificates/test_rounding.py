"""What rounding, units and ties may not change: neither a certificate nor an exact answer is given where they could."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from audit.robustness import attack
from audit.robustness.attempt import Attempt
from audit.robustness.certificates.certifying import Method, certify
from audit.robustness.certificates.crown import bounded
from audit.robustness.certificates.exact import exact_robust
from audit.robustness.certificates.region import Region
from audit.robustness.certificates.rounding import rounding_error
from audit.robustness.certificates.tracing import traced
from audit.robustness.reach import with_rounding
from classifier import Classifier, Feature, Schema
from classifier.architectures._layers import Standardize
from classifier.perturbation import Norm, PerturbationSet
from classifier.seeds import Seed


def linear(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight)).requires_grad_(False)
    layer.weight.copy_(torch.tensor(weight))
    layer.bias.copy_(torch.tensor(bias))
    return layer


def unit(count: int) -> Schema:
    return Schema("tabular", tuple(Feature(f"x{i}", "continuous", low=0.0, high=1.0) for i in range(count)))


def natural(count: int, scale: float) -> Schema:
    return Schema("tabular", tuple(Feature(f"x{i}", "continuous", scale=scale) for i in range(count)), encoding="natural")


def random_rows(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=Seed(0, ("rows",)).torch())


def random_network(*layers: nn.Module) -> nn.Sequential:
    generator = Seed(1, ("network",)).torch()
    for parameter in (module := nn.Sequential(*layers).requires_grad_(False)).parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return module


@pytest.mark.parametrize("standardized", [True, False], ids=["small weights", "large numbers"])
def test_an_exact_answer_does_not_depend_on_the_unit_of_a_feature(standardized: bool, capfd: pytest.CaptureFixture[str]) -> None:
    answers = []
    for scale in (2.0**-20, 1.0, 2.0**30, 2.0**40):
        start = Standardize((4,))
        start.deviation.fill_(scale if standardized else 1.0)
        module = random_network(start, nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 2))
        if not standardized:
            for layer in module[1::2]:
                layer.bias.mul_(scale)
        classifier = Classifier.wrap(module, schema=natural(4, scale), classes=("a", "b"))
        x = random_rows(40, 4) * scale
        found = exact_robust(classifier, x, classifier.predict(x), eps=0.3)
        assert found.decided.all()
        answers.append(found.robust)
    assert all(torch.equal(answer, answers[1]) for answer in answers)
    assert 0 < int(answers[1].sum()) < 40
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("method", ["ibp", "crown", "exact"])
@pytest.mark.parametrize("between", [True, False], ids=["relu between", "one after the other"])
def test_where_roundings_cancel_at_the_row_and_the_corners_a_row_that_falls_is_not_certified(method: Method, between: bool) -> None:
    """Both coordinates are the same at the row and the corners, where what is lost beside a million cancels."""
    first = linear([[1.0, 0.0], [0.0, 1.0]], [1e6, 1e6])
    fallen = 0
    for excess in (0.2001, 0.205, 0.21, 0.22, 0.24):
        last = linear([[-0.5, 0.5], [0.5, -0.5]], [1.0, 1.0 + excess])
        tail = [nn.ReLU(), linear([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])]
        module = nn.Sequential(first, nn.ReLU(), last) if between else nn.Sequential(first, last, *tail)
        classifier = Classifier.wrap(module, schema=unit(2), classes=("a", "b"))
        grid = torch.linspace(-0.1, 0.1, 21)
        for start in (0.13, 0.34, 0.57, 0.81):
            x = torch.full((1, 2), start)
            y = classifier.predict(x)
            around = x + torch.cartesian_prod(grid, grid)
            falls = bool((classifier.predict(around) != y).any())
            fallen += falls
            assert not (falls and certify(classifier, x, y, eps=0.1, method=method).item())
    assert fallen > 0


def test_the_bound_of_rounding_holds_and_leaves_a_plain_network_its_certificates() -> None:
    module = random_network(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 30), nn.GELU(), nn.Linear(30, 3))
    x = random_rows(200, 20)
    network = traced(module.eval(), (20,))
    region = Region.around(x, natural(20, 1.0), eps=0.01, norm="Linf", constrained=False)
    error = rounding_error(network, bounded(network, region, relax=False, tighten=False).boxes)
    apart = (module(x).double() - network(x)).abs()
    assert (apart <= error).all()
    assert apart.max() > error.max() / 1e4
    assert (error < 1e-3 * network(x).abs().amax()).all()


@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
@pytest.mark.parametrize("eps", [1e-6, 1e-4, 0.1])
def test_the_region_of_a_certificate_holds_all_that_counts_as_within_eps(eps: float, norm: Norm) -> None:
    x = random_rows(50, 1) * 10
    region = Region.around(x, natural(1, 1.0), eps=eps, norm=norm, constrained=False)
    accepted = with_rounding(eps)
    assert accepted > eps
    assert region.eps >= accepted
    assert (region.upper - region.centre >= accepted).all()
    assert (region.centre - region.lower >= accepted).all()


@pytest.mark.parametrize("method", ["ibp", "crown", "exact"])
def test_no_row_is_certified_that_a_change_of_eps_and_its_rounding_breaks(method: Method) -> None:
    eps = 1e-5
    broken = []
    for beyond in (0.5, 0.9, 2.0):
        x = torch.tensor([[0.3]])
        edge = 0.3 + eps + beyond * 1e-6
        classifier = Classifier.wrap(linear([[0.0], [10.0]], [0.0, -10 * edge]), schema=natural(1, 1.0), classes=("a", "b"))
        y = classifier.predict(x)
        attempt = Attempt(classifier.logits, PerturbationSet.around(x, classifier.schema, eps=eps), y, torch.zeros_like(y))
        attempt.submit(x + with_rounding(eps), torch.zeros_like(y))
        broken.append(bool(attempt.broken))
        assert not (broken[-1] and certify(classifier, x, y, eps=eps, method=method).item())
    assert broken == [True, True, False]


@pytest.mark.parametrize("method", ["crown", "exact"])
def test_a_tie_is_the_event_for_certificate_and_attack_alike(method: Method) -> None:
    classifier = Classifier.wrap(linear([[0.0, 0.0]] * 2, [0.0, 0.0]), schema=unit(2), classes=("a", "b"))
    x, y = random_rows(4, 2).abs().clamp_max(1), torch.tensor([0, 0, 1, 1])
    assert certify(classifier, x, y, eps=0.0, method=method).tolist() == [False, False, True, True]
    assert attack(classifier, x, y, eps=0.0, suite="quick").robust.tolist() == [False, False, True, True]
    # Where every margin is 0, nothing is proven of any.
    assert not certify(classifier, x, y, eps=0.1, method=method).any()
