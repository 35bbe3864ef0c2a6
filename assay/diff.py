"""``assay diff``: what one audit says differently from another, and whether anything became worse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.options import AsJson
from classifier.errors import ConfigurationError

if TYPE_CHECKING:
    from audit.bundle import Audit
    from audit.comparison import Difference, Remedy


def compare_bundles(
    old: Annotated[Path, typer.Argument(help="Folder of the bundle to compare with.", metavar="OLD")],
    new: Annotated[Path, typer.Argument(help="Folder of the bundle that is asked about.", metavar="NEW")],
    as_json: AsJson = False,
    html: Annotated[Path | None, typer.Option(help="Write the comparison as one HTML file too.", metavar="FILE")] = None,
    lang: Annotated[str, typer.Option(help="Language of what is told.", metavar="TAG")] = "en",
) -> None:
    """Say what changed from one audit to another: what is worse, what is better, and what cannot be told.

    Rows that both keep are compared with themselves, and all tests are corrected together. What had failed in the old
    audit is told with what was answered to it, and what it is now.

    Exit codes: 0 nothing is worse, 1 something is, 3 that cannot be told, or evidence is missing, 4 a file is not what
    it was.

    Example: assay diff reports/credit-2026 reports/credit-2027 --html changes.html
    """
    from audit.comparison import compare, compose, tell

    before, after = _load(old), _load(new)
    difference = compare(before, after)
    failed = _failed(old, before, after)
    if html is not None:
        from audit.report.html import set_html
        from classifier.records import write_atomically

        document = compose(difference, failed, language=lang, date=_run(new).get("started", "")[:10])
        write_atomically(html, set_html(document, {}).encode())
    told = json.dumps(_describe(difference, failed), ensure_ascii=False, indent=2) if as_json else tell(difference, failed, language=lang)
    typer.echo(told)
    if html is not None and not as_json:
        typer.echo(f"\n{html}")
    raise typer.Exit(difference.exit_code)


def _load(folder: Path) -> Audit:
    from audit.bundle import Audit

    if not folder.is_dir():
        problem = f"{folder} is a file" if folder.exists() else f"there is no folder {folder}"
        raise ConfigurationError(f"{problem}, required is the folder of a bundle", remedy="give the folder that holds manifest.json")
    return Audit.load(folder)


def _run(folder: Path) -> dict[str, Any]:
    """What ``run.json`` of a bundle holds; nothing where it is not there."""
    from audit.bundle import verify_bundle
    from audit.strict_json import parse_strictly

    bundle = verify_bundle(folder)
    run = parse_strictly(bundle.read("run.json"), str(folder / "run.json")) if "run.json" in bundle.files else {}
    return run if isinstance(run, dict) else {}


def _failed(folder: Path, before: Audit, after: Audit) -> tuple[Remedy, ...]:
    from audit.comparison import read_responses, remedies

    responses = read_responses(_run(folder), [finding.rule for finding in before.findings])
    return remedies(before.findings, after.findings, responses)


def _describe(difference: Difference, failed: tuple[Remedy, ...]) -> dict[str, Any]:
    from classifier.records import as_record

    return {
        "exit_code": difference.exit_code,
        "difference": as_record(difference),
        "remediation": [as_record(remedy) for remedy in failed],
    }
