from __future__ import annotations

import pytest
import torch

from audit.robustness.corruptions import SEVERITIES, corrupt
from audit.robustness.corruptions.corruption import CORRUPTIONS
from classifier import Dataset, Feature, Schema
from classifier.modalities.graph import Graphs
from classifier.modalities.sequence import Series
from classifier.modality import modality_of


@pytest.mark.parametrize("modality", ["sequence", "graph"])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_valid_input_stays_valid(modality: str, severity: int, recordings: Dataset, rings: Dataset) -> None:
    data = {"sequence": recordings, "graph": rings}[modality]
    for kind in CORRUPTIONS[modality]:
        y = corrupt(data.inputs, data.schema, kind=kind, severity=severity)
        assert modality_of(data.schema).valid(y).all(), kind
        low, high = data.schema.bounds
        assert ((y >= low - 1e-6) & (y <= high + 1e-6)).all(), kind


@pytest.mark.parametrize("kind", CORRUPTIONS["sequence"].ids())
def test_what_follows_the_end_of_a_series_repeats_its_end(kind: str, recordings: Dataset) -> None:
    series = Series(recordings.schema)
    x = recordings.inputs
    y = corrupt(x, recordings.schema, kind=kind, severity=4)
    assert torch.equal(series.observed(y), series.observed(x))
    lengths = (series.observed(x) > 0.5).sum(1)
    for row, length in zip(y, lengths.tolist(), strict=True):
        assert (row[length:, :-1] == row[length - 1, :-1]).all()


@pytest.mark.parametrize("kind", CORRUPTIONS["sequence"].ids())
def test_the_severer_the_farther_from_the_clean_series(kind: str, recordings: Dataset) -> None:
    x = recordings.inputs
    distances = [float((corrupt(x, recordings.schema, kind=kind, severity=s) - x)[..., 0].square().mean()) for s in SEVERITIES]
    assert distances == sorted(distances)
    assert distances[-1] > 2 * distances[0] > 0


def counting(steps: int, scale: float = 1.0) -> tuple[torch.Tensor, Schema]:
    """Series that count their steps, from 1."""
    schema = Schema("sequence", (Feature("step", "continuous", scale=scale),), encoding="natural", size=(steps,))
    return (torch.arange(steps) + 1.0)[None, :, None].repeat(200, 1, 1), schema


def test_a_lost_stretch_repeats_the_step_before_it() -> None:
    x, schema = counting(20)
    y = corrupt(x, schema, kind="missing_stretches", severity=3)
    for row in y[:, :, 0]:
        changed = (row != x[0, :, 0]).nonzero()[:, 0].tolist()
        assert len(changed) == 6
        assert changed == list(range(changed[0], changed[0] + 6))
        assert set(row[changed].tolist()) == {float(changed[0]) if changed[0] > 0 else 7.0}


def test_a_shift_in_time_moves_every_step_earlier_or_later() -> None:
    x, schema = counting(20)
    moved = corrupt(x, schema, kind="time_shift", severity=5)[:, :, 0] - x[:, :, 0]
    assert {row[10].item() for row in moved} == {-4.0, 4.0}
    assert torch.equal(moved[:, 4:16], moved[:, 10:11].expand(-1, 12))


def test_a_wrong_gain_is_one_factor_for_a_series() -> None:
    x, schema = counting(20)
    gain = corrupt(x, schema, kind="scaling", severity=2)[:, :, 0] / x[:, :, 0]
    assert torch.allclose(gain, gain[:, :1].expand_as(gain))
    assert {round(value, 3) for value in gain[:, 0].tolist()} == {0.9, 1.1}


def test_noise_of_a_series_has_the_stated_deviation() -> None:
    x, schema = counting(50, scale=4.0)
    assert float((corrupt(x, schema, kind="noise", severity=4) - x).std()) == pytest.approx(0.4, rel=0.03)


def test_a_series_of_one_step_is_left_a_step() -> None:
    x, schema = counting(1)
    for kind in ("missing_stretches", "time_shift"):
        assert torch.equal(corrupt(x, schema, kind=kind, severity=5), x)


def test_edges_are_dropped_as_often_as_stated_and_none_is_added(rings: Dataset) -> None:
    graphs = Graphs(rings.schema)
    before = graphs.parts(rings.inputs)[1]
    shares = []
    for severity in SEVERITIES:
        nodes, after = graphs.parts(corrupt(rings.inputs, rings.schema, kind="dropped_edges", severity=severity))
        assert torch.equal(nodes, graphs.parts(rings.inputs)[0])
        assert (after <= before).all()
        shares.append(1 - float(after.sum() / before.sum()))
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(0.5, abs=0.1)


def test_noise_at_the_nodes_leaves_empty_places_and_edges_alone(rings: Dataset) -> None:
    graphs = Graphs(rings.schema)
    y = corrupt(rings.inputs, rings.schema, kind="node_noise", severity=5)
    there = graphs.present(rings.inputs)
    assert torch.equal(graphs.parts(y)[1], graphs.parts(rings.inputs)[1])
    assert torch.equal(y[~there], rings.inputs[~there])
    assert not torch.equal(y[there], rings.inputs[there])
