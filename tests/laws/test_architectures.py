"""Laws that every registered architecture must keep, for each modality that it takes, with two and with ten classes."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from math import log
from pathlib import Path

import pytest
import torch
from cases import CASES, OPTIONS, cases
from torch import nn

from classifier import Classifier, Dataset, Splits
from classifier.architecture import ARCHITECTURES, Architecture
from classifier.errors import AssayError, ConfigurationError, NotApplicableError
from classifier.modality import MODALITIES
from trainer import Recipe, train
from trainer.objective import Objective
from trainer.private import Budget, PrivateSteps

MATRIX = [(name, modality, classes) for name in ARCHITECTURES for modality in sorted(ARCHITECTURES[name].modalities) for classes in (2, 10)]
every = pytest.mark.parametrize(("name", "modality", "classes"), [case for case in MATRIX if case[1] in MODALITIES])
each = pytest.mark.parametrize("name", sorted(ARCHITECTURES))


def made(name: str, **options: object) -> Architecture:
    return ARCHITECTURES[name](**{**OPTIONS.get(name, {}), **options})


def fresh(name: str, data: Dataset, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return made(name).build(data.schema, len(data.classes))


@cache
def wrapped(name: str, modality: str, classes: int) -> Classifier:
    """With weights that are moved from where they start, since a network may start at the same logits for all."""
    data = cases(modality, classes)
    module = fresh(name, data)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return Classifier.wrap(module, schema=data.schema, classes=data.classes, factory=made(name))


@every
def test_logits_are_one_a_class_and_tell_inputs_apart(name: str, modality: str, classes: int) -> None:
    x = cases(modality, classes).inputs
    logits = wrapped(name, modality, classes).logits(x)
    assert logits.shape == (len(x), classes)
    assert logits.isfinite().all()
    assert logits.std(0).max() > 0


@every
def test_evaluation_is_deterministic(name: str, modality: str, classes: int) -> None:
    x = cases(modality, classes).inputs
    assert torch.equal(*(wrapped(name, modality, classes).logits(x) for _ in range(2)))


@every
def test_a_rows_logits_do_not_depend_on_the_other_rows(name: str, modality: str, classes: int) -> None:
    x, classifier = cases(modality, classes).inputs[:9], wrapped(name, modality, classes)
    together = classifier.logits(x)
    alone = torch.cat([classifier.logits(row[None]) for row in x])
    size = float(together.abs().max())
    assert torch.allclose(together, alone, atol=1e-4 * (1 + size))
    assert torch.allclose(classifier.logits(x.flip(0)).flip(0), together, atol=1e-4 * (1 + size))


@every
def test_a_saved_classifier_comes_back_the_same(name: str, modality: str, classes: int, tmp_path: Path) -> None:
    classifier, x = wrapped(name, modality, classes), cases(modality, classes).inputs
    classifier.save(tmp_path / "saved")
    again = Classifier.load(tmp_path / "saved")
    assert again.digest == classifier.digest
    assert torch.equal(again.logits(x), classifier.logits(x))


@every
def test_a_network_built_without_memory_takes_weights_and_leaves_nothing_behind(name: str, modality: str, classes: int) -> None:
    data = cases(modality, classes)
    with torch.device("meta"):
        module = fresh(name, data)
    module.load_state_dict(fresh(name, data).state_dict(), assign=True)
    assert not [tensor for tensor in (*module.parameters(), *module.buffers()) if tensor.is_meta]


@every
def test_the_same_seed_gives_the_same_weights_and_another_gives_others(name: str, modality: str, classes: int) -> None:
    data = cases(modality, classes)
    first, again, other = (fresh(name, data, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(tensor, again[key]) for key, tensor in first.items())
    assert any(not torch.equal(tensor, other[key]) for key, tensor in first.items())


@every
def test_gradients_with_respect_to_inputs_are_finite(name: str, modality: str, classes: int) -> None:
    if not MODALITIES[modality].continuous:
        pytest.skip(f"the inputs of modality {modality} are discrete")
    x = cases(modality, classes).inputs[:8].clone().requires_grad_()
    (slope,) = torch.autograd.grad(wrapped(name, modality, classes).logits(x)[:, 1].sum(), x)
    assert slope.isfinite().all()
    assert slope.abs().max() > 0


@every
def test_training_lowers_the_loss(name: str, modality: str, classes: int) -> None:
    data = cases(modality, classes)
    recipe = Recipe(name, options=OPTIONS.get(name, {}), epochs=30, learning_rate=0.01, batch_size=len(data) // 2, patience=None)
    classifier = train(Splits(data, data, data), recipe, progress=False)
    loss = nn.functional.cross_entropy(classifier.logits(data.inputs), data.labels).item()
    assert loss < 0.9 * log(classes)


@every
def test_private_training_takes_the_gradient_of_each_row_by_itself(name: str, modality: str, classes: int) -> None:
    options = {"normalisation": "group"} if "normalisation" in {option.name for option in fields(ARCHITECTURES[name])} else {}
    data = cases(modality, classes)
    module, x, y = made(name, **options).build(data.schema, classes).eval(), data.inputs[:5], data.labels[:5]
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    private = PrivateSteps(module, Objective(), Budget(1.0, 1e-5, 1.0, 1e6, 1.0, 1), 5)
    sums, total = private.clipped_sums(x, y)
    loss = Objective().total(module, x, y)
    expected = torch.autograd.grad(loss, list(private.parameters.values()), allow_unused=True)
    assert total.item() == pytest.approx(loss.item(), rel=1e-4)
    for found, value in zip(sums.values(), expected, strict=True):
        assert torch.allclose(found, torch.zeros_like(found) if value is None else value, atol=1e-4, rtol=1e-3)


@each
def test_inputs_of_another_modality_are_refused_with_the_architectures_that_take_them(name: str) -> None:
    for modality in set(MODALITIES) & set(CASES) - ARCHITECTURES[name].modalities:
        data = cases(modality, 2)
        with pytest.raises(NotApplicableError, match=f"architecture '{name}' takes inputs of modality .*, got {modality}; these take"):
            train(Splits(data, data, data), Recipe(name, options=OPTIONS.get(name, {})), progress=False)


def refused(name: str, option: str, value: object) -> bool:
    schema = cases(min(ARCHITECTURES[name].modalities), 2).schema
    try:
        made(name, **{option: value}).build(schema, 2)
    except AssayError as error:
        return option in str(error) or str(value) in str(error)
    return False


@each
def test_options_that_cannot_be_are_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match="has no option 'no_such_option'"):
        Recipe(name, options={**OPTIONS.get(name, {}), "no_such_option": 1})
    wrong = {int: -1, float: -1.0, str: "no such choice"}
    for option in fields(ARCHITECTURES[name]):
        if type(option.default) in wrong:
            assert refused(name, option.name, wrong[type(option.default)]), option.name
        elif isinstance(option.default, tuple) and option.default and isinstance(option.default[0], int):
            assert refused(name, option.name, (0,)), option.name
        if option.name.endswith("dropout"):
            assert refused(name, option.name, 1.0), option.name


def test_every_modality_has_cases_here() -> None:
    assert set(MODALITIES) <= set(CASES)


def test_the_cases_are_what_the_laws_need() -> None:
    for modality in set(MODALITIES) & set(CASES):
        data = cases(modality, 10)
        assert len(data.classes) == 10
        assert data.inputs[0].shape == data.schema.shape
        assert len(torch.unique(data.inputs.flatten(1), dim=0)) >= 10
