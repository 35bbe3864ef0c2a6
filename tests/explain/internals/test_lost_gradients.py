"""What stops a gradient is told by its cause, and what stops none is left alone."""

from collections.abc import Callable

import pytest
import torch
from cases import cases
from torch import Tensor, nn

from classifier import Classifier
from classifier.errors import ConfigurationError
from explain.internals.diagnosing import diagnose
from explain.internals.diagnosis import Diagnosis


class Between(nn.Module):
    """A network with something between its middle and its last layer."""

    def __init__(self, between: Callable[[Tensor], Tensor], scale: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.middle, self.last = nn.Linear(7, 16), nn.Linear(16, 16), nn.Linear(16, 2)
        self.between, self.scale = between, scale

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.between(self.scale * self.middle(self.first(x).relu())))


class Beside(Between):
    """A network with a layer whose answer is added to what the others give, or not."""

    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__(torch.tanh)
        self.spare, self.bridge = nn.Linear(7, 2), between

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.bridge(self.spare(x))


class LastState(nn.Module):
    """A recurrent network that goes on from its last state, and from no other."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.recurrent, self.last = nn.LSTM(1, 8, batch_first=batch_first), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        series = x[:, :, None] if self.recurrent.batch_first else x.T[:, :, None]
        return self.last(self.recurrent(series)[1][0][-1])


def without_gradient(values: Tensor) -> Tensor:
    with torch.no_grad():
        return values * 2


def diagnosed(module: nn.Module) -> Diagnosis:
    data = cases("tabular", 2)
    return diagnose(Classifier.wrap(module, schema=data.schema, classes=data.classes), data)


def kinds(found: Diagnosis) -> set[str]:
    return {symptom.kind for symptom in found.symptoms} - {"uninformed", "constant"}


CUT = "nothing connects it with the loss; look after middle for detach"
FLAT = "through a function without a slope; look after middle for round"


@pytest.mark.parametrize(
    ("between", "said"),
    [
        (Tensor.detach, CUT),
        (without_gradient, CUT),
        (lambda values: (values > 0).float(), CUT),
        (torch.round, FLAT),
        (torch.sign, FLAT),
        (lambda values: values * 0, "the answer is the same; look after middle for a multiplication by 0"),
        (lambda values: values[:, :, None].softmax(2)[:, :, 0], "a softmax or normalisation of a single number"),
    ],
    ids=["detach", "no_grad", "comparison", "round", "sign", "zero", "softmax"],
)
def test_what_stops_all_gradients_is_named(between: Callable[[Tensor], Tensor], said: str) -> None:
    found = diagnosed(Between(between, scale=9.0))
    (symptom,) = [symptom for symptom in found.symptoms if symptom.kind == "no gradient"]
    assert symptom.said.startswith("no gradient reaches first, middle: ")
    assert said in str(symptom)
    assert kinds(found) == {"no gradient"}


def test_saturation_to_the_last_digit_is_no_step_function() -> None:
    found = diagnosed(Between(torch.tanh, scale=1e6))
    assert kinds(found) == {"saturated", "no gradient"}
    assert "no gradient reaches first, middle: (network) is saturated throughout" in str(found)


def test_a_gradient_that_shrinks_until_none_is_left_vanishes() -> None:
    torch.manual_seed(0)
    layers = [part for place in range(60) for part in (nn.Linear(8 if place else 7, 8), nn.Sigmoid())]
    found = diagnosed(nn.Sequential(*layers, nn.Linear(8, 2)))
    (symptom,) = [symptom for symptom in found.symptoms if symptom.kind == "vanishing"]
    assert "and none is left at 0, 2" in symptom.said
    assert "ReLU in place of sigmoid" in symptom.remedy
    assert "no gradient" not in kinds(found)


def test_a_network_of_relus_is_not_told_to_take_relus() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(*[part for place in range(4) for part in (nn.Linear(16 if place else 7, 16), nn.ReLU())], nn.Linear(16, 2))
    with torch.no_grad():
        for layer in module[2:8:2]:
            layer.weight *= 0.05
            layer.bias.zero_()
    (symptom,) = [symptom for symptom in diagnosed(module).symptoms if symptom.kind == "vanishing"]
    assert "larger weights to start from" in symptom.remedy
    assert "ReLU" not in symptom.remedy


def test_a_network_that_ends_without_gradients_is_diagnosed() -> None:
    class Ends(Between):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).detach()

    assert "no gradient reaches first, middle, last" in str(diagnosed(Ends(torch.tanh)))


def test_one_branch_that_is_cut_is_found_beside_one_that_is_not() -> None:
    assert "no gradient reaches spare: what is learned there changes the answer" in str(diagnosed(Beside(Tensor.detach)))
    assert "no gradient" not in kinds(diagnosed(Beside(lambda values: values)))


def test_a_layer_that_the_answer_does_not_use_is_no_symptom() -> None:
    assert kinds(diagnosed(Beside(lambda values: torch.zeros(())))) == set()


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_recurrent_layer_learns_by_its_last_state(batch_first: bool) -> None:
    found, data = diagnosed(LastState(batch_first)), cases("tabular", 2)
    assert kinds(found) == set()
    module = LastState(batch_first)
    state = module.recurrent(data.inputs[:, :, None] if batch_first else data.inputs.T[:, :, None])[1][0].detach().requires_grad_()
    loss = nn.functional.cross_entropy(module.last(state[-1]), data.labels, reduction="sum")
    (slope,) = torch.autograd.grad(loss, state)
    assert found.layers[0].gradient == pytest.approx(float(slope[-1].norm(dim=1).mean()), rel=1e-4)


@pytest.mark.parametrize("several", [True, False])
def test_a_network_that_is_sure_and_right_has_no_symptom(several: bool) -> None:
    module, data = Between(torch.tanh), cases("tabular", 2)
    with torch.no_grad():
        module.last.weight *= 1e5
        module.last.bias += torch.tensor([0.0, 0.0 if several else 1e5])
        labels = module(data.inputs).argmax(1)
    found = diagnose(Classifier.wrap(module, schema=data.schema, classes=data.classes), data.inputs, labels)
    assert len(labels.unique()) == 1 + several
    assert found.loss < 1e-6
    assert found.symptoms == ()


@pytest.mark.parametrize(
    ("values", "kind", "names"),
    [(0.0, "zero weights", "the weights of first, middle, last"), (0.05, "equal weights", "all units of first")],
)
def test_weights_that_no_step_tells_apart_are_named_and_nothing_else_is_blamed(values: float, kind: str, names: str) -> None:
    module = Between(torch.relu)
    with torch.no_grad():
        for weight in module.parameters():
            weight.fill_(values)
    found = diagnosed(module)
    assert kinds(found) == {kind}
    assert f"{names}" in str(found)
    assert "start again from random weights" in str(found)


def test_equal_units_are_found_after_training_too() -> None:
    module, data = Between(torch.tanh), cases("tabular", 2)
    nn.init.constant_(module.middle.weight, 0.1)
    nn.init.constant_(module.middle.bias, 0.0)
    nn.init.constant_(module.last.weight[:1].detach(), 0.3)
    nn.init.constant_(module.last.weight[1:].detach(), -0.2)
    optimiser = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(30):
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(data.inputs), data.labels).backward()
        optimiser.step()
    assert "all units of middle have the same weights and the same gradient" in str(diagnosed(module))


def test_a_last_layer_that_starts_at_zero_is_untrained_and_not_broken() -> None:
    module = Between(torch.relu)
    nn.init.zeros_(module.last.weight)
    found = diagnosed(module)
    assert kinds(found) == {"untrained"}
    assert "the weights of last are all 0, as they may be before training" in str(found)


def test_trying_out_other_weights_leaves_the_classifier_as_it_is() -> None:
    data = cases("tabular", 2)
    classifier = Classifier.wrap(Between(torch.round), schema=data.schema, classes=data.classes)
    before = {name: value.clone() for name, value in classifier.module.state_dict().items()}
    first, second = diagnose(classifier, data), diagnose(classifier, data)
    assert first == second
    assert all(torch.equal(value, before[name]) for name, value in classifier.module.state_dict().items())


def test_frozen_layers_are_seen_where_the_network_is_given() -> None:
    module, data = Between(torch.relu), cases("tabular", 2)
    module.first.requires_grad_(False)
    classifier = Classifier.wrap(module, schema=data.schema, classes=data.classes)
    assert "frozen" not in kinds(diagnose(classifier, data))
    found = diagnose(classifier, data, network=module)
    assert "1 of 3 layers are frozen, and do not learn: first" in str(found)
    with pytest.raises(ConfigurationError, match=r"other weights than the classifier.*that was wrapped"):
        diagnose(classifier, data, network=nn.Linear(7, 2))


def test_inputs_that_are_small_beside_the_biases_are_named_as_the_reason_for_equal_answers() -> None:
    class Small(Between):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x * 1e-6)

    (symptom,) = [symptom for symptom in diagnosed(Small(torch.relu)).symptoms if symptom.kind == "constant"]
    assert "from first on they differ by less than 0.1 % of their size" in symptom.said
    assert "standardize the inputs" in symptom.remedy
