"""A report says the same in every language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace

import pytest

from audit import Audit, Policy
from audit.report import compose, languages
from audit.report.catalogue import read_catalogue
from audit.report.document import Document
from audit.report.reasons import WRITTEN_IN, read_reasons
from classifier.records import as_record

OTHERS = [language for language in languages() if language != WRITTEN_IN]
CHINESE = "[\u3400-\u9fff]"
# By which a document is put together, and which nobody reads.
_UNREAD = {"id", "check", "figure", "link", "verdict", "place", "voice", "language"}
_WORDS = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")


def _texts(part: object) -> Iterator[str]:
    """Every text of a document, in order."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, tuple):
        for item in part:
            yield from _texts(item)
    elif is_dataclass(part):
        for field in fields(part):
            if field.name not in _UNREAD:
                yield from _texts(getattr(part, field.name))


def _shape(part: object) -> object:
    """A document without its texts: what stands where."""
    if isinstance(part, tuple):
        return tuple(map(_shape, part))
    if is_dataclass(part) and not isinstance(part, type):
        return (type(part).__name__, *(_shape(getattr(part, field.name)) for field in fields(part) if field.name != "language"))
    return bool(part) if isinstance(part, str) else part


def _numbers(text: str) -> list[str]:
    return sorted(re.findall(r"\d+(?:\.\d+)?", text))


@pytest.fixture(scope="module")
def documents(
    judged: Audit, not_run: Audit, unjudged: Audit, images: Audit, texts: Audit, policy: Policy
) -> list[tuple[Audit, Document, dict[str, Document]]]:
    audits = (judged, not_run, unjudged, images, texts)
    return [
        (audit, compose(audit, policy=policy), {language: compose(audit, language=language, policy=policy) for language in OTHERS})
        for audit in audits
    ]


def test_reports_are_written_in_english_and_in_simplified_chinese() -> None:
    assert languages() == ("en", "zh-CN")
    assert [read_catalogue(language)("language.tag") for language in languages()] == ["en", "zh-CN"]


def test_a_report_has_the_same_parts_tables_and_pictures_in_every_language(
    documents: list[tuple[Audit, Document, dict[str, Document]]],
) -> None:
    for _, english, others in documents:
        for other in others.values():
            assert _shape(english.parts) == _shape(other.parts)


def test_every_number_stands_at_the_same_place_in_every_language(documents: list[tuple[Audit, Document, dict[str, Document]]]) -> None:
    for _, english, others in documents:
        for other in others.values():
            for said, also in zip(_texts(english.parts), _texts(other.parts), strict=True):
                assert _numbers(said) == _numbers(also), f"{said} | {also}"


def test_nothing_is_left_in_english_but_what_people_wrote(documents: list[tuple[Audit, Document, dict[str, Document]]]) -> None:
    for audit, english, others in documents:
        record = set(_strings(as_record(replace(audit, evidence=tuple(replace(e, arrays={}) for e in audit.evidence)))))
        for language, other in others.items():
            reasons = read_reasons(language)
            for said, also in zip(_texts(english.parts), _texts(other.parts), strict=True):
                if said == also and _WORDS.search(said) and not said.startswith("assay "):
                    assert any(part in record for part in (said, *said.split(", "))), said
                    assert reasons.find(said) is None, said


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def test_a_sentence_of_the_catalogue_has_the_same_numbers_in_every_language() -> None:
    for key, english in read_catalogue().sentences.items():
        for language in OTHERS:
            said = read_catalogue(language).sentences[key]
            assert _numbers(english) == _numbers(said), key
            assert bool(english.strip()) == bool(said.strip()) or key == "join.sentence", key


def _chinese() -> Iterator[tuple[str, str]]:
    yield from read_catalogue("zh-CN").sentences.items()
    yield from ((pattern.english, pattern.said) for pattern in read_reasons("zh-CN").patterns)
    yield from ((pattern.english, pattern.said) for pattern in read_reasons("zh-CN", "labels").patterns)


def test_chinese_is_set_with_chinese_marks() -> None:
    for key, said in _chinese():
        assert not re.search(rf"{CHINESE}[,;:!?()]|[,;:(] ?{CHINESE}", said), f"{key}: {said}"
        assert not re.search(r" [，。；：、（）]|[，。；：、（）] |  ", said), f"{key}: {said}"
        assert not re.search(rf"{CHINESE} {CHINESE}", said), f"{key}: {said}"


def test_chinese_claims_nothing_that_a_measurement_cannot() -> None:
    for key, said in _chinese():
        for word in ("合规", "认证", "安全", "保证"):
            assert word not in said, f"{key}: {said}"


def test_bounds_are_called_in_chinese_what_standards_call_them() -> None:
    say = read_catalogue("zh-CN")
    assert (say("bound.upper"), say("bound.lower")) == ("上界", "下界")
    for key, english in read_catalogue().sentences.items():
        for word, said in (("upper bound", "上界"), ("lower bound", "下界")):
            if word in english.lower():
                assert said in say.sentences[key], key
