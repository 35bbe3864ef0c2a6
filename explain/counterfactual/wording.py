"""Wording: a counterfactual as a sentence, in every language that there is. All words that a reader sees stand here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from classifier.errors import ConfigurationError, did_you_mean

# Decimals of a probability at most, more than float32 holds.
_MOST_DIGITS = 9
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
        "third": "The closest is: if {changes}, it would have decided {after}, which is not {target}.",
        "unlike": "The closest is: if {changes}, it would have decided {after}, but that is unlike the real cases that it decides so.",
        "barely": "The closest is: if {changes}, it would have decided {after}, but so barely that rounding may undo it.",
        "no_closer": "No change raised its probability of {target} (now {p_before}).",
        "event": "It decides {target} from a probability of {border} on.",
        "other": "It decides {target} above a probability of {border}.",
        "longer": "No rounder numbers were found that do.",
        "about": "This is about this model, not an offer.",
        "change": "{feature} had been {to} instead of {from}",
        "left_out": "{feature} ({from}) had been left out",
        "swapped": "{feature} ({to} instead of {from})",
        "swapped_alike": "{feature}",
        "donor": "{parts} had been as in case {donor}",
        "and": " and ",
        "comma": ", ",
        "parts_and": " and ",
        "parts_comma": ", ",
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
        "third": "最接近的是：若{changes}，本模型会判为{after}，而不是所要求的{target}。",
        "unlike": "最接近的是：若{changes}，本模型会判为{after}，但这与它判为该类的真实案例相差较大。",
        "barely": "最接近的是：若{changes}，本模型会判为{after}，但超出界限极少，数值舍入即可能使其失效。",
        "no_closer": "任何改变都未能提高{target}的概率（现为{p_before}）。",
        "event": "{target}的概率达到{border}时，本模型即判为{target}。",
        "other": "{target}的概率高于{border}时，本模型才判为{target}。",
        "longer": "未找到位数更少且同样有效的数值。",
        "about": "这是关于本模型的陈述，不是承诺。",
        "change": "{feature}为{to}（而不是{from}）",
        "left_out": "去掉{feature}（{from}）",
        "swapped": "{feature}（为{to}，而不是{from}）",
        "swapped_alike": "{feature}",
        "donor": "{parts}取自案例{donor}",
        "and": "，且",
        "comma": "，",
        "parts_and": "和",
        "parts_comma": "、",
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
        "donor": "as case {}",
        "comma": ", ",
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
        "donor": "取自案例{}",
        "comma": "，",
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
        implausible: Whether it is less plausible than was asked.
        border: The probability of the target from which it is decided, and whether it is decided there, where a threshold was given.
        probabilities: Of the target, before and after.
        evaluations: Predictions that the search took.
        changes: Feature, value before, value after (empty: left out) of each change.
        donor: The case whose parts it has; -1 for none.
        longer: Whether a number has more digits than are usual, though rounder ones were looked for.
    """

    kind: str
    succeeds: bool
    before: str
    after: str
    target: str
    any_other: bool
    implausible: bool
    border: tuple[float, bool] | None
    probabilities: tuple[float, float]
    evaluations: int
    changes: tuple[tuple[str, str, str], ...]
    donor: int
    longer: bool


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

    changes = join_changes(sentence.changes, language, names, donor=sentence.donor)
    (p_before, p_after), limit = sentence.probabilities, sentence.border and sentence.border[0]
    values = {
        "before": quoted(sentence.before),
        "after": quoted(sentence.after),
        "target": quoted(sentence.target),
        "wanted": words["another"] if sentence.any_other else quoted(sentence.target),
        "changes": changes,
        "evaluations": f"{sentence.evaluations:,}",
        "p_before": shown(p_before, p_after, limit),
        "p_after": shown(p_after, p_before, limit),
    }
    if sentence.succeeds:
        parts = [sentence.kind]
    elif sentence.kind == "semifactual":
        parts = ["no_semifactual"]
    else:
        parts = ["none", _closest(sentence)]
    said = [words[part].format(**values) for part in parts]
    return spaced(words["space"].join([*said, *remarks(language, quoted(sentence.target), sentence.border, longer=sentence.longer)]))


def remarks(language: Language, target: str, border: tuple[float, bool] | None, *, longer: bool) -> list[str]:
    """What is to be known of any number of counterfactuals of an input; see `Sentence`.

    Args:
        language: The language.
        target: The class that the probabilities are of, as it is called.
        border: See `Sentence`.
        longer: See `Sentence`.
    """
    words = words_of(language)
    parts = [] if border is None else [words["event" if border[1] else "other"].format(target=target, border=f"{border[0]:.10g}")]
    return [*parts, *([words["longer"]] if longer else []), words["about"]]


def _closest(sentence: Sentence) -> str:
    """Which words tell why the closest is not what was asked for."""
    if not sentence.changes:
        return "no_closer"
    if sentence.after == sentence.before:
        return "closest"
    if sentence.after != sentence.target:
        return "third"
    return "unlike" if sentence.implausible else "barely"


def join_changes(changes: tuple[tuple[str, str, str], ...], language: Language, names: Mapping[str, str], *, donor: int = -1) -> str:
    """Changes as one clause, where `donor` is the case whose parts it has."""
    words = words_of(language)

    def called(text: str) -> str:
        return names.get(text, text)

    clauses = []
    for feature, given, to in changes:
        # Another picture may have the same mean.
        kind = "left_out" if not to else "change" if donor < 0 else "swapped_alike" if to == given else "swapped"
        clauses.append(words[kind].format(**{"feature": called(feature), "from": called(given), "to": called(to)}))
    if donor >= 0:
        return words["donor"].format(parts=_joined(clauses, words["parts_comma"], words["parts_and"]), donor=donor)
    return _joined(clauses, words["comma"], words["and"])


def _joined(clauses: list[str], comma: str, last: str) -> str:
    if len(clauses) < 3:
        return last.join(clauses)
    return comma.join(clauses[:-1]) + last + clauses[-1]


def spaced(text: str) -> str:
    """The text with a space wherever a Chinese character meets a Latin letter or a digit, as is usual in print."""
    return _MEETING.sub(" ", text)


def shown(probability: float, *others: float | None) -> str:
    """A probability as a reader wants it: ``"0.42"``, or ``"<0.01"`` where two digits would say none; in as many as tell it from others."""
    text = _digits(probability, 2)
    for digits in range(3, _MOST_DIGITS):
        if all(other is None or other == probability or _digits(other, digits - 1) != text for other in others):
            break
        text = _digits(probability, digits)
    return text


def _digits(probability: float, digits: int) -> str:
    if digits == 2 and not 0.005 <= probability <= 0.995:
        return "<0.01" if probability < 0.5 else ">0.99"
    # Of one near 0, digits that say something.
    return f"{probability:.{digits}f}" if probability >= 0.005 else f"{probability:.{digits - 1}g}"
