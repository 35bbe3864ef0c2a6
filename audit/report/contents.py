"""Contents: what stands in a report, and in which order. It chooses and sorts; it computes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from audit.bundle import Audit
from audit.evidence import Evidence, Figure, Table
from audit.policy import VERDICTS, Finding, Policy, Severity, Verdict
from audit.report.wording import Wording
from classifier.catalogue import Catalogue
from classifier.metric import Metric

SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")
# Tables whose numbers the report shows from the metrics instead, with their intervals.
_SHOWN_BY_GROUP = frozenset({"fairness.groups.by_group"})
# More measurements of one metric than this are folded away.
_MANY = 12


@dataclass(frozen=True)
class Contents:
    """What a report shows of an audit.

    Args:
        audit: The record.
        catalogue: The sentences.
        policy: The policy that judged, if it is at hand.
    """

    audit: Audit
    catalogue: Catalogue
    policy: Policy | None = None

    @property
    def rooms(self) -> tuple[str, ...]:
        """The areas that something was asked of."""
        asked = {evidence.check.partition(".")[0] for evidence in self.audit.evidence}
        return tuple(room for room in self.catalogue.under("room") if room in asked)

    @property
    def sections(self) -> tuple[str, ...]:
        """Every part of the report, by its id."""
        return ("verdict", "scope", *self.rooms, "artefacts", "findings", "limits", "reproduce", "glossary")

    def evidence(self, room: str) -> tuple[Evidence, ...]:
        """The evidence of one area."""
        return tuple(evidence for evidence in self.audit.evidence if evidence.check.startswith(f"{room}."))

    def headline(self) -> list[str]:
        """The verdict in a few sentences, the gravest first."""
        findings, say = self.audit.findings, self.catalogue
        violated = [finding for finding in findings if finding.violated]
        waived = sum(finding.waived_by is not None for finding in violated)
        undecided = sum(finding.verdict in ("inconclusive", "not_run") for finding in findings)
        counts = {"rules": len(findings), "violated": len(violated), "waived": waived, "undecided": undecided}
        lines = []
        if not all(answer.holds for answer in self.audit.known_answers):
            lines.append("engine")
        if self.audit.interrupted:
            lines.append("interrupted")
        if all(evidence.not_run is not None for evidence in self.audit.evidence):
            lines.append("nothing")
        if not findings:
            lines.append("unjudged")
        elif violated:
            lines += ["violated", "waived"] if waived else ["violated"]
        else:
            lines.append("undecided" if undecided else "holds")
        return [say(f"headline.{line}", counts) for line in lines]

    def count(self, verdict: Verdict, severity: Severity) -> int:
        """How many findings have a verdict and a severity."""
        return sum(finding.verdict == verdict and finding.severity == severity for finding in self.audit.findings)

    def ranked(self) -> tuple[Finding, ...]:
        """All findings, those that weigh most first."""
        return tuple(sorted(self.audit.findings, key=_weight))

    def worst(self) -> tuple[Finding, ...]:
        """The three that weigh most, among those that are a fail or inconclusive."""
        return tuple(finding for finding in self.ranked() if finding.verdict in ("fail", "inconclusive"))[:3]

    def waived(self) -> tuple[Finding, ...]:
        """The violations that somebody accepts."""
        return tuple(finding for finding in self.ranked() if finding.violated and finding.waived_by is not None)

    def expired(self, finding: Finding) -> dict[str, str] | None:
        """Who had accepted a finding until a day that has passed."""
        if self.policy is None or finding.waived_by is not None:
            return None
        for waiver in self.policy.waiver:
            if waiver.rule == finding.rule:
                return {"owner": waiver.owner, "expires": waiver.expires.isoformat()}
        return None

    def not_measured(self) -> list[tuple[str, str]]:
        """Checks, numbers and rules without a result, and why."""
        say, wording = self.catalogue, Wording(self.catalogue)
        lines = [(say(f"check.{e.check}.title"), e.not_run) for e in self.audit.evidence if e.not_run is not None]
        for evidence in self.audit.evidence:
            if evidence.not_run is None:
                lines += [(_together(alike, wording), reason) for reason, alike in _by_reason(evidence).items()]
        lines += [(finding.rule, wording.why(finding)) for finding in self.audit.findings if finding.verdict == "not_run"]
        asked = {evidence.check for evidence in self.audit.evidence}
        lines += [(say(f"check.{check}.title"), say("scope.left_out")) for check in say.checks() if check not in asked]
        return lines

    def metrics(self, evidence: Evidence, *, many: bool = False) -> dict[str, list[Metric]]:
        """The numbers of a check by name, but for those of groups.

        Args:
            evidence: What the check measured.
            many: Whether to give the metrics with many measurements, or those with few.
        """
        by_name: dict[str, list[Metric]] = {}
        for metric in evidence.metrics:
            if "group" not in metric.where:
                by_name.setdefault(metric.name, []).append(metric)
        return {name: found for name, found in by_name.items() if (len(found) > _MANY) == many}

    def remarks(self, metrics: list[Metric]) -> list[str]:
        """What is to be said under each row of a table of numbers: why it is missing, once where that is the same, or unreliable."""
        said = []
        for metric, following in zip(metrics, [*metrics[1:], None], strict=True):
            if metric.value is None:
                last = following is None or following.value is not None or following.reason != metric.reason
                said.append((metric.reason or "") if last else "")
            else:
                said.append(self.catalogue("number.unreliable", {"why": metric.unreliable}) if metric.unreliable else "")
        return said

    def groups(self, evidence: Evidence) -> dict[str, dict[str, dict[str, Metric]]]:
        """The numbers of groups: by attribute, by group, by name."""
        found: dict[str, dict[str, dict[str, Metric]]] = {}
        for metric in evidence.metrics:
            if "group" in metric.where:
                attribute, group = str(metric.where.get("attribute", "")), str(metric.where["group"])
                found.setdefault(attribute, {}).setdefault(group, {})[metric.name] = metric
        return found

    def tables(self, evidence: Evidence) -> tuple[Table, ...]:
        """The tables of a check."""
        return tuple(table for table in evidence.tables if f"{evidence.check}.{table.name}" not in _SHOWN_BY_GROUP)

    def confidence(self, metrics: Iterable[Metric]) -> str:
        """The coverage of the intervals in a table, for its head."""
        shown = {Wording(self.catalogue).confidence(metric): None for metric in metrics}
        return " / ".join(shown)

    def figure_data(self, check: str, figure: Figure) -> tuple[list[str], list[list[str]]]:
        """The heads and the rows of the table under a figure."""
        say, wording = self.catalogue, Wording(self.catalogue)
        x = "" if figure.kind == "pictures" else wording.figure(check, figure, "x")
        if figure.kind == "waterfall":
            (series,) = figure.series
            ends = [(wording.figure(check, figure, part), figure.words[word]) for part, word in (("start", "base"), ("end", "value"))]
            steps = [[wording.label(label), wording.number(y)] for label, y in zip(figure.labels, series.y, strict=True)]
            first, last = ([name, wording.number(float(value))] for name, value in ends)
            return [say("column.item"), x], [first, *steps, last]
        if figure.kind == "heatmap":
            contributions = zip(figure.labels, figure.series[0].y, strict=True)
            return [say("column.item"), x], [[wording.label(label), wording.number(y)] for label, y in contributions]
        if figure.kind == "pictures":
            means = (sum(series.y) / len(series.y) for series in figure.series)
            return [say("column.item"), say("column.brightness")], [
                [wording.label(label), wording.number(mean)] for label, mean in zip(figure.labels, means, strict=True)
            ]
        bounds = [say("column.low"), say("column.high")] if any(series.low for series in figure.series) else []
        if figure.kind == "intervals":
            (series,) = figure.series
            numbers = zip(series.y, series.low, series.high, strict=True)
            rows = [[wording.label(name), *map(wording.number, row)] for name, row in zip(figure.labels, numbers, strict=True)]
            return [say("column.item"), x, *bounds], rows
        rows = []
        for series in figure.series:
            name = wording.figure(check, figure, f"series.{series.name}")
            places = zip(series.x, series.y, *((series.low, series.high) if series.low else ()), strict=True)
            rows += [[name, *map(wording.number, place)] for place in places]
        return [say("column.series"), x, wording.figure(check, figure, "y"), *bounds], rows


def _by_reason(evidence: Evidence) -> dict[str, list[Metric]]:
    """The numbers that a check could not give, by the reason."""
    alike: dict[str, list[Metric]] = {}
    for metric in evidence.metrics:
        if metric.value is None:
            alike.setdefault(metric.reason or "", []).append(metric)
    return alike


def _together(alike: list[Metric], wording: Wording) -> str:
    """Numbers that are missing for one reason, in one phrase: where one was to be measured, or how many of each name there are."""
    if len(alike) == 1:
        (metric,) = alike
        return wording.title(metric.name) + (f" ({wording.where(metric)})" if metric.where else "")
    counts = Counter(metric.name for metric in alike)
    return ", ".join(
        wording.title(name) if count == 1 else wording.catalogue("scope.alike", {"title": wording.title(name), "count": count})
        for name, count in counts.items()
    )


def _weight(finding: Finding) -> tuple[bool, int, int]:
    open_violation = finding.violated and finding.waived_by is None
    return not open_violation, VERDICTS.index(finding.verdict), SEVERITIES.index(finding.severity)
