"""Wording: a counterfactual as a sentence, in every language that there is. All words that a reader sees stand here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from classifier.errors import ConfigurationError, did_you_mean

# Between a Chinese character and a letter or digit, either way round.
_MEETING = re.compile(r"(?<=[\u4e00-\u9fff])(?=[A-Za-z0-9<>])|(?<=[A-Za-z0-9])(?=[\u4e00-\u9fff])")

Language = Literal["en", "zh-CN"]

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "counterfactual": "This model would have decided {after} instead of {before} if {changes}.",
        "semifactual": "Even if {changes}, this model would still have decided {before}.",
        "none": "None found in {evaluations} evaluations: no change tried makes this model decide {wanted} instead of {before}.",
        "no_semifactual": "None found in {evaluations} evaluations: no change towards another decision leaves it at {before}.",
        "closest": "The closest is: if {changes}, its probability of {target} would have been {p_after} instead of {p_before}.",
        "unlike": "The closest is: if {changes}, it would have decided {after}, but that is unlike the real cases that it decides so.",
        "no_closer": "No change raised its probability of {target} above {p_before}.",
        "about": "This is about this model, not an offer.",
        "change": "{feature} had been {to} instead of {from}",
        "left_out": "{feature} ({from}) had been left out",
        "and": " and ",
        "comma": ", ",
        "quote": "'{}'",
        "another": "another class",
        "space": " ",
    },
    "zh-CN": {
        "counterfactual": "若{changes}，本模型会判为{after}，而不是{before}。",
        "semifactual": "即使{changes}，本模型仍会判为{before}。",
        "none": "在{evaluations}次评估中未找到：所尝试的改变都不能使本模型由{before}改判为{wanted}。",
        "no_semifactual": "在{evaluations}次评估中未找到：凡是朝向其他判定的改变都不能使结果保持为{before}。",
        "closest": "最接近的是：若{changes}，{target}的概率会由{p_before}变为{p_after}。",
        "unlike": "最接近的是：若{changes}，本模型会判为{after}，但这与它判为该类的真实案例相差较大。",
        "no_closer": "任何改变都未能使{target}的概率高于{p_before}。",
        "about": "这是关于本模型的陈述，不是承诺。",
        "change": "{feature}为{to}（而不是{from}）",
        "left_out": "去掉{feature}（{from}）",
        "and": "，且",
        "comma": "，",
        "quote": "“{}”",
        "another": "其他类别",
        "space": "",
    },
}

#: What stands above a table of differences.
TABLE: Mapping[str, Mapping[str, str]] = {
    "en": {
        "now": "now",
        "counterfactual": "if",
        "semifactual": "even if",
        "closest": "closest",
        "decided": "decided",
        "left out": "left out",
        "unchanged": "·",
        "title": "What would have changed this model's decision, {}",
        "kept": "What would not have changed this model's decision, {}",
        "none": "none found in {} evaluations",
        "colon": ": ",
    },
    "zh-CN": {
        "now": "现状",
        "counterfactual": "若",
        "semifactual": "即使",
        "closest": "最接近",
        "decided": "判为",
        "left out": "去掉",
        "unchanged": "·",
        "title": "怎样的改变会使本模型改判（现判为{}）",
        "kept": "怎样的改变不会使本模型改判（现判为{}）",
        "none": "在{}次评估中未找到",
        "colon": "：",
    },
}


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """What is to be said.

    Args:
        kind: ``"counterfactual"`` or ``"semifactual"``.
        succeeds: Whether it does what was asked; otherwise it is the closest.
        before: The class decided of the input.
        after: The class decided of the changed input.
        target: The class that the probabilities are of.
        any_other: Whether any other class was asked for, of more than two.
        probabilities: Of the target, before and after.
        evaluations: Predictions that the search took.
        changes: Feature, value before, value after (empty: left out) of each change.
    """

    kind: str
    succeeds: bool
    before: str
    after: str
    target: str
    any_other: bool
    probabilities: tuple[float, float]
    evaluations: int
    changes: tuple[tuple[str, str, str], ...]


def words_of(language: str) -> Mapping[str, str]:
    """The words of a language.

    Raises:
        ConfigurationError: If there are none.
    """
    if language not in WORDS:
        raise ConfigurationError(f"there is no wording in {language!r}", remedy=did_you_mean(language, get_args(Language)))
    return WORDS[language]


def sentence_for(sentence: Sentence, language: Language, names: Mapping[str, str]) -> str:
    """Say it, with what else a reader must know."""
    words = words_of(language)

    def quoted(name: str) -> str:
        return words["quote"].format(names.get(name, name))

    changes = join_changes(sentence.changes, language, names)
    before, after = shown(sentence.probabilities[0]), shown(sentence.probabilities[1])
    values = {
        "before": quoted(sentence.before),
        "after": quoted(sentence.after),
        "target": quoted(sentence.target),
        "wanted": words["another"] if sentence.any_other else quoted(sentence.target),
        "changes": changes,
        "evaluations": f"{sentence.evaluations:,}",
        "p_before": before,
        "p_after": after,
    }
    if sentence.succeeds:
        parts = [sentence.kind]
    elif sentence.kind == "semifactual":
        parts = ["no_semifactual"]
    elif not sentence.changes:
        parts = ["none", "no_closer"]
    else:
        parts = ["none", "closest" if sentence.after == sentence.before else "unlike"]
    return spaced(words["space"].join(words[part].format(**values) for part in (*parts, "about")))


def join_changes(changes: tuple[tuple[str, str, str], ...], language: Language, names: Mapping[str, str]) -> str:
    """Changes as one clause."""
    words = words_of(language)
    clauses = [
        words["change" if to else "left_out"].format(
            **{"feature": names.get(feature, feature), "from": names.get(given, given), "to": names.get(to, to)}
        )
        for feature, given, to in changes
    ]
    if len(clauses) < 3:
        return words["and"].join(clauses)
    return words["comma"].join(clauses[:-1]) + words["and"] + clauses[-1]


def spaced(text: str) -> str:
    """The text with a space wherever a Chinese character meets a Latin letter or a digit, as is usual in print."""
    return _MEETING.sub(" ", text)


def shown(probability: float) -> str:
    """A probability as a reader wants it: ``"0.42"``, or ``"<0.01"`` where two digits would say none."""
    return "<0.01" if probability < 0.005 else ">0.99" if probability > 0.995 else f"{probability:.2f}"
