from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser

import pytest

from audit import Audit, Policy
from audit.evidence import Evidence, Series, Table
from audit.report import render_html
from audit.report.catalogue import read_catalogue
from audit.report.wording import Wording
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
        assert "src" not in attributes or str(attributes["src"]).startswith("data:image/svg+xml;base64,")
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


def test_every_metric_appears_with_its_value_its_interval_and_its_n(judged: Audit, page: Page) -> None:
    wording = Wording(read_catalogue())
    for evidence in judged.evidence:
        if evidence.not_run is not None:
            assert evidence.not_run in page.text
            continue
        for metric in evidence.metrics:
            assert wording.title(metric.name) in page.text
            assert wording.value(metric) in page.text if metric.value is not None else str(metric.reason) in page.text
            assert wording.interval(metric) in page.text


def test_upper_bounds_say_at_most(judged: Audit, page: Page) -> None:
    bound = judged["robustness.attack"].metric("robustness.accuracy", eps=0.2, rows="any")
    assert bound.value is not None
    assert f"at most {100 * bound.value:.1f}\u00a0%" in page.text


def test_every_rule_stands_in_the_register_with_its_owner_its_reason_and_its_limit(judged: Audit, page: Page) -> None:
    register = page.text[page.text.rindex("Register of findings") :]
    for finding in judged.findings:
        for said in (finding.rule, finding.rationale, finding.set_by, read_catalogue()(f"verdict.{finding.verdict}.word")):
            assert said in register
    assert "eu-ai-act:15.1" in register
    assert {finding.reason for finding in judged.findings} == set(read_catalogue().under("reason"))


def test_page_one_shows_the_gravest_open_violation_first(page: Page) -> None:
    first = page.text[: page.text.index("Scope, and what was not measured", page.text.index("Audit report"))]
    assert "5 of 10 rules violated." not in first
    assert "4 of 10 rules violated." in first
    assert "1 of these accepted by a named person." in first
    worst = first[first.index("Findings that weigh most") :]
    assert worst.index("BROKEN") < worst.index("EXPIRED") < worst.index("UNDECIDED")
    assert "WAIVED" not in worst


def test_a_waived_violation_stays_a_fail_and_names_who_accepts_it(page: Page) -> None:
    card = page.text[page.text.index("✗ Fail WAIVED") :][:900]
    assert "A. Person, 2027-01-31: until it is calibrated" in card
    assert "Acceptance by B. Person ended on 2025-01-31 and counts no more." in page.text


def test_without_a_policy_nothing_is_judged_and_the_report_says_so(unjudged: Audit) -> None:
    text = Page(render_html(unjudged)).text
    assert "Nothing was judged: there is no policy." in text
    assert not re.search(r"[✗✓] (Pass|Fail)", text)


def test_checks_that_did_not_run_are_named_with_their_reason(not_run: Audit) -> None:
    text = Page(render_html(not_run)).text
    assert "Who was in the training data: the classifier is a black box" in text
    assert "What the data hold: left out of this audit by whoever ran it" in text
    assert "The audit was stopped before its end" in text
    assert "Do not rely on these numbers" in text


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
        svg = base64.b64decode(str(image["src"]).partition(",")[2]).decode()
        assert "<script" not in svg


def test_ten_classes_head_their_columns_even_where_one_is_called_like_a_column(judged: Audit) -> None:
    classes = ("truth", *map(str, range(1, 10)))
    confusion = Table("confusion", ("truth", *classes), tuple((name, *range(10)) for name in classes))
    parts = Table("parts", ("part", "rows", *classes), (("test", *range(11)),))
    audit = replace_evidence(judged, "performance.accuracy", lambda e: replace(e, tables=(confusion,)))
    audit = replace_evidence(audit, "data.quality", lambda e: replace(e, tables=(parts,)))
    matrix = Table("matrix", ("given", *classes), tuple((name, *[0.5] * 10) for name in classes))
    audit = replace_evidence(audit, "data.label_errors", lambda e: replace(e, tables=(matrix,)))
    identity = replace(audit.identity, classes=classes, event=None, favourable=None)
    text = Page(render_html(replace(audit, identity=identity))).text
    assert "the likeliest class is taken" in text
    assert "What happenedtruth123456789" in text
    assert "PartRowstruth123456789" in text
    assert "Giventruth123456789" in text


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


def test_the_seal_says_what_was_proven(judged: Audit) -> None:
    sealed = {"file": "model.safetensors.age", "recipients": 2, "digest": "ab" * 32, "opened_again": True}
    audit = replace(judged, evidence=())  # no pictures, which take their time
    proven = Page(render_html(audit, run={"seal": sealed})).text
    assert "yes, to the same digest" in proven
    assert "Recipients2" in proven
    assert "no: it was not tried here" in Page(render_html(audit, run={"seal": {**sealed, "opened_again": False}})).text
    assert "No seal is recorded." in Page(render_html(audit, run={"seal": None})).text


def test_a_long_reason_has_a_row_of_its_own_and_stands_there_once(judged: Audit) -> None:
    reason, doubt = "the network is not small enough " * 4, "the ascent still gained in its last steps " * 3

    def lose(evidence: Evidence) -> Evidence:
        lost = tuple(Metric.missing("robustness.exact_accuracy", reason.strip(), where={"eps": eps}) for eps in (0.1, 0.2))
        doubtful = (replace(m, unreliable=doubt.strip()) for m in evidence.metrics if m.name == "robustness.certified_accuracy")
        return replace(evidence, metrics=(*lost, *list(doubtful)[:1]))

    html = render_html(replace_evidence(judged, "robustness.bounds", lose))
    room = html[html.index('id="robustness"') : html.index('id="artefacts"')]
    assert room.count(reason.strip()) == 1
    assert f'<td class="remark" colspan="4"><p>{reason.strip()}</p></td>' in room
    assert f'<td class="remark" colspan="4"><p>unreliable: {doubt.strip()}</p></td>' in room
    # The head of the rows reaches over the remarks, so that the columns stay under their names.
    assert 'rowspan="3"' in room


def test_a_class_is_called_a_class(judged: Audit) -> None:
    wording = Wording(read_catalogue())
    assert wording.where(Metric.counted("robustness.trigger_size", 0.5, 3, where={"class": "2"})) == "class 2"


def test_a_fail_by_an_unreliable_number_says_both(judged: Audit) -> None:
    findings = tuple(
        replace(f, metric=replace(f.metric, unreliable="it was stopped too soon")) if f.rule == "BROKEN" and f.metric else f
        for f in judged.findings
    )
    assert "unreliable: it was stopped too soon" in Page(render_html(replace(judged, findings=findings))).text
