"""The badge: counts of the verdicts in words, and never a word for what they are worth."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from audit.exports import Source
from audit.exports.formats.badge import Badge

SVG = "{http://www.w3.org/2000/svg}"


def words(source: Source) -> str:
    return str(ET.fromstring(Badge().content(source)).findall(f".//{SVG}text")[1].text)


def contrast_with_white(colour: str) -> float:
    """By WCAG 2.2, from the relative luminance of sRGB."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_it_counts_the_verdicts_and_leaves_out_what_there_is_none_of(source: Source) -> None:
    kept = replace(source, audit=replace(source.audit, findings=source.audit.findings[:1]))
    assert words(source) == "2 fail, 2 inconclusive, 1 not run, 3 pass, 1 accepted"
    assert words(kept) == "1 pass"


def test_what_makes_the_numbers_worthless_stands_before_the_counts(sources: dict[str, Source]) -> None:
    assert words(sources["missed"]) == "a known answer was missed"
    assert words(sources["unjudged"]) == "nothing judged"


def test_names_stay_data_and_the_picture_is_named_for_who_cannot_see_it(source: Source) -> None:
    root = ET.fromstring(Badge().content(source))
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.findtext(f"{SVG}title")
    assert str(root.get("aria-label")).startswith('Audit of a<b>&"c"')


@pytest.mark.parametrize("name", ["hostile", "golden", "missed", "unjudged"])
def test_its_letters_stand_out_from_every_ground(sources: dict[str, Source], name: str) -> None:
    root = ET.fromstring(Badge().content(sources[name]))
    grounds = [str(box.get("fill")) for box in root.findall(f"{SVG}g/{SVG}rect")]
    assert len(grounds) == 2
    assert min(map(contrast_with_white, grounds)) >= 4.5


def test_the_ground_says_what_the_exit_code_does(source: Source) -> None:
    kept = replace(source.audit, findings=source.audit.findings[:1])
    undecided = replace(source.audit, findings=source.audit.findings[4:5])
    grounds = [
        ET.fromstring(Badge().content(replace(source, audit=audit))).findall(f"{SVG}g/{SVG}rect")[1].get("fill")
        for audit in (kept, undecided, source.audit)
    ]
    assert [audit.exit_code for audit in (kept, undecided, source.audit)] == [0, 3, 1]
    assert len(set(grounds)) == 3
