"""The header is read exactly as the format wants it, and never beyond its limits."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audit.vault import Identity, generate_identity
from audit.vault.age.container import read_file_key
from audit.vault.age.failure import OpeningError
from audit.vault.age.header import LONGEST, MOST_STANZAS, VERSION, Stanza, read_header, write_header
from audit.vault.keys.identity import parse_recipients

FILE_KEY = bytes(range(16))
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80)
stanzas = st.builds(Stanza, words, st.lists(words, max_size=4).map(tuple), st.binary(max_size=300))


@given(st.lists(stanzas, min_size=1, max_size=5))
@example([Stanza("a", (), bytes(48))])
def test_any_stanzas_come_back_and_verify(written: list[Stanza]) -> None:
    source = BytesIO(write_header(written, FILE_KEY) + b"payload")
    header = read_header(source)
    header.verify(FILE_KEY)
    assert list(header.stanzas) == written
    assert source.read() == b"payload"


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good header with a few of its bytes replaced, added or taken away."""
    content = write_header(draw(st.lists(stanzas, min_size=1, max_size=3)), FILE_KEY)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        end = start + draw(st.integers(0, 3))
        piece = draw(st.sampled_from([b"", b"\n", b"\r\n", b" ", b"=", b"-", b"A", b"-> a\n", b"\0", b"\xff"]))
        content = content[:start] + piece + content[end:]
    return content


def _outcome(content: bytes) -> str:
    try:
        header = read_header(BytesIO(content))
    except OpeningError as error:
        return error.failure
    return "same" if write_header(header.stanzas, FILE_KEY).startswith(header.signed) else "read as something else"


def test_whatever_is_read_would_be_written_the_same(fuzz: settings) -> None:
    @fuzz
    @given(st.binary(max_size=300) | damaged())
    def law(content: bytes) -> None:
        assert _outcome(content) in ("header failure", "same")

    law()


def test_a_header_beyond_the_limits_is_refused() -> None:
    most = write_header([Stanza("a", (), b"")] * MOST_STANZAS, FILE_KEY)
    assert len(read_header(BytesIO(most)).stanzas) == MOST_STANZAS
    longest = write_header([Stanza("a", (), bytes(700_000))], FILE_KEY)
    assert len(longest) < LONGEST
    read_header(BytesIO(longest))
    for content in (
        write_header([Stanza("a", (), b"")] * (MOST_STANZAS + 1), FILE_KEY),
        write_header([Stanza("a", (), bytes(800_000))], FILE_KEY),
        VERSION + b"-> " + b"a" * (2 * LONGEST),
    ):
        with pytest.raises(OpeningError):
            read_header(BytesIO(content))


def test_a_header_without_a_stanza_is_refused() -> None:
    with pytest.raises(OpeningError) as caught:
        read_header(BytesIO(write_header([], FILE_KEY)))
    assert caught.value.failure == "header failure"


class _Endless:
    """A line that never ends, and counts how much of it was asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def readline(self, size: int, /) -> bytes:
        self.asked += size
        return VERSION if self.asked == size else b"-" * size


def test_no_more_than_a_header_is_read_of_an_endless_line() -> None:
    source = _Endless()
    with pytest.raises(OpeningError):
        read_header(source)
    assert source.asked <= 2 * LONGEST


def test_stanzas_of_unknown_kinds_are_passed_over(identity: Identity) -> None:
    [wrapped] = [recipient.wrap(FILE_KEY) for recipient in parse_recipients([identity.recipient])]
    unknown = Stanza("x25520", ("anything",), bytes(100))
    header = write_header([unknown, wrapped, unknown], FILE_KEY)
    assert read_file_key(BytesIO(header), [identity]) == FILE_KEY


@pytest.mark.parametrize("kind", ["hybrid", "x25519"])
@pytest.mark.parametrize("change", [{"arguments": ()}, {"arguments": ("AAAA", "AAAA")}, {"body": bytes(31)}, {"body": bytes(40)}])
def test_a_malformed_stanza_of_a_known_kind_is_refused(kind: str, change: dict[str, object]) -> None:
    identity = generate_identity(kind)
    [wrapped] = [recipient.wrap(FILE_KEY) for recipient in parse_recipients([identity.recipient])]
    malformed = Stanza(**{"type": wrapped.type, "arguments": wrapped.arguments, "body": wrapped.body, **change})  # type: ignore[arg-type]
    with pytest.raises(OpeningError) as caught:
        read_file_key(BytesIO(write_header([malformed], FILE_KEY)), [identity])
    assert caught.value.failure == "header failure"


def test_stanzas_under_another_file_key_are_refused(identity: Identity) -> None:
    [wrapped] = [recipient.wrap(FILE_KEY) for recipient in parse_recipients([identity.recipient])]
    with pytest.raises(OpeningError) as caught:
        read_file_key(BytesIO(write_header([wrapped], bytes(16))), [identity])
    assert caught.value.failure == "HMAC failure"
