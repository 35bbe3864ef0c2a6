"""``assay report``: what a bundle holds is set again in any language and format, and the bundle stays as it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.publication import publish

Assay = Callable[..., tuple[int, str, str]]
GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return shutil.copytree(GOLDEN, tmp_path / "bundle")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_language_and_format_is_written_and_the_same_bytes_twice(assay: Assay, bundle: Path, tmp_path: Path) -> None:
    before = contents(bundle)
    for name in ("one", "two"):
        code, out, errors = assay("report", "bundle", "--lang", "en", "--lang", "zh-CN", "--lang", "en", "--output", name)
        assert (code, errors) == (0, "")
    assert sorted(contents(tmp_path / "one")) == ["report.en.html", "report.en.pdf", "report.zh-CN.html", "report.zh-CN.pdf"]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert out.count("Report: ") == 4
    assert contents(bundle) == before
    assert "审计报告" in (tmp_path / "one" / "report.zh-CN.html").read_text(encoding="utf-8")


def test_one_format_alone_is_written_where_it_is_asked_for(assay: Assay, bundle: Path, tmp_path: Path) -> None:
    assert assay("report", "bundle", "--format", "pdf", "--output", "out")[0] == 0
    assert list(contents(tmp_path / "out")) == ["report.en.pdf"]


@pytest.mark.parametrize("output", [".", "bundle", "bundle/deeper"])
def test_nothing_is_written_into_the_bundle(assay: Assay, bundle: Path, monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    if output == ".":
        monkeypatch.chdir(bundle)
    before = contents(bundle)
    code, _, errors = assay("report", str(bundle), "--output", output)
    assert code == 2
    assert "lies in the bundle" in errors
    assert contents(bundle) == before


@pytest.mark.parametrize(
    ("asked", "told"),
    [(("--lang", "zh"), "there is no language 'zh' of reports"), (("--format", "pfd"), "there is no format 'pfd' of reports")],
)
def test_what_there_is_not_is_refused_with_the_nearest(assay: Assay, bundle: Path, asked: tuple[str, str], told: str) -> None:
    code, _, errors = assay("report", str(bundle), *asked, "--output", "out")
    assert code == 2
    assert told in errors
    assert "zh-CN" in errors or "pdf" in errors


def test_a_bundle_that_was_changed_is_not_rendered(assay: Assay, bundle: Path, tmp_path: Path) -> None:
    (bundle / "audit.json").write_bytes((bundle / "audit.json").read_bytes().replace(b"0.875", b"0.999", 1))
    code, _, errors = assay("report", str(bundle), "--output", "out")
    assert code == 4
    assert "audit.json" in errors
    assert not (tmp_path / "out").exists()


def test_a_published_copy_is_rendered_from_its_public_record(assay: Assay, bundle: Path, tmp_path: Path) -> None:
    publish(bundle, tmp_path / "public")
    code, _, errors = assay("report", "public", "--format", "html", "--output", "out")
    assert (code, errors) == (0, "")
    assert "left out when this audit was published" in (tmp_path / "out" / "report.en.html").read_text(encoding="utf-8")
