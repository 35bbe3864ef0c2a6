"""Progress of long work, on a terminal's standard error and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[str], None]


@contextmanager
def progress_bar(description: str, total: int, *, shown: bool = True) -> Iterator[Advance]:
    """Yield a function that moves the bar by one step and says what is being done.

    Args:
        description: What the work is.
        total: How many steps there are.
        shown: Whether to show it at all; it never shows where standard error is no terminal.
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda message: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[message]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total, message="")
        yield lambda message: progress.update(task, advance=1, message=message)
