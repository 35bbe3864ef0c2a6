"""Phrases: a change in the words of a catalogue, for the terminal and for documents alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from audit.comparison.difference import STATUSES, TURNS, Change, Difference, Notice, RuleChange
from audit.comparison.remediation import Remedy, Response
from audit.policy import Finding
from audit.report.catalogue import read_catalogue
from audit.report.wording import Wording, style_of
from classifier.catalogue import Catalogue
from classifier.metric import Metric

# Smaller p-values are not told apart.
_LEAST_P = 1e-4


@dataclass(frozen=True)
class Phrases:
    """Puts what changed into the words of a language.

    Args:
        say: The sentences.
    """

    say: Catalogue

    @classmethod
    def of(cls, language: str) -> Phrases:
        """Those of a language.

        Raises:
            ConfigurationError: If there is no catalogue for it.
        """
        return cls(read_catalogue(language))

    @property
    def wording(self) -> Wording:
        """The words for metrics and findings."""
        return Wording(self.say)

    def headline(self, difference: Difference) -> list[str]:
        """What changed in a few sentences, the gravest first."""
        say = self.say
        counts: dict[str, int] = {status: len(difference.of(status)) for status in STATUSES}
        rules = {turn: len(difference.turned(turn)) for turn in TURNS}
        lines = [] if difference.sound else [say("diff.headline.engine")]
        if counts["incomparable"] == len(difference.changes):
            lines.append(say("diff.headline.nothing"))
        elif not difference.worse:
            lines.append(say("diff.headline.not_worse"))
        if difference.worse:
            lines.append(say("diff.headline.worse", {"rules": rules["newly_violated"], "measurements": counts["regression"]}))
        if difference.untold:
            lines.append(say("diff.headline.untold"))
        if counts["possible"]:
            lines.append(say("diff.headline.possible", {"measurements": counts["possible"]}))
        if rules["remedied"] or counts["improvement"]:
            lines.append(say("diff.headline.better", {"rules": rules["remedied"], "measurements": counts["improvement"]}))
        return [*lines, say("diff.headline.counts", {"all": len(difference.changes), **counts})]

    def notice(self, notice: Notice) -> tuple[str, str, str]:
        """What is not alike, what it was and what it is."""
        of = self.say(f"part.{notice.of}") if notice.id == "data" and notice.of in self.say.under("part") else notice.of
        none = self.say("diff.absent")
        return self.say(f"diff.notice.{notice.id}", {"of": of}), notice.old or none, notice.new or none

    def measure(self, change: Change) -> str:
        """What a metric is called."""
        return self.wording.title(change.name)

    def where(self, change: Change) -> str:
        """What it was measured on."""
        metric = change.new or change.old
        return self.wording.where(metric) if metric is not None else self.say("where.all")

    def value(self, change: Change, side: str) -> str:
        """The value of one of the two, with its bound."""
        metric = change.old if side == "old" else change.new
        return self.say("diff.absent") if metric is None else self.wording.value(metric)

    def interval(self, change: Change, side: str) -> str:
        """The interval of one of the two, and its n."""
        metric = change.old if side == "old" else change.new
        if metric is None:
            return ""
        told = self.say("diff.interval", {"interval": self.wording.interval(metric), "n": metric.n})
        flattering = self.say("number.unreliable", {"why": self.wording.told(metric.unreliable)}) if metric.unreliable else ""
        return self.wording.points(told, flattering)

    def samples(self, change: Change) -> str:
        """On how many samples both rest."""
        numbers = [metric.n for metric in (change.old, change.new) if metric is not None]
        return self.say("number.n", {"n": " → ".join(map(str, dict.fromkeys(numbers)))})

    def difference(self, change: Change) -> str:
        """New value less old value."""
        return self.say("number.dash") if change.difference is None else self._number(change.difference, change.name)

    def reach(self, change: Change) -> str:
        """The interval of the difference; empty where there is none."""
        if change.low is None or change.high is None:
            return ""
        ends = {"low": self._bare(change.low, change.name), "high": self._bare(change.high, change.name)}
        return self.say("diff.reach", {"interval": self.say("number.interval", ends)})

    def change(self, change: Change) -> str:
        """New value less old value, with its interval."""
        difference, reach = self.difference(change), self.reach(change)
        return self.say("diff.difference", {"difference": difference, "reach": reach}) if reach else difference

    def _number(self, number: float, name: str) -> str:
        bare = self._bare(number, name)
        return bare if style_of(name) == "number" else self.say("number.points", {"value": bare})

    def _bare(self, number: float, name: str) -> str:
        sign = "+" if number > 0 else ""
        if style_of(name) == "number":
            return f"{sign}{self.wording.number(number)}"
        return f"{sign}{100 * number:.1f}".replace("-", "−")

    def method(self, change: Change) -> str:
        """How chance was ruled out."""
        return self.say(f"diff.method.{change.method}", {"rows": change.rows if change.rows is not None else ""})

    def test(self, change: Change) -> str:
        """How chance was ruled out, and what that gave."""
        if change.p_value is None or change.adjusted is None:
            return self.method(change)
        words = {"method": self.method(change), "p": self._chance(change.p_value), "adjusted": self._chance(change.adjusted)}
        return self.say("diff.tested", words)

    def corrected(self, change: Change) -> str:
        """The p-value after the correction; a dash where nothing was tested."""
        return self.say("number.dash") if change.adjusted is None else self._chance(change.adjusted)

    def _chance(self, p_value: float) -> str:
        if p_value < _LEAST_P:
            return self.say("diff.p_below")
        return self.say("diff.p", {"p": self.wording.number(p_value)})

    def why(self, change: Change) -> str:
        """Why it cannot be compared."""
        words = {**change.words, "why": self.wording.told(str(change.words.get("why", "")))}
        return self.say(f"diff.why.{change.reason}", words)

    def verdict(self, finding: Finding | None) -> str:
        """The verdict of a finding as a word."""
        return self.say("diff.absent") if finding is None else self.say(f"verdict.{finding.verdict}.word")

    def judged(self, finding: Finding) -> str:
        """What a rule was judged by, and its limit."""
        return self.wording.points(self.wording.measured(finding.metric, beside=finding.limit), self.wording.limit(finding))

    def turn(self, rule: RuleChange) -> str:
        """How a rule stands, whether its limit was moved, and what became of its waiver."""
        parts = [self.say(f"diff.turn.{rule.turn}")]
        parts += [how for how, _, _ in self.movements(rule)]
        if rule.waiver:
            told = rule.old if rule.waiver == "ended" else rule.new
            parts.append(self.say(f"diff.waiver.{rule.waiver}", {"by": told.waived_by if told is not None else ""}))
        return self.wording.sentences(*parts)

    def moved(self, rule: RuleChange) -> list[str]:
        """How a rule was changed, which makes another policy of it."""
        return [self.say("diff.moved", {"how": how, "old": old, "new": new}) for how, old, new in self.movements(rule)]

    def movements(self, rule: RuleChange) -> list[tuple[str, str, str]]:
        """Each way in which a rule was changed, and what it was and is."""
        return [
            (self.say(f"diff.{part}.{movement}"), told(rule.old), told(rule.new))
            for part, movement, told in (
                ("limit", rule.limit, self.required),
                ("scope", rule.scope, self.scope),
                ("weight", rule.weight, self.weight),
            )
            if movement != "none"
        ]

    def scope(self, finding: Finding | None) -> str:
        """What a rule is about."""
        if finding is None:
            return self.say("diff.absent")
        return self.wording.where(Metric.missing(finding.asked, self.say("diff.absent"), where=finding.where))

    def weight(self, finding: Finding | None) -> str:
        """How much its violation matters, and what becomes of it where too few samples leave it open."""
        if finding is None:
            return self.say("diff.absent")
        return self.wording.points(self.say(f"severity.{finding.severity}"), self.say(f"diff.inconclusive.{finding.on_inconclusive}"))

    def required(self, finding: Finding | None) -> str:
        """What a rule asks for."""
        if finding is None:
            return self.say("diff.absent")
        return self.say("diff.required", {"measure": self.wording.title(finding.asked), "limit": self.wording.limit(finding)})

    def response(self, remedy: Remedy) -> list[tuple[str, str]]:
        """What is said to have been done, by whom and until when: each part with what it is."""
        stated = remedy.response or Response()
        parts = ((name, getattr(stated, name)) for name in ("owner", "response", "due", "status"))
        return [(self.say(f"response.{name}"), text or self.say("identity.not_stated")) for name, text in parts]

    def by_reason(self, difference: Difference) -> dict[str, list[str]]:
        """What cannot be compared, by the reason, what weighs on the exit code first; without what neither audit has."""
        found: dict[str, Counter[str]] = {}
        told = [change for change in difference.of("incomparable") if not str(change.reason).startswith("neither")]
        for change in sorted(told, key=lambda change: not change.lacking):
            found.setdefault(self.why(change), Counter())[self.measure(change)] += 1
        return {why: [self._times(title, count) for title, count in counts.items()] for why, counts in found.items()}

    def _times(self, title: str, count: int) -> str:
        return title if count == 1 else self.say("scope.alike", {"title": title, "count": count})
