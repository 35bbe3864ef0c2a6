"""The model card: the hub's own reader reads its metadata, and every number in it is the record's."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from audit.exports import Source
from audit.exports.formats.model_card import ModelCard
from audit.exports.text import plain


def card(source: Source) -> str:
    return ModelCard().content(source).decode()


def metadata(source: Source) -> dict[str, Any]:
    found = re.match(r"---\n(.*?\n)---\n", card(source), flags=re.DOTALL)
    assert found is not None
    return dict(yaml.safe_load(found[1]))


@pytest.mark.parametrize("name", ["hostile", "golden", "missed", "unjudged"])
def test_the_hub_reads_the_metadata_that_was_meant(sources: dict[str, Source], name: str) -> None:
    hub = pytest.importorskip("huggingface_hub")
    source = sources[name]
    read = hub.ModelCard(card(source))
    assert read.data.model_name == plain(source.audit.identity.name)
    measured = {metric.name: metric.value for evidence in source.audit.evidence for metric in evidence.metrics if not metric.where}
    for result in read.data.eval_results:
        if not result.metric_args["where"]:
            assert result.metric_value == pytest.approx(measured[result.metric_type], abs=0)
    assert len(read.data.eval_results) >= 2


def test_every_number_carries_its_interval_n_and_kind_of_bound(source: Source) -> None:
    (model,) = metadata(source)["model-index"]
    (result,) = model["results"]
    brier = next(metric for metric in result["metrics"] if metric["type"] == "performance.brier")
    assert brier["value"] == 1e-05
    assert brier["args"] == {
        "low": 0.0,
        "high": 2e-05,
        "confidence": 0.95,
        "interval": "wilson",
        "n": 100,
        "bound": "upper",
        "where": {},
    }
    assert brier["name"].endswith("(upper bound)")


def test_a_number_that_is_missing_is_not_in_the_index(source: Source) -> None:
    (model,) = metadata(source)["model-index"]
    assert {metric["type"] for metric in model["results"][0]["metrics"]} == {"performance.accuracy", "performance.brier"}


def test_a_declared_licence_is_named_and_none_is_guessed(source: Source) -> None:
    bare = replace(source, audit=replace(source.audit, identity=replace(source.audit.identity, declarations={})))
    assert metadata(source)["license_name"] == plain(source.audit.identity.declarations["licence"])
    assert not {"license", "license_name"} & metadata(bare).keys()


def test_names_add_no_line_no_cell_and_no_markup(source: Source) -> None:
    tame = replace(source.audit, identity=replace(source.audit.identity, name="tame", architecture="mlp", declarations={}))
    found, expected = card(source).splitlines(), card(replace(source, audit=tame)).splitlines()
    body = card(source).partition("\n---\n")[2]
    assert not re.search(r"(?<!\\)[<>`]", body)
    for line in body.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (3, 4, 6)
    # Two declarations have a line each; without any, one line says so.
    assert len(found) == len(expected) + 1 + 2


def test_without_a_policy_it_says_that_nothing_was_judged(sources: dict[str, Source]) -> None:
    assert "Nothing was judged: there is no policy." in card(sources["unjudged"])


def test_an_accepted_fail_is_called_a_fail_that_is_accepted(source: Source) -> None:
    (row,) = [line for line in card(source).splitlines() if line.startswith("| WAIVED |")]
    assert "| fail, accepted | high |" in row
