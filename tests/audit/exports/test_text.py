"""Text as data: whatever a name holds, each format gives the same name back."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.exports.text import markdown, plain, tokens, yaml_block

NCNAME = re.compile(r"[^\W\d][\w.\-]*")


@settings(deadline=None)
@given(st.text())
def test_plain_text_is_one_printable_line_and_plain_already(text: str) -> None:
    said = plain(text)
    assert said.isprintable()
    assert plain(said) == said


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), st.text() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.none()))
def test_yaml_gives_back_what_was_written(content: dict[str, object]) -> None:
    told = {key: plain(value) if isinstance(value, str) else value for key, value in content.items()}
    assert yaml.safe_load(yaml_block({"first": [content], "second": {"third": content}})) == {"first": [told], "second": {"third": told}}


@pytest.mark.parametrize("number", [1e-05, -1e22, 1.5e-07, 0.1, 3.0])
def test_yaml_gives_numbers_back_as_numbers(number: float) -> None:
    assert yaml.safe_load(yaml_block({"value": number})) == {"value": number}


@settings(deadline=None)
@given(st.lists(st.text(), unique=True))
def test_tokens_have_no_colon_and_are_different_for_different_names(names: list[str]) -> None:
    given_tokens = tokens(names)
    assert len(set(given_tokens.values())) == len(names)
    assert all(":" not in token and not token[0].isdigit() and token[0] not in ".-" for token in given_tokens.values())


def test_a_token_keeps_what_may_stand_in_one() -> None:
    assert tokens(["eu-ai-act:10.2.f", "eu-ai-act_10.2.f", "9.1", "信用"]) == {
        "eu-ai-act:10.2.f": "eu-ai-act_10.2.f",
        "eu-ai-act_10.2.f": "eu-ai-act_10.2.f-2",
        "9.1": "_9.1",
        "信用": "信用",
    }
    assert all(NCNAME.fullmatch(token) for token in tokens(["a b", "-x", ".y", ""]).values())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("age_years", r"age\_years"),
        ("# no heading", r"\# no heading"),
        ("1. no list", r"1\. no list"),
        ("0.5", "0.5"),
        ("-1", r"\-1"),
        ("a|b", r"a\|b"),
        ("<img src=x>", r"\<img src=x\>"),
        ("[a](b)", r"\[a\](b)"),
        ("two\nlines", "two lines"),
    ],
)
def test_markdown_shows_what_was_written(text: str, shown: str) -> None:
    assert markdown(text) == shown
