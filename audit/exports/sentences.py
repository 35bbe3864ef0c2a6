"""Sentences: findings in the English of the report's catalogue, one line each."""

from __future__ import annotations

from functools import cache

from audit.exports.text import plain
from audit.policy import Finding, Verdict
from audit.report.catalogue import read_catalogue
from audit.report.wording import Wording
from classifier.metric import Metric

VERDICT_WORDS: dict[Verdict, str] = {"pass": "pass", "fail": "fail", "inconclusive": "inconclusive", "not_run": "not run"}


@cache
def english() -> Wording:
    """What puts a record into English."""
    return Wording(read_catalogue("en"))


def subject_of(finding: Finding) -> str:
    """What a rule is about: what its metric is called, and what it was measured on."""
    return name_of(finding.metric) if finding.metric is not None else plain(english().title(finding.asked))


def name_of(metric: Metric) -> str:
    """What a metric is called, and what it was measured on."""
    place = f" ({english().where(metric)})" if metric.where else ""
    return plain(f"{english().title(metric.name)}{place}")


def measured(metric: Metric | None) -> str:
    """Value, kind of bound, interval and n."""
    return plain(english().measured(metric))


def required(finding: Finding) -> str:
    """The limit, and who set it."""
    return plain(english().requirement(finding))


def why(finding: Finding) -> str:
    """Why a finding has its verdict."""
    return plain(english().why(finding))


def summary(finding: Finding) -> str:
    """A finding in one line: verdict, what was asked, what was measured, what is required, and why."""
    waived = f" Accepted by {plain(finding.waived_by)}." if finding.violated and finding.waived_by is not None else ""
    word = VERDICT_WORDS[finding.verdict].capitalize()
    return f"{word}. {subject_of(finding)}: {measured(finding.metric)}; required: {required(finding)}. {why(finding)}{waived}"
