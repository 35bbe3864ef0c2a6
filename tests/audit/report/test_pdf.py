"""The PDF: what it declares, what it carries, and that what a document says comes out as it is said."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from audit.evidence import Figure, Series
from audit.report.document import Cell, Document, Facts, Grid, Group, Head, Paragraph, Part, Picture, Points, Signature
from audit.report.pdf import render_pdf
from classifier.errors import ConfigurationError, DataError, InternalError

CREATED = datetime(2026, 7, 1, 8, 30, 5, tzinfo=UTC)
RECORD = b'{"name":"credit","spoken":"\xe8\xb4\xb7\xe6\xac\xbe"}\n'
# What means something to typst, to HTML, to a shell or to a PDF, and must mean nothing here.
HOSTILE = "#import #panic() $x^2$ @findings <body> *bold* _under_ `raw` = Head //gone \\u{41} [U] {page}"
DIGEST = "5356b02afe38c1d2" * 4
PICTURE = ("fairness.groups", "rates")


def drawing(text: str) -> str:
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="518.4pt" height="280.8pt" viewBox="0 0 518.4 280.8">
<path d="M 20 20 L 500 260" style="fill: none; stroke: #0072b2; stroke-width: 2"/>
<text style="font-size: 10px; font-family: 'DejaVu Sans', sans-serif; text-anchor: middle" x="260" y="140">{text}</text></svg>"""


def grid(title: str, rows: int) -> Grid:
    heads = (Head("Group"), Head("Share", number=True), Head("Rule"))
    cells = tuple((Cell(f"group{n}"), Cell(f"{n}.5", small="upper bound"), Cell("", verdict="pass")) for n in range(rows))
    return Grid(title, heads, cells)


def picture() -> Picture:
    figure = Figure("rates", "intervals", (Series("rate", (0.0,), (0.5,), (0.4,), (0.6,)),), labels=("a",))
    return Picture(*PICTURE[:1], figure, "Rates by group", "A point is a rate.", grid("Rates", 3))


def said(language: str = "en", *, words: str = "The share of each group.", rows: int = 120) -> Document:
    """Every block there is, twice where it matters where it stands."""
    findings = Group("rule-1", "FAIR-AGE", (Facts((("Asked", Cell(words)), ("Digest", Cell(DIGEST, code=True)))),), verdict="fail")
    body = (
        Paragraph("2 of 14 rules violated.", "headline"),
        Paragraph(words, "question"),
        Points((Cell(words, link="details"), Cell("left out", small="not measured", strong=True))),
        grid("Counts", 3),
        picture(),
    )
    signed = (Signature("Lead of the audit", ("Name", "Date")), Signature("Seal", ()), Paragraph(words, "note"))
    return Document(
        language=language,
        title="credit",
        kind="Audit report",
        subtitle="Self-assessed.",
        id="452aa64e7f63",
        revision="1",
        date="2026-07-01",
        footer="credit, document 452aa64e7f63",
        parts=(
            Part("verdict", "Verdict", "body", body),
            Part("limits", "Limits and sign-off", "body", signed),
            Part("details", "All that was measured", "appendix", (grid("Every group", rows), findings)),
            Part("glossary", "Words used here", "appendix", (Paragraph(words, "muted"),)),
        ),
    )


def made(document: Document, *, drawn: str = "rate", record: bytes = RECORD) -> bytes:
    return render_pdf(document, {PICTURE: drawing(drawn)}, record=record, created=CREATED)


def read(pdf: bytes) -> PdfReader:
    return PdfReader(BytesIO(pdf))


def text_of(pdf: bytes) -> str:
    """All that is written, without spaces, since lines break where they must."""
    return "".join("".join(page.extract_text().split()) for page in read(pdf).pages)


@pytest.fixture(scope="module")
def english() -> bytes:
    return made(said())


@pytest.fixture(scope="module")
def chinese() -> bytes:
    return made(said("zh-CN", words="各群体的批准率“不一致”，详见附录。"), drawn="批准率")


def test_it_declares_to_be_archival_and_accessible(english: bytes) -> None:
    reader = read(english)
    declared = reader.trailer["/Root"]["/Metadata"].get_data().decode()
    assert "<pdfaid:part>3</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance>" in re.sub(r"\s+<", "<", declared)
    assert "<pdfuaid:part>1</pdfuaid:part>" in declared
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"].value is True
    assert reader.trailer["/Root"]["/ViewerPreferences"]["/DisplayDocTitle"].value is True


@pytest.mark.skipif(shutil.which("verapdf") is None, reason="veraPDF, which judges the declared conformance, is not installed")
@pytest.mark.parametrize("flavour", ["3a", "ua1"])
def test_verapdf_finds_nothing(flavour: str, english: bytes, chinese: bytes, tmp_path: Path) -> None:
    for name, pdf in (("en", english), ("zh", chinese)):
        (tmp_path / f"{name}.pdf").write_bytes(pdf)
    command = ["verapdf", "--flavour", flavour, "--format", "text", str(tmp_path)]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    assert judged.stdout.count("PASS") == 2, judged.stdout


def test_the_record_is_attached_byte_for_byte(english: bytes) -> None:
    (attached,) = read(english).attachment_list
    assert (attached.name, attached.content) == ("audit.json", RECORD)
    assert attached.associated_file_relationship == "/Source"
    assert attached.subtype == "/application/json"
    assert "every number of this report" in str(attached.description)


def test_the_same_document_has_the_same_bytes_in_another_process(english: bytes, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    asked.write_bytes(pickle.dumps((said(), {PICTURE: drawing("rate")}, RECORD, CREATED)))
    code = (
        "import pickle, sys; from audit.report.pdf import render_pdf\n"
        "document, pictures, record, created = pickle.load(open(sys.argv[1], 'rb'))\n"
        "sys.stdout.buffer.write(render_pdf(document, pictures, record=record, created=created))"
    )
    # Another order of sets, another folder, another time zone.
    environment = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Shanghai", "PYTHONPATH": str(Path(__file__).parents[3])}
    again = subprocess.run([sys.executable, "-c", code, str(asked)], capture_output=True, cwd=tmp_path, env=environment, check=True)
    assert again.stdout == english


def test_its_properties_say_what_it_is(english: bytes, chinese: bytes) -> None:
    properties = read(english).metadata
    assert properties is not None
    assert (properties.title, properties.author, properties.subject) == ("Audit of credit", "Assay", "Self-assessed.")
    assert properties["/Keywords"] == "Audit report, credit, 452aa64e7f63"
    assert properties.creation_date == CREATED
    assert [read(pdf).trailer["/Root"]["/Lang"] for pdf in (english, chinese)] == ["en", "zh-CN"]


def test_what_data_hold_is_never_markup() -> None:
    hostile = HOSTILE
    cell = Cell(hostile, small=hostile, link="x", strong=True)
    blocks = (
        Paragraph(hostile),
        Points((cell,)),
        Facts(((hostile, cell),)),
        Grid(hostile, (Head(hostile), Head(hostile)), ((cell, Cell(hostile, code=True)), (Cell(hostile),))),
        replace(picture(), title=hostile, caption=hostile),
        Signature(hostile, (hostile,)),
        Group("@g <g>", hostile, (Paragraph(hostile),), verdict="fail"),
    )
    document = replace(said(), title=hostile, kind=hostile, subtitle=hostile, footer=hostile, parts=(Part("x", hostile, "body", blocks),))
    pdf = made(document)
    # Once and twice in a cell, in the numbers of the picture, and on every page above and below.
    assert text_of(pdf).count("".join(hostile.split())) >= 20
    assert [attached.name for attached in read(pdf).attachment_list] == ["audit.json"]
    assert read(pdf).metadata.title == f"Audit of {hostile}"  # type: ignore[union-attr]


def test_a_letter_that_no_font_has_is_shown_by_its_number() -> None:
    pdf = made(said(words="smile \U0001f600, hidden \u202e turn, bell \a"), drawn="\U0001f600")
    text = text_of(pdf)
    assert "smile[U+1F600],hidden[U+202E]turn,bell[U+0007]" in text
    assert "4.8×10⁻⁹" in text_of(made(said(words="4.8 × 10⁻⁹")))


def test_chinese_is_written_with_letters_that_can_be_copied(chinese: bytes) -> None:
    text = text_of(chinese)
    assert text.count("各群体的批准率“不一致”，详见附录。") >= 4
    # The picture's letters too.
    assert text.count("批准率") > text.count("各群体的批准率")


def test_every_font_is_in_the_file_and_none_is_this_machines(english: bytes, chinese: bytes) -> None:
    for pdf in (english, chinese):
        fonts = {font for page in read(pdf).pages for font in page["/Resources"]["/Font"].values()}  # type: ignore[index]
        for font in (reference.get_object() for reference in fonts):
            (inside,) = font["/DescendantFonts"]
            descriptor = inside.get_object()["/FontDescriptor"]
            assert {"/FontFile2", "/FontFile3"} & set(descriptor)
            assert "/ToUnicode" in font
            assert re.match(r"/[A-Z]{6}\+(NotoS(ans|erif)SC|LibertinusSerif|DejaVuSansMono)", font["/BaseFont"])


def structures(pdf: bytes, kind: str) -> Iterator[dict[str, object]]:
    reader = read(pdf)
    objects = (reader.get_object(number) for number in reader.xref[0])
    return (held for held in objects if isinstance(held, dict) and held.get("/S") == kind)


def test_a_figure_says_in_words_what_it_shows(english: bytes) -> None:
    (figure,) = structures(english, "/Figure")
    assert figure["/Alt"] == "Rates by group. A point is a rate."


def test_tables_are_tables_to_a_screen_reader(english: bytes) -> None:
    # Those that the document says and the numbers of its picture, each with three heads.
    assert len(list(structures(english, "/Table"))) == 3
    assert len(list(structures(english, "/TH"))) == 9


def test_verdicts_stand_as_words(english: bytes) -> None:
    assert "FailFAIR-AGE" in text_of(english)


@pytest.mark.parametrize(("module", "package"), [("typst", "typst"), ("pylopdf_fonts_zh_cn", "pylopdf-fonts-zh-cn")])
def test_a_missing_package_is_named_with_what_installs_it(module: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=f"package {package}, .*install 'assay\\[pdf\\]'"):
        made(said())


def test_what_is_missing_or_unfit_is_refused() -> None:
    with pytest.raises(DataError, match=r"figure 'rates' of fairness\.groups"):
        render_pdf(said(), {}, record=RECORD, created=CREATED)
    with pytest.raises(DataError, match="created must have a time zone, got 2026-07-01T08:30:05"):
        render_pdf(said(), {}, record=RECORD, created=CREATED.replace(tzinfo=None))
    with pytest.raises(DataError, match=r"must be UTF-8, as audit\.json is, but byte 1 is not"):
        made(said(), record=b"{\xff}")
    with pytest.raises(DataError, match="no viewBox"):
        render_pdf(said(), {PICTURE: "<svg/>"}, record=RECORD, created=CREATED)
    with pytest.raises(InternalError, match="typst could not set the report"):
        made(said(), drawn="</text>")
    with pytest.raises(ConfigurationError, match="no catalogue for the language 'xx'"):
        made(said("xx"))
