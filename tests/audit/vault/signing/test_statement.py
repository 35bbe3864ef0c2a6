"""A statement is read exactly as it is written, and says what an in-toto reader reads."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.vault.signing.claim import Claim
from audit.vault.signing.keys import SigningKey
from audit.vault.signing.predicates import CLAIM, PREDICATES, ROLES, Audited, Packaged, Predicate, Released, Trained
from audit.vault.signing.statement import Statement, Subject, parse_statement, sign_statement
from classifier.errors import ConfigurationError, IntegrityError

FUZZ = pytest.mark.parametrize("examples", [500, pytest.param(10_000, marks=pytest.mark.slow)])
TIME = datetime.datetime(2026, 6, 15, 12, 0, 0, tzinfo=datetime.UTC)
A, B, C = "a" * 64, "b" * 64, "c" * 64
PREDICATE_EXAMPLES: tuple[Predicate, ...] = (
    Trained(A, {"architecture": "mlp", "hidden": [8, 8], "learning_rate": 0.01, "patience": None}),
    Audited(A, ("HOLDS", "规则"), ("UNDECIDED",), ("BROKEN",), policy=B, trust=C),
    Audited(A),
    Released(),
    Packaged(),
)
names = st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable() and text == text.strip())
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
times = st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)).map(
    lambda time: time.replace(microsecond=0, tzinfo=datetime.UTC)
)
claims = st.builds(Claim, names, st.integers(1, 2**53), times)


def example(predicate: Predicate) -> Statement:
    return Statement((Subject("model.safetensors.age", A),), Claim("credit", 3, TIME), predicate)


@pytest.mark.parametrize("predicate", PREDICATE_EXAMPLES, ids=lambda predicate: f"{predicate.role}-{predicate}"[:30])
def test_every_statement_is_read_back_the_same(predicate: Predicate) -> None:
    assert parse_statement(example(predicate).encode(), "it") == example(predicate)


@given(claims, st.lists(st.builds(Subject, names, digests), min_size=1, max_size=4, unique_by=lambda s: s.name), digests)
def test_any_statement_is_read_back_the_same(claim: Claim, subjects: list[Subject], digest: str) -> None:
    for predicate in (Trained(digest), Audited(digest), Released()):
        statement = Statement(tuple(subjects), claim, predicate)
        assert parse_statement(statement.encode(), "it") == statement


def test_every_role_has_one_kind_of_statement_and_one_type() -> None:
    assert sorted(kind.role for kind in PREDICATES.values()) == sorted(ROLES)
    assert len(PREDICATES) == len(ROLES)


def test_an_audit_is_a_test_result_as_in_toto_describes_it() -> None:
    # github.com/in-toto/attestation, spec/v1/statement.md and spec/predicates/test-result.md; extensions bear a URI as their name.
    content = json.loads(example(Audited(A, ("HOLDS",), ("UNDECIDED",), ("BROKEN",), policy=B, classifier=B)).encode())
    assert content == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model.safetensors.age", "digest": {"sha256": A}}],
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
        "predicate": {
            "result": "FAILED",
            "configuration": [{"name": "policy.toml", "digest": {"sha256": B}}],
            "passedTests": ["HOLDS"],
            "warnedTests": ["UNDECIDED"],
            "failedTests": ["BROKEN"],
            CLAIM: {"model": {"id": "credit", "version": 3}, "time": "2026-06-15T12:00:00Z", "manifest": {"sha256": A}, "classifier": B},
        },
    }


@pytest.mark.parametrize(
    ("passed", "warned", "failed", "result"),
    [("ab", "", "", "PASSED"), ("ab", "c", "", "WARNED"), ("ab", "c", "d", "FAILED"), ("", "", "d", "FAILED"), ("", "", "", "WARNED")],
)
def test_nothing_passes_where_a_rule_is_violated_or_none_was_judged(passed: str, warned: str, failed: str, result: str) -> None:
    assert Audited(A, tuple(passed), tuple(warned), tuple(failed)).result == result


def _set(value: object, *path: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        place: Any = content
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("predicate", "change"),
    [
        (Released(), _set("https://in-toto.io/Statement/v0.1", "_type")),
        (Released(), _set("urn:assay:statement:unknown:v1", "predicateType")),
        (Released(), _set(["urn:assay:statement:released:v1"], "predicateType")),
        (Released(), _set("more", "more")),
        (Released(), _set([], "subject")),
        (Released(), _set({"name": "a", "digest": {"sha256": A}}, "subject")),
        (Released(), _set([{"name": "a", "digest": {"sha256": A.upper()}}], "subject")),
        (Released(), _set([{"name": "a", "digest": {"sha256": A[:-1]}}], "subject")),
        (Released(), _set([{"name": "a", "digest": {"sha256": A + "\n"}}], "subject")),
        (Released(), _set([{"name": "a", "digest": {"sha1": A[:40]}}], "subject")),
        (Released(), _set([{"name": "a", "digest": {"sha256": A, "sha512": A}}], "subject")),
        (Released(), _set([{"name": "a", "digest": {"sha256": A}, "uri": "x"}], "subject")),
        (Released(), _set([{"name": "a", "digest": {"sha256": A}}] * 2, "subject")),
        (Released(), _set([{"name": str(i), "digest": {"sha256": A}} for i in range(4098)], "subject")),
        (Released(), _set([{"name": "a\x1b[2J", "digest": {"sha256": A}}], "subject")),
        (Packaged(), _set([{"name": "../a", "digest": {"sha256": A}}], "subject")),
        (Packaged(), _set([{"name": "a\\b", "digest": {"sha256": A}}], "subject")),
        (Packaged(), _set([{"name": "..", "digest": {"sha256": A}}], "subject")),
        (Packaged(), _set([{"name": n, "digest": {"sha256": A}} for n in ("a", "../b")], "subject")),
        (Released(), _set(None, "predicate")),
        (Released(), _set(1, "predicate", "more")),
        (Released(), _set({"id": "credit"}, "predicate", "model")),
        (Released(), _set("", "predicate", "model", "id")),
        (Released(), _set(" credit", "predicate", "model", "id")),
        (Released(), _set("cre\u202edit", "predicate", "model", "id")),
        (Released(), _set("cre\u200bdit", "predicate", "model", "id")),
        (Released(), _set("x" * 257, "predicate", "model", "id")),
        (Released(), _set(0, "predicate", "model", "version")),
        (Released(), _set(-1, "predicate", "model", "version")),
        (Released(), _set(True, "predicate", "model", "version")),
        (Released(), _set(3.0, "predicate", "model", "version")),
        (Released(), _set("3", "predicate", "model", "version")),
        (Released(), _set(2**53 + 1, "predicate", "model", "version")),
        (Released(), _set("2026-06-15T12:00:00+00:00", "predicate", "time")),
        (Released(), _set("2026-06-15T12:00:00.5Z", "predicate", "time")),
        (Released(), _set("2026-06-15t12:00:00z", "predicate", "time")),
        (Released(), _set("2026-02-30T12:00:00Z", "predicate", "time")),
        (Released(), _set("2026-06-15T24:00:00Z", "predicate", "time")),
        (Released(), _set("٢026-06-15T12:00:00Z", "predicate", "time")),
        (Released(), _set("0000-01-01T00:00:00Z", "predicate", "time")),
        (Released(), _set(1781524800, "predicate", "time")),
        (Trained(A), _set(A, "predicate", "trainingData")),
        (Trained(A), _set([], "predicate", "recipe")),
        (Trained(A), _set({"a": 2**60}, "predicate", "recipe")),
        (Audited(A, ("X",)), _set("FAILED", "predicate", "result")),
        (Audited(A, (), (), ("X",)), _set("PASSED", "predicate", "result")),
        (Audited(A, ("X",)), _set(["X", "X"], "predicate", "passedTests")),
        (Audited(A, ("X",)), _set("X", "predicate", "passedTests")),
        (Audited(A, ("X",)), _set([["X"]], "predicate", "passedTests")),
        (Audited(A, ("X",)), _set([{"name": "other.toml", "digest": {"sha256": A}}], "predicate", "configuration")),
        (Audited(A, ("X",)), _set([{"name": ["policy.toml"], "digest": {"sha256": A}}], "predicate", "configuration")),
        (Audited(A, ("X",)), _set([{"name": "policy.toml", "digest": {"sha256": A}}] * 2, "predicate", "configuration")),
        (Audited(A, ("X",)), _set("https://example.org", "predicate", "url")),
    ],
)
def test_a_statement_of_any_other_form_is_refused(predicate: Predicate, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(example(predicate).encode())
    parse_statement(json.dumps(content).encode(), "it")
    change(content)
    with pytest.raises(IntegrityError, match=r"^it holds no statement that this release reads"):
        parse_statement(json.dumps(content).encode(), "it")


def test_a_statement_that_could_not_be_read_is_not_signed(alice: SigningKey) -> None:
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(IntegrityError, match="nested deeper"):
        sign_statement(example(Trained(A, {"a": deep})), alice)
    with pytest.raises(IntegrityError, match="allowed are"):
        sign_statement(example(Trained(A, {"a": "x" * (4 << 20)})), alice)


def test_what_cannot_be_claimed_is_refused_with_its_name() -> None:
    with pytest.raises(ConfigurationError, match="version must be a positive integer, got '0'"):
        Claim("credit", 0, TIME)
    with pytest.raises(ConfigurationError, match="time must be in UTC"):
        Claim("credit", 1, TIME.replace(tzinfo=None))
    with pytest.raises(ConfigurationError, match="time must be in UTC"):
        Claim("credit", 1, TIME.replace(microsecond=1))
    with pytest.raises(ConfigurationError, match="recipe cannot be stated: a number must be finite"):
        Trained(A, {"learning_rate": float("nan")})
    with pytest.raises(ConfigurationError, match=r"digest of trust\.toml must be a SHA-256"):
        Audited(A, trust="none")


@FUZZ
def test_whatever_is_read_would_be_written_the_same(examples: int) -> None:
    written = [example(predicate).encode() for predicate in PREDICATE_EXAMPLES]
    pieces = st.sampled_from([b"", b'"', b"{", b"}", b",", b":", b"1", b"-", b"\\u0031", b"null", b'"more":1,', b"\xff", b" "])

    @st.composite
    def damaged(draw: st.DrawFn) -> bytes:
        content = draw(st.sampled_from(written))
        for _ in range(draw(st.integers(1, 3))):
            start = draw(st.integers(0, len(content)))
            content = content[:start] + draw(pieces) + content[start + draw(st.integers(0, 4)) :]
        return content

    @settings(max_examples=examples, deadline=None)
    @given(st.binary(max_size=100) | damaged())
    def law(content: bytes) -> None:
        try:
            statement = parse_statement(content, "it")
        except IntegrityError:
            return
        assert json.loads(statement.encode()) == json.loads(content)

    law()
