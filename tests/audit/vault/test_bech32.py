"""Bech32 against the strings of BIP-173."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.vault.age import bech32

VALID = [
    "A12UEL5L",
    "a12uel5l",
    "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
    "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
    "11" + "q" * 82 + "c8247j",
    "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
    "?1ezyfcl",
]
INVALID = {
    "space in the prefix": " 1nwldj5",
    "delete in the prefix": "\x7f1axkwrx",
    "beyond ASCII": "\x801eym55h",
    "no separator": "pzry9x0s0muk",
    "empty prefix": "1pzry9x0s0muk",
    "character of no value": "x1b4n0q5v",
    "short checksum": "li1dgmt3",
    "character of no value in the checksum": "de1lg7wt\xff",
    "checksum of the upper-case prefix": "A1G7SGD8",
    "mixed case": "A12uEL5L",
    "nothing": "",
}


@pytest.mark.parametrize("text", VALID)
def test_a_valid_string_is_read_and_written_back(text: str) -> None:
    assert bech32.encode(*bech32.decode(text)) == text


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID.keys())
def test_an_invalid_string_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^its? "):
        bech32.decode(text)


def test_padding_that_is_not_zero_or_too_long_is_refused() -> None:
    for words in ([31, 31], [0, 1], [0], [0, 0, 0]):
        residue = bech32._polymod([*bech32._expand("age"), *words, *[0] * 6]) ^ 1
        checksum = [(residue >> 5 * (5 - i)) & 31 for i in range(6)]
        text = "age1" + "".join(bech32.ALPHABET[word] for word in [*words, *checksum])
        with pytest.raises(ValueError, match="padding"):
            bech32.decode(text)


def test_whatever_is_read_would_be_written_the_same(fuzz: settings) -> None:
    @fuzz
    @given(st.text(max_size=120) | st.sampled_from(VALID).flatmap(_damaged))
    def law(text: str) -> None:
        try:
            prefix, data = bech32.decode(text)
        except ValueError:
            return
        assert bech32.encode(prefix, data) == text

    law()


def _damaged(text: str) -> st.SearchStrategy[str]:
    """A good string with a few of its characters replaced, added or taken away."""
    places, pieces = st.integers(0, len(text)), st.sampled_from(["", "1", "q", "Q", "p", " ", "\u0131", "\u212a", "\ud800"])
    return st.builds(lambda start, length, piece: text[:start] + piece + text[start + length :], places, st.integers(0, 2), pieces)


@given(st.sampled_from(["age", "AGE-SECRET-KEY-"]), st.binary(max_size=2000))
def test_any_bytes_come_back(prefix: str, data: bytes) -> None:
    assert bech32.decode(bech32.encode(prefix, data)) == (prefix, data)


@given(st.binary(min_size=32, max_size=32), st.data())
def test_one_wrong_character_is_always_found(key: bytes, data: st.DataObject) -> None:
    text = bech32.encode("age", key)
    place = data.draw(st.integers(4, len(text) - 1))
    wrong = data.draw(st.sampled_from(bech32.ALPHABET.replace(text[place], "")))
    with pytest.raises(ValueError, match="checksum"):
        bech32.decode(text[:place] + wrong + text[place + 1 :])
