"""The bundle in ``reports/example`` is whole, and is what today's configuration and today's report would give; else ``make example``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from audit.manifests import verify_bundle
from audit.rendering import read_source
from audit.report import set_html
from audit.report.drawing import pictures_in

ROOT = Path(__file__).parents[1]
EXAMPLE, CASE = ROOT / "reports" / "example", ROOT / "examples" / "german-credit"
# What matplotlib draws hangs on the fonts of the machine.
_PICTURE = re.compile(r'src="data:image[^"]*"')


def test_it_is_whole_and_of_the_example_as_it_stands() -> None:
    files = verify_bundle(EXAMPLE).files
    assert {"report.en.html", "report.en.pdf", "report.zh-CN.html", "report.zh-CN.pdf"} <= set(files)
    for name in ("audit.toml", "policy.toml"):
        assert (EXAMPLE / name).read_bytes() == (CASE / name).read_bytes(), f"{name} was changed since: make example"


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_its_report_says_what_todays_report_would_say(language: str) -> None:
    source, languages = read_source(EXAMPLE)
    assert language in languages
    document = source.document(language)
    blank = {(p.check, p.figure.name): "<svg/>" for part in document.parts for p in pictures_in(part.blocks)}
    today = _PICTURE.sub("", set_html(document, blank))
    assert today == _PICTURE.sub("", (EXAMPLE / f"report.{language}.html").read_text(encoding="utf-8")), "make example"
