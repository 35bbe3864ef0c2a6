"""Signers that the tests of signatures share, and what they sign."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest

from audit.vault.signing.claim import Claim
from audit.vault.signing.keys import SigningKey, generate_signing_key
from audit.vault.signing.predicates import Predicate, Released
from audit.vault.signing.statement import Statement, Subject, sign_statement

Sign = Callable[..., bytes]
NOW = datetime.datetime(2026, 6, 15, 12, 0, 0, tzinfo=datetime.UTC)
ROOT = "ab" * 32


@pytest.fixture(scope="session")
def alice() -> SigningKey:
    return generate_signing_key()


@pytest.fixture(scope="session")
def bob() -> SigningKey:
    return generate_signing_key()


@pytest.fixture(scope="session")
def now() -> datetime.datetime:
    """The time at which the tests happen."""
    return NOW


@pytest.fixture(scope="session")
def root() -> str:
    """The digest that statements are about."""
    return ROOT


@pytest.fixture(scope="session")
def sign() -> Sign:
    """Sign a statement; what is not said is as it should be."""

    def signed(
        key: SigningKey,
        predicate: Predicate | None = None,
        *,
        model: str = "credit",
        version: int = 3,
        time: datetime.datetime = NOW,
        name: str = "model",
        sha256: str = ROOT,
    ) -> bytes:
        return sign_statement(Statement((Subject(name, sha256),), Claim(model, version, time), predicate or Released()), key)

    return signed
