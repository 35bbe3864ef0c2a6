"""Bech32, the text form of keys (BIP-173), without its limit of 90 characters, as age uses it."""

from __future__ import annotations

from collections.abc import Iterable

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
VALUES = {character: value for value, character in enumerate(ALPHABET)}
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
CHECKSUM = 6


def encode(prefix: str, data: bytes) -> str:
    """Write `data` after `prefix`, in the case of the prefix.

    Args:
        prefix: The human-readable part, all upper or all lower case.
        data: The bytes of the key.
    """
    words = list(_regroup(data, 8, 5))
    if spare := 8 * len(data) % 5:
        words.append((data[-1] << (5 - spare)) & 31)
    residue = _polymod([*_expand(prefix.lower()), *words, *[0] * CHECKSUM]) ^ 1
    words += [(residue >> 5 * (CHECKSUM - 1 - i)) & 31 for i in range(CHECKSUM)]
    text = "1" + "".join(ALPHABET[word] for word in words)
    return prefix + (text.upper() if prefix.isupper() else text)


def decode(text: str) -> tuple[str, bytes]:
    """Read prefix and data.

    Returns:
        The prefix in the case that it had, and the bytes of the key.

    Raises:
        ValueError: If `text` is no Bech32. The message never holds `text`, which may be a secret.
    """
    if text not in (text.lower(), text.upper()):
        raise ValueError("it mixes upper and lower case")
    prefix, separator, body = text.rpartition("1")
    if not separator or not prefix or len(body) < CHECKSUM:
        raise ValueError("it lacks a prefix or a checksum")
    if not all(33 <= ord(character) <= 126 for character in prefix) or not set(body.lower()) <= set(ALPHABET):
        raise ValueError("it has a character that does not belong there")
    words = [VALUES[character] for character in body.lower()]
    if _polymod([*_expand(prefix.lower()), *words]) != 1:
        raise ValueError("its checksum does not match, so a character is wrong or missing")
    words = words[:-CHECKSUM]
    spare = 5 * len(words) % 8
    if spare >= 5 or (words and words[-1] & ((1 << spare) - 1)):
        raise ValueError("its padding is not zero")
    return prefix, bytes(_regroup(words, 5, 8))


def _regroup(values: Iterable[int], width: int, target: int) -> Iterable[int]:
    """Groups of `width` bits as groups of `target` bits, without what is left over."""
    pool = bits = 0
    for value in values:
        pool = (pool << width) | value
        bits += width
        while bits >= target:
            bits -= target
            yield pool >> bits
            pool &= (1 << bits) - 1


def _expand(prefix: str) -> list[int]:
    return [ord(character) >> 5 for character in prefix] + [0] + [ord(character) & 31 for character in prefix]


def _polymod(values: Iterable[int]) -> int:
    residue = 1
    for value in values:
        top = residue >> 25
        residue = (residue & 0x1FFFFFF) << 5 ^ value
        for i, term in enumerate(GENERATOR):
            if top >> i & 1:
                residue ^= term
    return residue
