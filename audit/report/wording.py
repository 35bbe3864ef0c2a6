"""Wording: metrics, findings and cells of a record in the words of a catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from audit.evidence import Cell, Figure, Table
from audit.policy import Finding
from audit.report.reasons import say_label, say_reason
from audit.report.rounding import Toward, written
from classifier.catalogue import NOTHING, Catalogue
from classifier.metric import Bound, Metric

Style = Literal["percent", "points", "number"]

# Shares are read as percentages, their differences as percentage points, all else as plain numbers.
PERCENT = frozenset(
    {
        "data.label_noise",
        "performance.accuracy",
        "performance.balanced_accuracy",
        "performance.approval_rate",
        "performance.compression_agreement",
        "performance.bad_rate_among_approved",
        "robustness.clean_accuracy",
        "robustness.accuracy",
        "robustness.accuracy_by_distance",
        "robustness.certified_accuracy",
        "robustness.corruption_accuracy",
        "robustness.exact_accuracy",
        "robustness.invariance",
        "robustness.mean_corruption_accuracy",
        "robustness.negation_unchanged",
        "robustness.ood_fpr_at_95_tpr",
        "robustness.ood_kept",
        "robustness.single_feature_share",
        "robustness.smoothed_abstentions",
        "robustness.smoothed_accuracy",
        "robustness.smoothed_certified_accuracy",
        "robustness.surrogate_fidelity",
        "robustness.text_accuracy",
        "robustness.text_clean_accuracy",
        "robustness.transfer_accuracy",
        "robustness.trigger_size",
        "robustness.trigger_success",
        "robustness.unsmoothed_accuracy",
        "robustness.worst_corruption_accuracy",
        "privacy.membership_tpr",
        "fairness.approval_rate",
        "fairness.bad_rate_among_approved",
        "fairness.accuracy",
    }
)
POINTS = frozenset(
    {
        "performance.calibration_gap",
        "performance.compression_accuracy_change",
        "performance.gain_over_majority",
        "performance.generalisation_gap",
        "fairness.accuracy_gap",
        "fairness.equal_opportunity_difference",
    }
)
# By table: a class may be called like any column.
_PERCENT_COLUMNS = {
    "data.label_errors.suspects": {"given_probability", "likely_probability"},
    "data.quality.coverage": {"share"},
    "fairness.groups.by_group": {"approval_rate", "bad_rate", "accuracy"},
    "robustness.backdoor.triggers": {"size", "success"},
    "robustness.corruptions.by_corruption": {"mean", *(f"severity_{severity}" for severity in range(1, 6)), "invalid"},
    "robustness.feature_costs.by_feature": {"share"},
    "robustness.out_of_distribution.abstention": {"known", "validation", "near", "far", "given"},
    "robustness.smoothing.strengths": {"unsmoothed", "smoothed"},
}
# Columns in which code has put a sentence.
_TOLD_COLUMNS = {
    "robustness.corruptions.left_out": {"reason"},
    "supply_chain.files.findings": {"reason", "remedy"},
}
# A bound that is rounded must still be one.
_TOWARD: Mapping[Bound, Toward] = {"estimate": "nearest", "lower": "down", "upper": "up"}
_SUPERSCRIPTS = str.maketrans("−0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Wording:
    """Puts what a record holds into the words of a language.

    Args:
        catalogue: The sentences.
    """

    catalogue: Catalogue

    def number(self, number: float, style: Style = "number", *, toward: Toward = "nearest", beside: float | None = None) -> str:
        """A number with its sign of percent or points, if it has one.

        Args:
            number: A finite number.
            style: How it is written.
            toward: Which way it is rounded.
            beside: The limit that it is read beside; it has as many digits as show on which side of it the number is.
        """
        return self._styled(self._bare(number, style, toward, beside), style)

    def _styled(self, text: str, style: Style) -> str:
        return text if style == "number" else self.catalogue(f"number.{style}", {"value": text})

    def _bare(self, number: float, style: Style, toward: Toward, beside: float | None) -> str:
        text = written(number, share=style != "number", toward=toward, beside=beside)
        mantissa, _, exponent = text.partition("e")
        if not exponent:
            return text
        return self.catalogue("number.power", {"mantissa": mantissa, "exponent": exponent.translate(_SUPERSCRIPTS)})

    def value(self, metric: Metric, *, beside: float | None = None) -> str:
        """The value of a metric, with "at most" or "at least" where it is a bound."""
        if metric.value is None:
            return self.catalogue("number.missing")
        value = self.number(metric.value, style_of(metric.name), toward=_TOWARD[metric.bound], beside=beside)
        if metric.unit:
            value = self.catalogue("number.unit", {"value": value, "unit": say_label(metric.unit, self.catalogue.language)})
        return self.catalogue(f"number.{metric.bound}", {"value": value})

    def interval(self, metric: Metric, *, beside: float | None = None) -> str:
        """Its interval, "counted" for a number that is exact, a dash where there is none."""
        if metric.low is None or metric.high is None:
            return self.catalogue("number.dash")
        if metric.interval == "exact":
            return self.catalogue("number.exact")
        style = style_of(metric.name)
        ends = {"low": self._bare(metric.low, style, "down", beside), "high": self._bare(metric.high, style, "up", beside)}
        return self._styled(self.catalogue("number.interval", ends), style)

    def confidence(self, metric: Metric) -> str:
        """The coverage of its interval, ``"95 %"``."""
        return self.catalogue("number.percent", {"value": f"{100 * metric.confidence:g}"})

    def bound(self, metric: Metric) -> str:
        """``"upper bound"`` or ``"lower bound"``; empty for an estimate."""
        return "" if metric.bound == "estimate" or metric.value is None else self.catalogue(f"bound.{metric.bound}")

    def measured(self, metric: Metric | None, *, beside: float | None = None) -> str:
        """Value, what kind of bound it is, interval and n in one phrase; `beside` is the limit that it is read beside."""
        if metric is None or metric.value is None:
            return self.catalogue("number.missing")
        words = {
            "value": self.value(metric, beside=beside),
            "bound": self.bound(metric),
            "interval": self.interval(metric, beside=beside),
            "n": metric.n,
            "confidence": self.confidence(metric),
        }
        sentence = "measured" if metric.bound == "estimate" else "bounded"
        return self.catalogue(f"number.{sentence}_exact" if metric.interval == "exact" else f"number.{sentence}", words)

    def title(self, metric: str) -> str:
        """What a metric is called."""
        return self.catalogue(f"metric.{metric}.title")

    def caution(self, metric: str) -> str:
        """What a metric does not mean; empty where nothing needs saying."""
        key = f"metric.{metric}.caution"
        return self.catalogue(key) if key in self.catalogue else ""

    def listed(self, items: Iterable[str]) -> str:
        """Things one after another, with the comma of the language."""
        return self.catalogue("join.comma").join(items)

    def sentences(self, *sentences: str) -> str:
        """Sentences one after another; what is empty is left out."""
        return self.catalogue("join.sentence").join(filter(None, sentences))

    def points(self, *phrases: str) -> str:
        """Phrases of one sentence, with the semicolon of the language; what is empty is left out."""
        return self.catalogue("join.semicolon").join(filter(None, phrases))

    def term(self, term: str, said: str) -> str:
        """A term, and what is said of it."""
        return self.catalogue("join.colon").join((term, said))

    def told(self, text: str) -> str:
        """A sentence that code has put into the record, in the words of the language."""
        return say_reason(text, self.catalogue.language) if text else ""

    def where(self, metric: Metric) -> str:
        """What a metric was measured on; "all" where it is all there is."""
        parts = [self.catalogue(f"where.{key}", {"value": self._place(key, value)}) for key, value in metric.where.items()]
        return self.listed(part for part in parts if part) or self.catalogue("where.all")

    def _place(self, key: str, value: str | float | int) -> str:
        if isinstance(value, str) and self._chosen_from(f"where_value.{key}", value):
            return self.catalogue(f"where_value.{key}.{value}")
        if key == "group":
            return say_label(f"{value}", self.catalogue.language)
        return self.number(value, "percent") if key in ("fpr", "budget") and isinstance(value, float) else f"{value}"

    def _chosen_from(self, family: str, name: str | int) -> bool:
        """Whether the catalogue has words for such names; that it has them for this one is the quicker question."""
        return f"{family}.{name}" in self.catalogue or bool(self.catalogue.under(family))

    def limit(self, finding: Finding) -> str:
        """The limit, ``"at least 70.0 %"``."""
        # Beside itself it has all its digits.
        limit = self.number(finding.limit, style_of(finding.asked), beside=finding.limit) if finding.limit is not None else ""
        return self.catalogue(f"sense.{finding.sense}", {"limit": limit})

    def requirement(self, finding: Finding) -> str:
        """The limit and who set it."""
        return self.catalogue("finding.requirement", {"sense": self.limit(finding), "set_by": finding.set_by})

    def why(self, finding: Finding) -> str:
        """Why a finding has its verdict."""
        metric = finding.metric
        why = (metric.reason or metric.unreliable) if metric else ""
        reason = self.catalogue(f"reason.{finding.reason}", {"why": self.told(why)})
        if finding.verdict == "pass":
            reason = self.sentences(self.catalogue("finding.meets", {"limit": self.limit(finding), "set_by": finding.set_by}), reason)
        counted = finding.verdict == "inconclusive" and finding.violated
        return self.sentences(reason, self.catalogue("finding.counted") if counted else "")

    def columns(self, check: str, table: Table, names: tuple[str, ...]) -> list[str]:
        """The heads of a table's columns.

        Args:
            check: The check that the table is from.
            table: The table.
            names: Names of classes, which head a column as they are.
        """
        heads: list[str] = []
        for position, column in enumerate(table.columns):
            key = f"table.{check}.{table.name}.columns.{column}"
            # A class may be called like a column; the columns of the catalogue come first.
            if key in self.catalogue and column not in table.columns[:position]:
                heads.append(self.catalogue(key))
            elif column in names or column.startswith("eps="):
                heads.append(column.replace("=", " = ") if column not in names else column)
            else:
                heads.append(self.catalogue(f"where_value.method.{column}"))
        return heads

    def cell(self, check: str, table: Table, column: str, cell: Cell) -> str:
        """One cell of a table."""
        if cell is None:
            return self.catalogue("number.dash")
        if isinstance(cell, float):
            return self.number(cell, "percent" if column in _PERCENT_COLUMNS.get(f"{check}.{table.name}", ()) else "number")
        entry = f"table.{check}.{table.name}"
        if self._chosen_from(f"{entry}.cells.{column}", cell):
            return self.catalogue(f"{entry}.cells.{column}.{cell}")
        if column in _TOLD_COLUMNS.get(f"{check}.{table.name}", ()):
            return self.told(f"{cell}")
        if column == "group":
            return say_label(f"{cell}", self.catalogue.language)
        special = f"{entry}.special.{column}.{cell}"
        return self.catalogue(special) if special in self.catalogue else f"{cell}"

    def figure(self, check: str, figure: Figure, part: str, words: Mapping[str, Any] = NOTHING) -> str:
        """A sentence about a figure: its title, its caption, or the name of something in it."""
        told: dict[str, Any] = {
            name: self.number(word) if isinstance(word, float) else word for name, word in {**figure.words, **words}.items()
        }
        for key, entries in (("method", "where_value.method"), ("output", "output")):
            if key in told:
                told[key] = self.catalogue(f"{entries}.{told[key]}")
        return self.catalogue(f"figure.{check}.{entry_of(figure)}.{part}", told)

    def label(self, text: str) -> str:
        """What stands at a position of a figure; ``"+ 8"`` stands for what was summed up."""
        count = text.removeprefix("+ ")
        return (
            self.catalogue("figure.rest", {"count": count})
            if text.startswith("+ ") and count.isdigit()
            else say_label(text, self.catalogue.language)
        )


def style_of(metric: str) -> Style:
    """How a metric's numbers are written."""
    return "percent" if metric in PERCENT else "points" if metric in POINTS else "number"


def entry_of(figure: Figure) -> str:
    """The entry of a figure; those that differ in their attribute only share one."""
    attribute = figure.words.get("attribute")
    return figure.name.removesuffix(f"_{attribute}") if attribute is not None else figure.name
