"""The signs of attacks that failed: raised where a defence only hides, silent where a classifier is sound."""

from __future__ import annotations

from datetime import date

import pytest
import torch
from torch import Tensor, nn

from audit import Subject
from audit.check import make_check
from audit.evidence import Evidence
from audit.policy import Policy, PolicyHead, Rule
from audit.robustness import Robustness, attack
from audit.robustness.attacks.apgd import APGD
from audit.robustness.attacks.square import Square
from audit.robustness.attacks.transfer import Transfer
from classifier import Classifier, Feature, Schema
from classifier.seeds import Seed

PERIOD = 0.05
FEATURES = tuple(Feature(f"x{i}", "continuous", low=0.0, high=1.0) for i in range(6))


class Sharp(nn.Module):
    """Logits so large that cross-entropy is 0 in single precision, as a network distilled at a high temperature has."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return 3e3 * self.layer(x)


class Stairs(Sharp):
    """Inputs in steps, whose slope is 0 everywhere."""

    def forward(self, x: Tensor) -> Tensor:
        return self.layer((x * 50).floor() / 50)


class Ripples(Sharp):
    """Inputs with a hill every .05, on which small steps end: a whole step of .05 arrives at the same place of the next one."""

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x + 1.5 * PERIOD / (2 * torch.pi) * torch.sin(2 * torch.pi * x / PERIOD))


class Noisy(Sharp):
    """Noise on every answer but those about one or two rows."""

    def forward(self, x: Tensor) -> Tensor:
        answer = self.layer(x)
        return answer + 0.3 * torch.randn_like(answer) if len(x) > 2 else answer


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))


def attacked(module: nn.Module, suite: object = "quick", eps: float = 0.05, x: Tensor | None = None) -> Robustness:
    classifier = Classifier.wrap(module, schema=Schema("tabular", FEATURES), classes=("a", "b", "c"))
    plain = Classifier.wrap(network(), schema=Schema("tabular", FEATURES), classes=("a", "b", "c"))
    x = torch.rand(80, 6, generator=torch.Generator().manual_seed(0)) if x is None else x
    return attack(classifier, x, plain.predict(x), eps=eps, suite=suite, constrained=False)  # type: ignore[arg-type]


def ids(result: Robustness) -> set[str]:
    return {flag.id for flag in result.flags}


def test_a_plain_network_raises_no_flag_and_its_number_can_be_relied_on() -> None:
    result = attacked(network())
    assert 0 < (result.robust_accuracy.value or 0) < 1
    assert result.flags == ()
    assert result.robust_accuracy.unreliable == ""


def test_a_distilled_network_raises_its_flag_and_is_broken_all_the_same() -> None:
    result = attacked(Sharp(network()))
    assert "zero_gradients" in ids(result)
    assert torch.equal(result.robust, attacked(network()).robust)
    assert "of cross-entropy is exactly 0 at" in result.robust_accuracy.unreliable
    assert str(result.robust_accuracy).startswith("at most")


def test_what_hides_its_gradients_is_found_out_by_a_search_without_any() -> None:
    result = attacked(Stairs(network()), [APGD(steps=10), Square(queries=100)], eps=0.1)
    assert {"zero_gradients", "search_wins"} <= ids(result)
    # Gradients alone would have believed it.
    blind = attacked(Stairs(network()), [APGD(steps=10)], eps=0.1)
    assert blind.robust.sum() > result.robust.sum() + 5


def test_random_answers_are_noticed() -> None:
    assert "random_answers" in ids(attacked(Noisy(network()), [APGD(steps=5)]))


def test_hills_on_which_small_steps_end_are_noticed_by_a_large_one() -> None:
    # On the grid of the hills nothing changes but the slope.
    grid = [round(step * PERIOD, 2) for step in range(4, 17)]
    x = torch.tensor(grid)[torch.randint(len(grid), (80, 6), generator=torch.Generator().manual_seed(0))]
    assert "one_step_wins" in ids(attacked(Ripples(network()), eps=PERIOD, x=x))
    assert "one_step_wins" not in ids(attacked(network(), eps=PERIOD, x=x))


def test_what_falls_here_and_not_where_more_may_change_is_noticed() -> None:
    assert "not_monotone" in ids(attacked(Ripples(network()), [APGD(steps=1)], eps=PERIOD))


def test_an_attack_that_fails_without_any_bound_is_noticed() -> None:
    assert "unbounded_fails" in ids(attacked(Stairs(network()), [APGD(steps=1)], eps=0.01))


def test_a_surrogate_finds_what_hidden_gradients_do_not_show() -> None:
    assert "transfer_wins" in ids(attacked(Stairs(network()), [APGD(steps=10), Transfer()], eps=0.1))


def test_an_ascent_that_is_too_short_is_noticed() -> None:
    assert "still_improving" in ids(attacked(network(), [APGD(loss="dlr", steps=1)], eps=0.03))


def test_a_flagged_number_can_break_a_rule_and_never_keep_one() -> None:
    metric = attacked(Stairs(network()), [APGD(steps=5), Square(queries=50)], eps=0.05).robust_accuracy
    assert metric.unreliable
    assert metric.value is not None
    common = {"metric": "robustness.accuracy", "set_by": "a test", "rationale": "a test", "severity": "low"}
    rules = [Rule(id="BROKEN", min=1.0, **common), Rule(id="KEPT", min=0.01, **common), Rule(id="MOST", max=1.0, **common)]  # type: ignore[arg-type]
    findings = Policy(policy=PolicyHead(id="p"), rule=tuple(rules)).judge(
        [Evidence("robustness.attack", metrics=(metric,))], today=date(2026, 1, 1)
    )
    assert [(f.verdict, f.reason) for f in findings] == [("fail", "broken"), ("inconclusive", "unreliable"), ("inconclusive", "unreliable")]


def test_the_check_of_a_trained_classifier_raises_none(credit_subject: Subject) -> None:
    check = make_check("robustness.attack", {"eps": [0.1], "suite": "quick", "limit": 60})
    evidence = check.measure(credit_subject, Seed(0, ("flags",)))
    assert [metric.unreliable for metric in evidence.metrics] == ["", "", ""]


@pytest.mark.parametrize("eps", [0.0])
def test_where_nothing_may_change_nothing_is_flagged(eps: float) -> None:
    result = attacked(network(), eps=eps)
    assert result.flags == ()
    assert result.robust.all()
