"""``assay selftest``: hold every engine against the truths that it ships with."""

from __future__ import annotations

import typer


def test_engines() -> None:
    """Run the known answers: linear models, memorisers, published vectors.

    Example: assay selftest
    """
    from audit.selftest import run_selftest

    answers = run_selftest()
    for answer in answers:
        mark = "holds " if answer.holds else "FAILED"
        typer.echo(f"{mark}  {answer.id}: {answer.statement}")
        if not answer.holds:
            typer.echo(f"        expected {answer.expected:g}, measured {answer.measured:g}, tolerance {answer.tolerance:g}")
    held = sum(answer.holds for answer in answers)
    typer.echo(f"{held} of {len(answers)} known answers hold on this machine")
    raise typer.Exit(0 if held == len(answers) else 5)
