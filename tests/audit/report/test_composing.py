"""What a report says, before pages and markup: all of the record, the weightiest of it on the pages of the body."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from audit import Audit, Policy
from audit.controls import Matrix
from audit.evidence import Evidence, Table
from audit.report import compose
from audit.report.catalogue import read_catalogue
from audit.report.document import Document, Grid, Group, Picture
from audit.report.wording import Wording
from classifier.metric import Metric
from tests.audit.report.conftest import blocks_of, cells_of, part_of, replace_evidence, words_of

BODY = ("verdict", "scope", "data", "performance", "explanation", "robustness", "privacy", "fairness", "findings", "limits")
LONG = "a long story about the use of this classifier, " * 100


@pytest.fixture(scope="module")
def document(judged: Audit, policy: Policy) -> Document:
    return compose(judged, policy=policy)


def test_ten_parts_are_for_every_reader_and_the_appendix_follows(document: Document, not_run: Audit, unjudged: Audit) -> None:
    for one in (document, compose(not_run), compose(unjudged)):
        assert tuple(part.id for part in one.parts if part.place == "body") == BODY
        assert tuple(part.id for part in one.parts[: len(BODY)]) == BODY
        assert {"scope-details", "artefacts", "reproduce", "glossary"} <= {part.id for part in one.parts[len(BODY) :]}


def test_ids_differ_and_every_link_leads_somewhere(document: Document) -> None:
    blocks = [block for part in document.parts for block in blocks_of(part.blocks)]
    ids = [part.id for part in document.parts] + [block.id for block in blocks if isinstance(block, Group)]
    assert len(ids) == len(set(ids))
    assert {cell.link for block in blocks for cell in cells_of(block) if cell.link} <= set(ids)


def test_every_row_has_a_cell_for_each_head_or_is_a_remark(document: Document, declared: Audit, law: Matrix) -> None:
    for one in (document, compose(declared, matrices=(law,))):
        grids = [block for part in one.parts for block in blocks_of(part.blocks) if isinstance(block, Grid)]
        assert len(grids) > 40
        for grid in grids:
            assert {len(row) for row in grid.rows} <= {1, len(grid.heads)}, grid.title


def test_a_report_is_cited_by_the_beginning_of_the_digest_of_its_record(judged: Audit, document: Document, tmp_path: Path) -> None:
    judged.save(tmp_path)
    digest = hashlib.sha256((tmp_path / "audit.json").read_bytes()).hexdigest()
    assert document.id == digest[:12]
    assert document.id in document.footer
    assert compose(judged, digest="ab" * 32).id == "ab" * 6
    assert document.revision == "1"
    assert "revision 4" in compose(judged, run={"revision": "4"}).footer


def test_the_same_record_gives_the_same_document(judged: Audit, document: Document, policy: Policy) -> None:
    assert compose(judged, policy=policy) == document


def test_every_metric_stands_in_the_appendix_with_its_value_its_interval_and_its_n(judged: Audit, document: Document) -> None:
    wording = Wording(read_catalogue())
    cells = [
        (cell.text, cell.small)
        for part in document.parts
        if part.place == "appendix"
        for block in blocks_of(part.blocks)
        for cell in cells_of(block)
    ]
    said = {text for cell in cells for text in cell}
    for evidence in judged.evidence:
        for metric in evidence.metrics if evidence.not_run is None else ():
            assert any(wording.title(metric.name) in text for text in said) or "group" in metric.where
            if "group" in metric.where and metric.value is not None:
                assert (wording.value(metric), f"{wording.interval(metric)}, n\u00a0=\u00a0{metric.n}") in cells
            elif metric.value is not None:
                assert {wording.interval(metric), str(metric.n)} <= said
                assert (wording.value(metric), wording.bound(metric)) in cells
            else:
                assert any(str(metric.reason) in text for text in said)


def test_a_bound_says_so_in_words_wherever_it_stands(judged: Audit, document: Document) -> None:
    attacked = judged["robustness.attack"].metric("robustness.accuracy", eps=0.2, rows="any")
    assert attacked.value is not None
    value = f"at most {100 * attacked.value:.1f}\u00a0%"
    for name in ("robustness", "robustness-details"):
        cells = [cell for block in blocks_of(part_of(document, name).blocks) for cell in cells_of(block)]
        assert any(cell.small == "upper bound" for cell in cells if cell.text == value) or name == "robustness"
        assert all(cell.small == "upper bound" for cell in cells if cell.text.startswith("at most") and cell.strong)
        assert any(cell.small == "lower bound" for cell in cells if cell.text.startswith("at least") and cell.strong)
    register = words_of(part_of(document, "findings-details"))
    assert "(upper bound, 95\u00a0% interval" in register


def test_every_picture_is_shown_once_and_where_it_is_not_a_line_says_where(judged: Audit, document: Document) -> None:
    drawn = {(evidence.check, figure.name) for evidence in judged.evidence for figure in evidence.figures}
    shown = [b for part in document.parts for b in blocks_of(part.blocks) if isinstance(b, Picture)]
    assert sorted((picture.check, picture.figure.name) for picture in shown) == sorted(drawn)
    in_body = [b for part in document.parts[: len(BODY)] for b in blocks_of(part.blocks) if isinstance(b, Picture)]
    assert {picture.check for picture in in_body} >= {"performance.calibration", "privacy.membership", "fairness.groups"}
    for picture in in_body:
        room = picture.check.partition(".")[0]
        assert f"The picture “{picture.title}” stands in the report." in words_of(part_of(document, f"{room}-details"))


def test_what_somebody_wrote_at_length_is_shortened_in_the_body_and_whole_in_the_appendix(judged: Audit) -> None:
    stated = {"intended_use": LONG, "oversight": LONG, "known_limits": LONG}
    findings = tuple(replace(finding, rationale=LONG) for finding in judged.findings)
    long = compose(replace(judged, findings=findings, identity=replace(judged.identity, declarations=stated)))
    for part in long.parts:
        assert (LONG in words_of(part)) == (part.id in ("scope-details", "findings-details")), part.id
    for name in ("verdict", "scope", "findings", "limits"):
        assert "… (in full in the appendix)" in words_of(part_of(long, name))


def test_a_room_of_which_nothing_was_measured_says_so_and_why(not_run: Audit) -> None:
    part = words_of(part_of(compose(not_run), "privacy"))
    assert "Nothing of this was measured." in part
    assert "the classifier is a black box" in part
    without = replace(not_run, evidence=tuple(e for e in not_run.evidence if not e.check.startswith("fairness.")))
    assert "Nothing of this was measured." in words_of(part_of(compose(without), "fairness"))


def test_a_hundred_groups_do_not_push_the_body_off_its_pages(judged: Audit) -> None:
    def crowd(evidence: Evidence) -> Evidence:
        many = [Metric("fairness.accuracy", 0.5, 0.4, 0.6, 50, where={"attribute": "age", "group": f"group {i}"}) for i in range(100)]
        return replace(evidence, metrics=tuple(many))

    document = compose(replace_evidence(judged, "fairness.groups", crowd))
    body, appendix = (words_of(part_of(document, name)) for name in ("fairness", "fairness-details"))
    assert "And 92 more, in the appendix." in body
    assert "group 50" not in body
    assert all(f"group {i}" in appendix for i in range(100))


def test_a_law_that_was_chosen_has_its_matrix_and_no_other_has(judged: Audit, document: Document, law: Matrix) -> None:
    assert "controls" not in {part.id for part in document.parts}
    part = part_of(compose(judged, matrices=(law,)), "controls")
    for said in ("Law of the test", "its gazette, 2026", "clause 0", "measured", "declared", "out of scope", "answer 2"):
        assert said in words_of(part)


def test_checks_that_did_not_run_are_named_with_their_reason(not_run: Audit) -> None:
    text = words_of(part_of(compose(not_run), "scope-details"))
    assert "Who was in the training data\nthe classifier is a black box" in text
    assert "What the data hold\nleft out of this audit by whoever ran it" in text


def test_a_long_reason_has_a_row_of_its_own_and_stands_there_once(judged: Audit) -> None:
    reason, doubt = "the network is not small enough", "the ascent still gained in its last steps"

    def lose(evidence: Evidence) -> Evidence:
        lost = tuple(Metric.missing("robustness.exact_accuracy", reason, where={"eps": eps}) for eps in (0.1, 0.2))
        doubtful = (replace(m, unreliable=doubt) for m in evidence.metrics if m.name == "robustness.certified_accuracy")
        return replace(evidence, metrics=(*lost, *list(doubtful)[:1]))

    part = part_of(compose(replace_evidence(judged, "robustness.bounds", lose)), "robustness-details")
    grids = [block for block in blocks_of(part.blocks) if isinstance(block, Grid)]
    remarks = [row[0].text for grid in grids for row in grid.rows if len(row) == 1]
    assert remarks.count(reason) == 1
    assert remarks.count(f"unreliable: {doubt}") == 1


def test_ten_classes_head_their_columns_even_where_one_is_called_like_a_column(judged: Audit) -> None:
    classes = ("truth", *map(str, range(1, 10)))
    confusion = Table("confusion", ("truth", *classes), tuple((name, *range(10)) for name in classes))
    parts = Table("parts", ("part", "rows", *classes), (("test", *range(11)),))
    audit = replace_evidence(judged, "performance.accuracy", lambda e: replace(e, tables=(confusion,)))
    audit = replace_evidence(audit, "data.quality", lambda e: replace(e, tables=(parts,)))
    matrix = Table("matrix", ("given", *classes), tuple((name, *[0.5] * 10) for name in classes))
    audit = replace_evidence(audit, "data.label_errors", lambda e: replace(e, tables=(matrix,)))
    document = compose(replace(audit, identity=replace(audit.identity, classes=classes, event=None, favourable=None)))
    heads = [[h.text for h in b.heads] for part in document.parts for b in blocks_of(part.blocks) if isinstance(b, Grid)]
    assert ["What happened", *classes] in heads
    assert ["Part", "Rows", *classes] in heads
    assert ["Given", *classes] in heads
    assert "the likeliest class is taken" in words_of(part_of(document, "verdict"))


def test_a_value_that_is_empty_does_not_look_like_a_row_that_goes_on(judged: Audit) -> None:
    table = Table("coverage", ("attribute", "group", "rows", "share"), (("", "", 3, 0.5),))
    document = compose(replace_evidence(judged, "data.quality", lambda e: replace(e, tables=(table,))))
    rows = [row for b in blocks_of(part_of(document, "data").blocks) if isinstance(b, Grid) for row in b.rows]
    assert ["“”", "", "3", "50.0\u00a0%"] in [[cell.text for cell in row] for row in rows]
