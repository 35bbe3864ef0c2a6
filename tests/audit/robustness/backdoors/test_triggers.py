"""Trigger inversion against planted triggers and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from audit.robustness.backdoors import Cells, Triggers, anomaly_indices, invert_triggers
from audit.robustness.backdoors.known_answers import SCHEMA, Planted, measure_known_answers
from audit.robustness.backdoors.rotations import random_rotations
from audit.robustness.backdoors.whole import WholeTriggers
from classifier import Feature, Schema
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.modality import modality_of
from classifier.seeds import Seed


def bands(classes: int = 6, rows: int = 3) -> Tensor:
    """For each class dark images with its band bright; for each target those of the other classes ``(K, R, 1, 8, 8)``."""
    generator = torch.Generator().manual_seed(0)
    x = 0.1 * torch.rand(classes, rows, 1, 8, 8, generator=generator)
    for band in range(classes):
        x[band, :, 0, band] += 0.6
    return torch.stack([torch.cat([x[:k], x[k + 1 :]]).flatten(0, 1) for k in range(classes)])


def inverted(strength: float, **options: int) -> tuple[Triggers, Tensor, Cells]:
    sources = bands()
    cells = Cells.of(SCHEMA, sources.flatten(0, 1))
    return invert_triggers(Planted(strength), sources, torch.arange(6), cells, Seed(0), **options), sources, cells  # type: ignore[arg-type]


def test_known_answers_hold() -> None:
    assert all(answer.holds for answer in measure_known_answers(Seed(11)))


def test_the_planted_corner_is_found_where_it_is_and_is_the_smallest_that_works() -> None:
    found, sources, cells = inverted(6.0)
    planted = torch.zeros(8, 8)
    planted[-2:, -2:] = 1
    mask = found.mask[2].reshape(8, 8)
    assert float((mask * planted).sum() / mask.sum()) > 0.9
    whole = WholeTriggers.of(found, lambda x: Planted(6.0)(x).argmax(1), sources, torch.arange(6), cells)
    # Two bright pixels add 6 * (2 - 0.6), more than the largest margin of a band; one bright pixel adds 2.4.
    assert int(whole.taken[2].sum()) <= 4
    assert int(whole.taken[2].sum()) < int(whole.taken[[0, 1, 3, 4, 5]].sum(1).min())
    assert (Planted(6.0)(whole.apply(sources[2], 2)).argmax(1) == 2).all()


def test_what_is_found_does_what_is_said_of_it() -> None:
    found, sources, cells = inverted(0.0)
    laid = found.mask[:, cells.index][:, None]
    changed = sources * (1 - laid) + laid * found.pattern[:, None]
    turned = (Planted(0.0)(changed.flatten(0, 1)).argmax(1).reshape(6, -1) == torch.arange(6)[:, None]).float().mean(1)
    torch.testing.assert_close(turned, found.success)
    assert (found.success >= 0.99).all()
    torch.testing.assert_close(found.mask.sum(1) / 64, found.size)
    assert found.pattern.min() >= 0
    assert found.pattern.max() <= 1


def test_chunks_and_other_targets_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = inverted(6.0, steps=15)[0]
    monkeypatch.setattr("audit.robustness.backdoors.inversion.chunk_size", lambda shape: 2)
    parts = inverted(6.0, steps=15)[0]
    torch.testing.assert_close(whole.size, parts.size, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(whole.mask, parts.mask, rtol=1e-3, atol=1e-4)


def test_the_smallest_mask_of_a_linear_classifier_is_that_of_its_strongest_feature() -> None:
    """Logits (0, 4 a + b - 1) at a = b = 0: replacing a by 1 with a mask of 1/4 is least."""
    schema = Schema("tabular", tuple(Feature(name, "continuous", low=0.0, high=1.0) for name in "ab"))
    sources = torch.zeros(1, 5, 2)
    cells = Cells.of(schema, sources[0])

    def logits(x: Tensor) -> Tensor:
        z = 4 * x[:, :1] + x[:, 1:] - 1
        return torch.cat([torch.zeros_like(z), z], dim=1)

    found = invert_triggers(logits, sources, torch.tensor([1]), cells, Seed(0), steps=400)
    assert float(found.size[0]) * 2 == pytest.approx(0.25, abs=0.03)
    assert found.mask[0, 0] > 10 * found.mask[0, 1]


def test_a_class_that_cannot_be_reached_has_the_whole_input_as_its_trigger() -> None:
    sources = bands()[:1]
    cells = Cells.of(SCHEMA, sources.flatten(0, 1))
    found = invert_triggers(lambda x: x[:, 0, 0, :2] * 0 + torch.tensor([0.0, 1.0]), sources, torch.tensor([0]), cells, Seed(0), steps=5)
    assert found.size.item() == 1
    assert found.success.item() == 0


def test_mixing_by_the_identity_changes_nothing_and_by_a_swap_swaps_the_classes() -> None:
    sources, swap = bands(), torch.eye(6)[[1, 0, 2, 3, 4, 5]]
    cells = Cells.of(SCHEMA, sources.flatten(0, 1))

    def sizes(mixing: Tensor | None, rows: Tensor) -> Tensor:
        return invert_triggers(Planted(0.0), rows, torch.arange(6), cells, Seed(0), mixing=mixing, steps=60).size

    plain = sizes(None, sources)
    torch.testing.assert_close(sizes(torch.eye(6).expand(6, 6, 6), sources), plain, rtol=1e-4, atol=1e-5)
    swapped = sizes(swap.expand(6, 6, 6), sources[[1, 0, 2, 3, 4, 5]])
    torch.testing.assert_close(swapped[[1, 0]], plain[[0, 1]], rtol=0.1, atol=0)


def test_rotations_keep_lengths_of_centred_logits_and_forget_what_all_have_in_common() -> None:
    rotations = random_rotations(5, 200, Seed(0))
    z = torch.randn(7, 5)
    centred = z - z.mean(1, keepdim=True)
    turned = z @ rotations.mT
    torch.testing.assert_close(turned.norm(dim=2), centred.norm(dim=1).expand(200, 7))
    torch.testing.assert_close(turned.sum(2), torch.zeros(200, 7), atol=1e-4, rtol=0)
    # Uniform over all rotations: on average they map to nothing.
    assert rotations.mean(0).abs().max() < 0.15
    torch.testing.assert_close(random_rotations(5, 200, Seed(0)), rotations)


@given(sizes=st.lists(st.floats(0.01, 1), min_size=5, max_size=20), scale=st.floats(0.5, 2), shift=st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_the_index_is_that_of_the_definition_and_knows_no_unit(sizes: list[float], scale: float, shift: float) -> None:
    values = np.array(sizes)
    deviation = 1.4826 * np.median(np.abs(values - np.median(values)))
    index = anomaly_indices(values)
    if deviation > 1e-3:
        assert index == pytest.approx((np.median(values) - values) / deviation)
        assert anomaly_indices(scale * values + shift) == pytest.approx(index, abs=1e-6)


def test_the_index_is_missing_where_it_would_say_nothing() -> None:
    assert np.isnan(anomaly_indices(np.array([0.1, 0.5, 0.6]))).all()
    found = anomaly_indices(np.array([0.1, 0.5, np.nan, 0.6, 0.7]))
    assert np.isnan(found[2])
    assert found[0] == pytest.approx(0.45 / (1.4826 * 0.1))
    assert anomaly_indices(np.array([0.1, 0.5, 0.5, 0.5])).tolist() == [np.inf, 0, 0, 0]


def test_cells_are_pixels_features_or_variables_at_steps_and_leave_what_cannot_change(mixed_schema: Schema) -> None:
    colours = Schema("image", tuple(Feature(n, "continuous", low=0.0, high=1.0) for n in ("r", "g")), size=(3, 4))
    assert Cells.of(colours, torch.rand(2, 2, 3, 4)).free.shape == (12,)
    cells = Cells.of(mixed_schema, torch.rand(4, 8))
    assert cells.index.tolist() == [0, 1, 2, 3, 4, 4, 4, 4]
    fixed = Schema("tabular", (Feature("a", "continuous", low=0, high=1, mutable=False), Feature("b", "continuous", low=0, high=1)))
    assert Cells.of(fixed, torch.rand(2, 2)).free.tolist() == [False, True]
    with pytest.raises(NotApplicableError, match="by the schema nothing can"):
        Cells.of(Schema("tabular", fixed.features[:1]), torch.rand(2, 1))


def test_snapped_patterns_are_valid_rows_and_what_is_valid_stays(mixed_schema: Schema) -> None:
    cells = Cells.of(mixed_schema, torch.rand(4, 8))
    values = cells.values(3 * torch.randn(50, 8, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(values[:, 4:].sum(1), torch.ones(50))
    snapped = cells.snapped(values)
    assert modality_of(mixed_schema).valid(snapped).all()
    torch.testing.assert_close(cells.snapped(snapped), snapped)
    assert ((snapped - values)[:, 1].abs() <= 0.5 / 68 + 1e-6).all()


def test_options_that_cannot_be_are_refused() -> None:
    for options in ({"steps": 0}, {"success": 0}):
        with pytest.raises(ConfigurationError, match="steps must be at least 1"):
            inverted(0.0, **options)
