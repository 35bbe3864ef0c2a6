from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from typing import get_args

import pytest

from audit import Audit, Policy
from audit.check import ROOMS, check_ids, metric_names
from audit.controls import Matrix
from audit.explanation.checks.attribution import ESTIMATES, EXACT, SECOND
from audit.policy import Reason, Severity, Verdict
from audit.policy.independence import ASKED
from audit.report import compose, composing, drawing, html, languages, render_html, summarise, terminal
from audit.report.catalogue import read_catalogue
from audit.report.parts.choices import ROOMS as IN_BODY
from audit.report.parts.next_steps import RESPONSES
from audit.report.wording import PERCENT, POINTS
from audit.robustness.certificates.margins import Relaxation
from audit.robustness.corruptions.corruption import CORRUPTIONS, SEVERITIES
from audit.robustness.method import ATTACKS
from audit.robustness.out_of_distribution import SCORES
from audit.robustness.texts.edit import Kind as Edited
from audit.robustness.texts.rewriting import REWRITINGS
from classifier.architecture import ARCHITECTURES
from classifier.catalogue import Catalogue, CatalogueError
from classifier.dataset import Independence
from classifier.errors import ConfigurationError
from classifier.schema import Kind
from explain.output import Kind as Output

DAMAGES = {kind for registry in CORRUPTIONS.values() for kind in registry}
# Families of keys that a record chooses from, and all that it can choose.
FAMILIES = {
    "metric": {name.partition(".")[0] for name in (*metric_names(), ASKED)},
    "room": set(ROOMS),
    "room_lead": set(ROOMS),
    "room_question": set(IN_BODY),
    "room_follows": set(IN_BODY),
    "reason": set(get_args(Reason)),
    "next.room": {*ROOMS, "policy"},
    "next.reason": set(get_args(Reason)) - {"holds", "broken", "independent", "not_independent"},
    "response": {*RESPONSES, "missing"},
    "bound": {"upper", "lower"},
    "control_status": {"measured", "declared", "out of scope"},
    "severity": {*get_args(Severity), "all"},
    "verdict": set(get_args(Verdict)),
    "architecture": {*ARCHITECTURES, "brought", "predictions"},
    "independence": set(get_args(Independence)),
    "profile": {"quick", "standard", "thorough"},
    "where_value.method": {*EXACT, *ESTIMATES, SECOND},
    "where_value.rows": {"valid", "any"},
    "output": set(get_args(Output)),
    "table.data.quality.features.cells.kind": set(get_args(Kind)),
    "table.data.quality.features.cells.role": {"input", "protected input"},
    "where_value.corruption": {"none", "all", *DAMAGES},
    "table.robustness.corruptions.by_corruption.cells.corruption": {"none", *DAMAGES},
    "table.robustness.corruptions.by_corruption.columns": {
        "corruption",
        "mean",
        *(f"severity_{severity}" for severity in SEVERITIES),
        "calibration_error",
        "brier",
        "invalid",
    },
    "where_value.score": set(SCORES),
    "table.robustness.out_of_distribution.abstention.cells.score": set(SCORES),
    **{f"figure.robustness.out_of_distribution.roc_{distance}.series": set(SCORES) for distance in ("near", "far", "given")},
    "where_value.distance": {"near", "far", "given"},
    "where_value.set": {"spliced", "noisy", "shuffled", "uniform", "flat", "corners", "given"},
    "where_value.edits": {"all", *get_args(Edited)},
    "table.robustness.text_edits.by_kind.cells.edits": {"all", *get_args(Edited)},
    "where_value.test": set(REWRITINGS),
    **{f"table.robustness.invariance.{name}.cells.test": set(REWRITINGS) for name in ("counts", "examples")},
    "table.robustness.attack.broken_by.columns": {"eps", "kind", *ATTACKS, "proven", "standing"},
    "table.robustness.bounds.methods.columns": {"eps", "kind", "wrong", "known", *get_args(Relaxation), "law", "open"},
    "figure.robustness.smoothing.accuracy_against_radius.series": {f"noise_{number}" for number in range(1, 7)},
    # Stages and hardware are what `run.json` may name.
    "stage": {"read", "train", "audit", "seal", "report"},
    "hardware": {"processor", "cores", "system", "device"},
}
RUN = {
    "started": "2026-01-01T09:30:00+00:00",
    "seconds": {"read": 0.1, "checks": {}},
    "hardware": {"cores": 2},
    "seal": {"file": "model.safetensors.age", "recipients": 1, "digest": "ab" * 32, "opened_again": True},
    "signers": ["A. Person"],
    "responses": {"BROKEN": {"owner": "A. Person", "response": "calibrate", "due": "2026-03-01", "status": "open"}},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_choice_of_a_record_has_its_words_and_no_words_are_for_nothing(family: str) -> None:
    assert set(read_catalogue().under(family)) == FAMILIES[family]


def test_every_check_has_its_question_and_every_metric_its_meaning() -> None:
    catalogue = read_catalogue()
    assert set(catalogue.checks()) == set(check_ids())
    for check in check_ids():
        assert set(catalogue.under(f"check.{check}")) == {"title", "question", "reading"}
    metrics = {f"{room}.{name}" for room in catalogue.under("metric") for name in catalogue.under(f"metric.{room}")}
    assert metrics == {*metric_names(), ASKED}
    for name in metric_names():
        assert {"title", "meaning"} <= set(catalogue.under(f"metric.{name}")) <= {"title", "meaning", "caution"}


def test_next_steps_are_for_metrics_that_exist() -> None:
    catalogue = read_catalogue()
    steps = {f"{room}.{name}" for room in catalogue.under("next.metric") for name in catalogue.under(f"next.metric.{room}")}
    assert steps <= set(metric_names())


def test_every_abbreviation_of_a_report_is_in_its_glossary() -> None:
    catalogue = read_catalogue()
    explained = " ".join(catalogue(f"glossary.{term}.term") for term in catalogue.under("glossary"))
    for key, sentence in catalogue.sentences.items():
        for word in re.findall(r"\b[A-Z]{2,}\b", sentence):
            assert re.search(rf"\b{word}\b", explained), f"{key} says {word}, which no reader need know"


def test_percentages_and_points_are_written_for_metrics_that_exist() -> None:
    assert set(metric_names()) >= PERCENT | POINTS
    assert not PERCENT & POINTS


class Recorded(dict[str, str]):
    """Sentences that remember which of them were read."""

    def __init__(self, sentences: Mapping[str, str]) -> None:
        super().__init__(sentences)
        self.used: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self.used.add(key)
        return super().__getitem__(key)


def test_reports_use_every_sentence(
    unjudged: Audit, judged: Audit, declared: Audit, not_run: Audit, images: Audit, texts: Audit, policy: Policy, law: Matrix,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    recorded = Recorded(read_catalogue().sentences)
    for module in (composing, drawing, html, terminal):
        monkeypatch.setattr(module, "read_catalogue", lambda language: Catalogue(language, recorded))
    render_html(judged, run=RUN, policy=policy)
    compose(unjudged, run={"seal": {"opened_again": False}})
    compose(not_run)
    compose(declared, run=RUN, matrices=(law,))
    compose(declared, run={"started": "2026-07-01T00:00:00+00:00"})
    for audit in (unjudged, judged):
        summarise(audit)
    for audit in (images, texts):
        compose(audit)
    chosen = (*FAMILIES, "sense", "declaration", "where_value", "table.fairness.groups.by_group", "glossary")
    chosen += ("next.metric", "prevailing")
    # What other readers of the catalogue say.
    chosen += ("control_evidence", "control_record", "diff", "note.evidence", "pdf")
    # Pictures and tables of images and texts, whose own audits are rendered elsewhere.
    chosen += tuple(f"figure.explanation.attribution.{kind}" for kind in ("image", "parts", "words"))
    chosen += tuple(f"table.explanation.attribution.{kind}" for kind in ("text", "words"))
    # Sentences for records that are rarer than these three.
    rare = {
        "headline.nothing", "headline.holds", "headline.undecided", "number.power", "number.lower", "number.unit",
        "identity.decision_likeliest", "identity.no_classifier", "finding.none_worst", "scope.nothing_missing", "scope.more", "figure.rest",
        "limits.no_waiver", "answer.none", "note.performance.independence_unknown", "note.fairness.test_rows", "where.fpr",
        "cleaning.missing", "cleaning.filled", "cleaning.constant", "language.name", "identity.known_none",
        "number.bounded_exact", "body.shortened", "body.more_judged", "body.nothing", "expiry.unclear", "finding.more", "finding.waived",
        "where.group", "scope.alike", "table.robustness.attack.example.special.feature.(class)",
        "check.performance.compression.reading",
        *(f"metric.performance.compression_{name}.meaning" for name in ("agreement", "accuracy_change")),
    }  # fmt: skip
    unused = {key for key in recorded if key not in recorded.used and not key.startswith(tuple(f"{f}." for f in chosen))}
    assert sorted(unused - rare) == []
    assert rare <= set(recorded)


def test_a_missing_sentence_raises_and_never_shows_its_key() -> None:
    with pytest.raises(CatalogueError, match=r"no sentence 'heading\.findngs'; did you mean 'heading\.findings'"):
        read_catalogue()("heading.findngs")


def test_a_missing_word_raises() -> None:
    with pytest.raises(CatalogueError, match="needs the word 'name'"):
        read_catalogue()("report.title")


def test_an_unknown_language_is_refused_and_the_known_are_named() -> None:
    assert "en" in languages()
    with pytest.raises(ConfigurationError, match="there is no catalogue for the language 'xx'"):
        read_catalogue("xx")


def test_every_language_has_the_same_keys_and_the_same_words_to_fill_in() -> None:
    english = read_catalogue("en")
    for language in languages():
        other = read_catalogue(language)
        assert set(other.sentences) == set(english.sentences)
        for key in english.sentences:
            assert _words(other, key) <= _words(english, key), key


def _words(catalogue: Catalogue, key: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(catalogue.sentences[key]) if name}


def test_no_sentence_claims_what_a_measurement_cannot() -> None:
    for key, sentence in read_catalogue().sentences.items():
        for word in ("complian", "certified", " safe", "guarantee"):
            assert word not in f" {sentence.lower()}", key
