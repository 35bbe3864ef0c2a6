"""Every engine held against the truths that it ships with."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from classifier.known_answer import KnownAnswer
from classifier.seeds import Seed

ENGINES = ("explain", "audit.data", "audit.robustness", "audit.privacy", "audit.vault", "audit.supply_chain", "audit.deidentification")


def run_selftest(*, seed: int = 0) -> tuple[KnownAnswer, ...]:
    """Measure all known answers.

    Args:
        seed: Where the random models and rows of the tests come from.
    """
    return tuple(answer for engine in ENGINES for answer in _measure(engine, Seed(seed, ("selftest", engine))))


def _measure(engine: str, seed: Seed) -> Iterator[KnownAnswer]:
    yield from importlib.import_module(f"{engine}.known_answers").measure_known_answers(seed)
