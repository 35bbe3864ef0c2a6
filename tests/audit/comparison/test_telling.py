"""What changed is told in 80 columns and in a document, in every language, and says the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.bundle import Audit
from audit.comparison import Difference, Remedy, Response, compare, compose, phrases, remedies, tell
from audit.comparison.lines import columns, wrap
from audit.evidence import Evidence
from audit.report.catalogue import languages, read_catalogue
from audit.report.html import set_html
from classifier.catalogue import Catalogue
from classifier.errors import ConfigurationError
from classifier.known_answer import KnownAnswer
from classifier.metric import Metric

MakeAudit = Callable[..., Audit]


def _rule(name: str, metric: str = "performance.accuracy", **limit: Any) -> dict[str, Any]:
    return {"id": name, "metric": metric, "set_by": "committee", "rationale": "a test", **limit}


WAIVER = {"rule": "WAIVED", "reason": "for now", "owner": "A. Person", "expires": "2026-12-31"}
OLD_RULES = [
    _rule("RIGHT", min=0.6), _rule("LOOSER", min=0.99), _rule("TIGHTER", min=0.5), _rule("REPLACED", min=0.5), _rule("GONE", min=0.5),
    _rule("WAIVED", min=0.99, severity="high", on_inconclusive="fail"), _rule("LOST", "robustness.accuracy", max=0.9),
    _rule("BETTER", min=0.77), _rule("NARROWED", "robustness.accuracy", min=0.1),
    _rule("WIDENED", "robustness.accuracy", min=0.1, where={"eps": 0.1}, severity="low"),
    _rule("ELSEWHERE", "robustness.accuracy", min=0.1, where={"eps": 0.1}),
]  # fmt: skip
NEW_RULES = [
    _rule("RIGHT", min=0.6), _rule("LOOSER", min=0.1), _rule("TIGHTER", min=0.55), _rule("REPLACED", max=0.5), _rule("ADDED", min=0.1),
    _rule("ADDED-BAD", min=0.99), _rule("WAIVED", min=0.99), _rule("LOST", "privacy.membership_auc", max=0.9), _rule("BETTER", min=0.1),
    _rule("NARROWED", "robustness.accuracy", min=0.1, where={"eps": 0.1}), _rule("WIDENED", "robustness.accuracy", min=0.1),
    _rule("ELSEWHERE", "robustness.accuracy", min=0.1, where={"norm": "Linf"}),
]  # fmt: skip


def _evidence(value: float, *, why: str = "", count: int = 0, queries: int = 20) -> list[Evidence]:
    """Numbers of every kind that a change can have, as of two audits that are nothing alike."""
    importance = Metric(
        "explanation.importance", value, value - 0.01, value + 0.01, 9, where={"feature": "age"}, interval="bootstrap", better="neither"
    )
    transfer = Metric("robustness.transfer_accuracy", value, value - 0.01, value + 0.01, 900, interval="bootstrap", unreliable=why)
    bound = Metric("robustness.unsmoothed_accuracy", value, value, value, 9, interval="exact", bound="upper" if count else "estimate")
    noise = Metric("data.label_noise", value, value, value, 9) if count else Metric.missing("data.label_noise", "not to be told")
    auc = Metric("privacy.membership_auc", value, value, value, 9) if not count else Metric.missing("privacy.membership_auc", "no rows")
    fidelity = Metric("robustness.surrogate_fidelity", value, value, value, 9, where={"queries": queries})
    size = Metric.counted("robustness.trigger_size", value, 9, better="higher")
    defects = Metric.counted("data.duplicates_across_splits", float(count), 200, better="lower")
    return [
        Evidence("explanation.attribution", (importance,), parameters={"rows": 9}),
        Evidence("robustness.transfer", (transfer, fidelity)),
        Evidence("robustness.smoothing", (bound,)),
        Evidence("data.label_errors", (noise,)),
        Evidence("privacy.membership", (auc,)),
        Evidence("robustness.backdoor", (size,)),
        Evidence("robustness.distance", (Metric("robustness.least_distance", value, value, value, 9),), parameters={"steps": count}),
        Evidence("data.quality", (defects,)),
        Evidence("robustness.corruptions" if count else "robustness.bounds", (Metric("robustness.exact_accuracy", value, 0.1, 0.9, 9),)),
        Evidence("performance.learning", (Metric("performance.learned_p_value", value, value, value, 9),) * (1 + count)),
    ]


@pytest.fixture(scope="module")
def changed(
    make_audit: MakeAudit, event: NDArray[np.float64], worse: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[Difference, tuple[Remedy, ...]]:
    """Two audits of which everything is told that can be told."""
    old = make_audit(event, labels, robust=event < 0.4, more=_evidence(0.2), rules=OLD_RULES, waivers=[WAIVER])
    new = make_audit(
        worse, labels, robust=event < 0.9, more=_evidence(0.6, why="all gradients are zero", count=1, queries=50), rules=NEW_RULES,
        seed=3, threshold=0.4, classifier="99" * 32, name="loans \x1b[31m <b>anew</b>", architecture="logistic", features=4,
        independence="given", data={"test": "00" * 32}, source={}, protected=(), protected_inputs=("age",), declarations={},
    )  # fmt: skip
    wrong = replace(new, software={"assay": "2"}, interrupted=True, trust={"sha256": "77" * 32})
    responses = {"LOOSER": Response("A. Person", "moved the limit", "2026-05-01", "done")}
    return compare(old, wrong), remedies(old.findings, wrong.findings, responses)


def test_the_terminal_has_80_columns_and_no_stranger_commands_it(changed: tuple[Difference, tuple[Remedy, ...]]) -> None:
    for language in languages():
        told = tell(*changed, language=language)
        assert all(columns(line) <= 80 for line in told.splitlines())
        assert "\x1b" not in told
        assert "A. Person" in told
    told = tell(*changed)
    for sentence in (
        "Worse: rules newly violated",
        "Seed: 0 → 3",
        "LOOSER: The limit was loosened: Accuracy: at least 99.0 % → Accuracy: at least 10.0 %.",
        "it holds by a rule that was changed; that the old rule is met is not shown",
        "WAIVED: A violation weighs less: high; what is not decided is a violation → medium; what is not decided is no violation.",
        "two samples, Newcombe's interval",
    ):
        assert sentence in " ".join(told.split())


def test_the_document_says_every_change_and_is_the_same_each_time(changed: tuple[Difference, tuple[Remedy, ...]]) -> None:
    difference, failed = changed
    for language in languages():
        page = set_html(compose(difference, failed, language=language, date="2026-06-01"), {})
        assert page == set_html(compose(difference, failed, language=language, date="2026-06-01"), {})
        assert "<b>anew</b>" not in page
        for rule in difference.rules:
            assert rule.rule in page
        say = read_catalogue(language)
        for change in difference.of("regression", "improvement", "different", "untested", "same"):
            assert say(f"metric.{change.name}.title") in page
        assert "<script" not in page


class _Recorded(dict[str, str]):
    """Sentences that remember which of them were read."""

    def __init__(self, sentences: Mapping[str, str]) -> None:
        super().__init__(sentences)
        self.used: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self.used.add(key)
        return super().__getitem__(key)


def _rarer(make_audit: MakeAudit, event: NDArray[np.float64], worse: NDArray[np.float64], labels: NDArray[np.int64]) -> list[Audit]:
    """Audits of the same rows, an old and a new one, whose rules turn in the other ways; one without rules, and one of nothing."""
    limits = {"REMEDIED": 0.7, "UNDECIDED": 0.8, "GONE": 0.99, "ACCEPTED": 0.99, "RENEWED": 0.99, "LOST": 0.6, "SAME": 0.1}
    many = [_rule(f"NEW-{number}", min=0.1) for number in range(30)]
    rules = [_rule(name, min=limit) for name, limit in limits.items()]
    later = [{**WAIVER, "rule": name, "expires": "2027-12-31"} for name in ("ACCEPTED", "RENEWED")]
    old = make_audit(worse, labels, robust=worse < 0.4, rules=rules, waivers=[{**WAIVER, "rule": "RENEWED"}])
    new = make_audit(event, labels, robust=event < 0.4, rules=[*(rule for rule in rules if rule["id"] != "GONE"), *many], waivers=later)
    bare = make_audit(event, labels, rules=())
    wrong = replace(bare, known_answers=(KnownAnswer("engine", "one is one", 1.0, 2.0, 0.0),))
    return [old, new, bare, wrong, replace(bare, evidence=())]


def test_every_sentence_is_used_and_none_is_missing(
    changed: tuple[Difference, tuple[Remedy, ...]],
    make_audit: MakeAudit,
    event: NDArray[np.float64],
    worse: NDArray[np.float64],
    labels: NDArray[np.int64],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded = _Recorded(read_catalogue().sentences)
    monkeypatch.setattr(phrases, "read_catalogue", lambda language: Catalogue(language, recorded))
    old, new, bare, wrong, empty = _rarer(make_audit, event, worse, labels)
    pairs = ((old, new), (new, old), (bare, bare), (bare, wrong), (empty, bare), (bare, empty))
    possible = compare(bare, bare)
    possible = replace(possible, changes=tuple(replace(change, status="possible") for change in possible.changes))
    for difference, failed in (
        changed,
        (possible, ()),
        *((compare(*pair), remedies(pair[0].findings, pair[1].findings, {})) for pair in pairs),
    ):
        tell(difference, failed)
        compose(difference, failed)
    assert sorted(key for key in recorded if key.startswith("diff.") and key not in recorded.used) == []


def test_a_language_without_a_catalogue_is_refused(changed: tuple[Difference, tuple[Remedy, ...]]) -> None:
    with pytest.raises(ConfigurationError, match="no catalogue for the language 'xx'"):
        tell(*changed, language="xx")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three", ["  one two", "    three"]),
        ("一二三四五六七", ["  一二三四", "    五六七"]),
        ("一二三，四五六七", ["  一二三，", "    四五六", "    七"]),
        ("longer-than-any-line", ["  longer-than-any-line"]),
        ("n\u00a0=\u00a04 is n", ["  n = 4 is", "    n"]),
        ("", [""]),
    ],
)
def test_lines_break_between_words_and_between_wide_characters(text: str, lines: list[str]) -> None:
    assert wrap(text, 10, indent="  ", hanging="    ") == lines
