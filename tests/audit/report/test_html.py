from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from audit import Audit, Policy
from audit.evidence import Evidence, Series
from audit.report import render_html, set_html
from audit.report.document import Block, Cell, Document, Facts, Grid, Group, Head, Paragraph, Part, Points, Signature
from classifier.catalogue import CatalogueError
from classifier.metric import Metric
from tests.audit.report.conftest import replace_evidence

VOID = {"meta", "link", "img", "br", "hr", "input"}
HOSTILE = '<script>alert("x")</script>'


class Page(HTMLParser):
    """Tags, attributes and text of a page, which must be well nested."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def html(judged: Audit, policy: Policy) -> str:
    return render_html(judged, policy=policy)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_the_report_is_one_small_file_that_loads_and_runs_nothing(html: str, page: Page) -> None:
    assert len(html.encode()) < 1_000_000
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "form", "base"}
    for _, attributes in page.tags:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        assert "src" not in attributes or str(attributes["src"]).startswith("data:image/svg+xml,")
        assert (attributes.get("href") or "#").startswith("#")


def test_the_security_policy_allows_the_one_style_sheet_and_nothing_else(html: str, page: Page) -> None:
    (policy,) = [m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    assert "url(" not in style
    assert "@import" not in style


def test_the_same_record_gives_the_same_bytes(html: str, judged: Audit, policy: Policy) -> None:
    assert html == render_html(judged, policy=policy)


def test_every_link_leads_to_a_part_of_the_page(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"] for a in page.all("a")} <= {f"#{name}" for name in ids}
    labelled = {a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a}
    assert labelled <= set(ids)


def test_a_screen_reader_finds_landmarks_and_words_for_every_picture(page: Page) -> None:
    assert page.all("html") == [{"lang": "en"}]
    for landmark in ("main", "nav", "header", "footer", "h1"):
        assert len(page.all(landmark)) == 1
    assert page.all("img")
    assert all(len(image["alt"] or "") > 40 for image in page.all("img"))
    assert all("scope" in head for head in page.all("th"))
    assert len(page.all("figure")) == len(page.all("img")) == len(page.all("figcaption"))


def test_without_a_policy_nothing_is_judged_and_the_report_says_so(unjudged: Audit) -> None:
    text = Page(render_html(unjudged)).text
    assert "Nothing was judged: there is no policy." in text
    assert not re.search(r"[✗✓] (Pass|Fail)", text)


def test_names_from_the_data_are_text_and_never_markup(judged: Audit) -> None:
    def poison(evidence: Evidence) -> Evidence:
        table = replace(evidence.tables[0], rows=((HOSTILE, HOSTILE, 0.5, 0.5),))
        labels = (HOSTILE, *evidence.figures[0].labels[1:])
        figure = replace(evidence.figures[0], labels=labels)
        words = {**evidence.figures[1].words, "target": HOSTILE}
        return replace(evidence, tables=(table,), figures=(figure, replace(evidence.figures[1], words=words)))

    audit = replace_evidence(judged, "explanation.attribution", poison)
    findings = tuple(replace(f, rule=HOSTILE, rationale=HOSTILE, set_by=HOSTILE, controls=(HOSTILE,)) for f in audit.findings)
    identity = replace(audit.identity, name=HOSTILE, event=HOSTILE, declarations={HOSTILE: HOSTILE})
    html = render_html(replace(audit, findings=findings, identity=identity), run={"started": HOSTILE, "seal": {"file": HOSTILE}})
    page = Page(html)
    assert not page.all("script")
    assert escape(HOSTILE, quote=False) in html.replace("&#34;", '"')
    for image in page.all("img"):
        svg = unquote(str(image["src"]).partition(",")[2])
        assert "<script" not in svg


def test_a_metric_that_the_catalogue_does_not_know_is_refused_not_shown_raw(judged: Audit) -> None:
    strange = Metric.counted("performance.vibes", 1.0, 3)
    audit = replace_evidence(judged, "performance.accuracy", lambda e: replace(e, metrics=(strange,)))
    with pytest.raises(CatalogueError, match=r"metric\.performance\.vibes"):
        render_html(audit)


def test_the_table_under_a_figure_holds_what_is_drawn(judged: Audit) -> None:
    def mark(evidence: Evidence) -> Evidence:
        line = Series("valid", (0.0, 0.123), (0.5, 0.456), (0.4, 0.345), (0.6, 0.567))
        return replace(evidence, figures=(replace(evidence.figures[0], series=(line,)),))

    text = Page(render_html(replace_evidence(judged, "robustness.attack", mark))).text
    assert "valid rows0.1230.4560.3450.567" in text


def test_a_row_that_goes_on_stands_under_the_name_above_it_and_a_remark_reaches_to_the_end() -> None:
    rows = (
        (Cell("Accuracy"), Cell("all"), Cell("0.5")),
        (Cell(""), Cell("some"), Cell("0.4")),
        (Cell("why so"),),
        (Cell("", verdict="fail"), Cell("each"), Cell("0.3")),
    )
    html = set_html(_document(Grid("Numbers", (Head("Name"), Head("On"), Head("Value", number=True)), rows)), {})
    assert '<th scope="rowgroup" rowspan="3">Accuracy</th>' in html
    assert '<td class="remark" colspan="2"><p>why so</p></td>' in html
    assert html.count('scope="row"') == 1
    assert '<td class="number" data-label="Value">0.4</td>' in html


def test_a_table_of_many_columns_scrolls_and_can_be_reached_by_keyboard() -> None:
    wide = Grid("Wide", tuple(Head(str(i)) for i in range(9)), (tuple(Cell(str(i)) for i in range(9)),))
    page = Page(set_html(_document(wide), {}))
    (scroll,) = [attributes for attributes in page.all("div") if attributes.get("class") == "scroll"]
    assert (scroll["tabindex"], scroll["role"], scroll["aria-label"]) == ("0", "group", "Wide")


def test_every_kind_of_block_is_set_and_headings_go_down_step_by_step() -> None:
    inner = Group("inner", "Inside", (Facts((("Term", Cell("said", code=True)),)),), folded=True)
    outer = Group("outer", "Outside", (Paragraph("a note", "note"), Group("deeper", "Deeper", (inner,))), verdict="inconclusive")
    points = Points((Cell("what", small="why", strong=True), Cell("there", link="outer")))
    page = Page(set_html(_document(outer, points, Signature("Sign here", ("Name", "Date"))), {}))
    said = " ".join(page.text.split())
    for text in ("? Inconclusive Outside", "Deeper", "Inside", "Termsaid", "a note", "what: why", "Sign here Name Date"):
        assert text in said
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels == [1, 2, 3, 4]
    assert {"id": "inner"} in page.all("details")
    assert {"href": "#outer"} in page.all("a")


def _document(*blocks: Block) -> Document:
    part = Part("only", "The only part", "body", blocks)
    return Document("en", "a test", "Report", "made by hand", "0123456789ab", "1", "2026-01-01", "at the foot", (part,))
