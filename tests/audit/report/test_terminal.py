from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from audit import Audit
from audit.evidence import Evidence
from audit.report import summarise
from audit.report.terminal import preferred_language, takes_colours, wrap_cells
from classifier.errors import ConfigurationError
from classifier.metric import Metric
from tests.audit.report.conftest import replace_evidence

WORDS = {
    "en": {"pass": "Pass", "fail": "Fail", "inconclusive": "Inconclusive", "not_run": "Not run"},
    "zh-CN": {"pass": "通过", "fail": "未通过", "inconclusive": "无法判定", "not_run": "未执行"},
}
LANGUAGES = pytest.mark.parametrize("language", WORDS)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@LANGUAGES
@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(judged: Audit, not_run: Audit, unjudged: Audit, width: int, language: str) -> None:
    for audit in (judged, not_run, unjudged):
        assert max(map(cell_len, summarise(audit, language=language, width=width).splitlines())) <= width


@LANGUAGES
def test_every_rule_stands_beside_its_verdict_in_words(judged: Audit, language: str) -> None:
    words, lines = WORDS[language], summarise(judged, language=language).splitlines()
    for finding in judged.findings:
        assert any(line.startswith(f"{words[finding.verdict]} ") and f"  {finding.rule} " in f"{line} " for line in lines)
    counts = judged.count()
    assert "   ".join(f"{words[verdict]} {counts[verdict]}" for verdict in ("fail", "inconclusive", "not_run", "pass")) in lines


@LANGUAGES
def test_the_columns_of_the_table_begin_below_their_heads(judged: Audit, language: str) -> None:
    """Whatever the letters take, which is two columns each in Chinese."""
    lines = summarise(judged, language=language).splitlines()
    place = next(number for number, line in enumerate(lines) if set(line) == {"-"})
    starts = [cell_len(lines[place - 1][: match.start()]) for match in re.finditer(r"\S+( \S+)*", lines[place - 1])]
    assert len(starts) == 4
    table = lines[place + 1 : lines.index("", place)]
    assert len(table) >= len(judged.findings)
    for line in table:
        # Two blanks before each column, and a letter where a row begins.
        for start in starts[1:]:
            before = _first_columns(line, start)
            assert before.endswith("  "), line


def _first_columns(line: str, width: int) -> str:
    padded, taken = line + " " * width, ""
    for letter in padded:
        if cell_len(taken + letter) > width:
            return taken
        taken += letter
    return taken


def test_the_summary_says_what_was_not_measured_and_that_an_engine_failed(not_run: Audit) -> None:
    text = " ".join(summarise(not_run, language="en").split())
    assert "Who was in the training data: the classifier is a black box" in text
    assert "Do not rely on these numbers" in text
    assert "Known answers: 0 of 3" in text


def test_the_summary_says_it_in_chinese(not_run: Audit) -> None:
    text = re.sub(r"\s+", "", summarise(not_run, language="zh-CN"))
    assert "谁在训练数据之中：分类器是黑箱" in text
    assert "请勿采信这些数值" in text
    assert "已知答案：3个中得出0个" in text


def test_without_a_policy_the_summary_says_that_nothing_was_judged(unjudged: Audit) -> None:
    assert "Nothing was judged" in summarise(unjudged, language="en")
    assert "未作任何判定" in summarise(unjudged, language="zh-CN")


def test_a_language_without_a_catalogue_is_refused(unjudged: Audit) -> None:
    with pytest.raises(ConfigurationError, match="there is no catalogue for the language 'xx'"):
        summarise(unjudged, language="xx")


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh-CN"),
        ({"LANG": "zh"}, "zh-CN"),
        ({"LC_ALL": "zh_CN.UTF-8", "LANG": "en_GB.UTF-8"}, "zh-CN"),
        ({"LC_MESSAGES": "zh_SG", "LANG": "en_GB.UTF-8"}, "zh-CN"),
        ({"LC_ALL": "en_GB.UTF-8", "LC_MESSAGES": "zh_CN", "LANG": "zh_CN"}, "en"),
        ({"LC_ALL": "", "LANG": "zh_CN"}, "zh-CN"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
    ids=str,
)
def test_the_language_is_that_of_the_locale(environment: dict[str, str], language: str) -> None:
    assert preferred_language(environment) == language


def test_without_a_language_the_summary_is_in_that_of_the_locale(unjudged: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    for locale, language in (("zh_CN.UTF-8", "zh-CN"), ("C", "en")):
        monkeypatch.setenv("LC_ALL", locale)
        assert summarise(unjudged) == summarise(unjudged, language=language)


@LANGUAGES
def test_colours_add_nothing_that_words_do_not_say(judged: Audit, language: str) -> None:
    plain, coloured = summarise(judged, language=language), summarise(judged, language=language, colours=True)
    assert "\x1b" not in plain
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_only_a_terminal_that_takes_colours_gets_them() -> None:
    assert takes_colours(Terminal(), {"TERM": "xterm-256color"})
    assert not takes_colours(io.StringIO(), {"TERM": "xterm-256color"})
    assert not takes_colours(Terminal(), {"TERM": "dumb"})
    assert not takes_colours(Terminal(), {"TERM": "xterm", "NO_COLOR": "1"})


def test_a_name_cannot_command_the_terminal(judged: Audit) -> None:
    audit = replace(judged, findings=tuple(replace(f, rule="\x1b[2Jcleared") for f in judged.findings))
    text = summarise(audit, language="en")
    assert "\x1b" not in text
    assert "cleared" in text


@LANGUAGES
def test_a_long_name_of_a_rule_keeps_its_line(judged: Audit, language: str) -> None:
    audit = replace(judged, findings=tuple(replace(f, rule="R" * 60) for f in judged.findings))
    lines = summarise(audit, language=language).splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert sum("R" * 60 in line for line in lines) >= len(judged.findings)


def test_a_number_that_is_not_to_be_relied_on_says_so_beside_its_verdict(judged: Audit) -> None:
    lines = summarise(judged, language="en", width=200).splitlines()
    (rule,) = (line for line in lines if "  UNRELIABLE  " in line)
    assert "unreliable: all gradients are zero" in rule
    assert sum("unreliable: all gradients are zero" in line for line in lines) == 1


def test_numbers_of_one_check_that_are_missing_for_one_reason_share_a_line(judged: Audit) -> None:
    def lose(evidence: Evidence) -> Evidence:
        lost = [Metric.missing("robustness.exact_accuracy", "too wide", where={"eps": eps, "rows": "any"}) for eps in (0.1, 0.2, 0.3)]
        other = [Metric.missing("robustness.certified_accuracy", why, where={"eps": 0.1}) for why in ("too wide", "of another kind")]
        return replace(evidence, metrics=(*lost, *other))

    lines = summarise(replace_evidence(judged, "robustness.bounds", lose), language="en", width=200).splitlines()
    assert [line for line in lines if "too wide" in line] == ["  Exact accuracy (3 numbers), Proven accuracy: too wide"]
    assert "  Proven accuracy (eps 0.1): of another kind" in lines


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("unbreakable", 4, ["unbr", "eaka", "ble"]),
        ("一二三四五", 6, ["一二三", "四五"]),
        # A mark that closes does not begin a line, and one that opens does not end it.
        ("一二三，四五", 6, ["一二", "三，四", "五"]),
        ("一二（三四）五", 6, ["一二", "（三", "四）五"]),
        # Numbers stay whole, and a blank that does not break keeps them together.
        ("区间 9.4 至 19.4", 8, ["区间 9.4", "至 19.4"]),
        ("对于 n\u00a0=\u00a0250", 8, ["对于", "n\u00a0=\u00a0250"]),
        ("", 5, [""]),
    ],
)
def test_a_line_ends_where_a_reader_expects_it(text: str, width: int, lines: list[str]) -> None:
    assert wrap_cells(text, width) == lines
