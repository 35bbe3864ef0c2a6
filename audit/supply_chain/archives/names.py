"""Names of members: those that would be written elsewhere than into the archive's folder, or over each other."""

from __future__ import annotations

import re
import stat
import unicodedata
from collections.abc import Iterable

from audit.supply_chain.look import Look, printable

_DRIVE = re.compile(r"[A-Za-z]:")


def check_path(look: Look, name: str) -> None:
    """Report a name that leads out of the folder, or reads differently to different programs."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or _DRIVE.match(name) or ".." in parts:
        look.find("archive.path", f"{printable(name)!r} leads out of the folder that the archive is unpacked into")
    elif "\\" in name or any(ord(character) < 32 for character in name):
        look.find("archive.path", f"{printable(name)!r} means different files on different systems")


def check_mode(look: Look, name: str, mode: int) -> None:
    """Report what is neither a file nor a folder."""
    kind = stat.S_IFMT(mode)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        look.find("archive.link", f"{printable(name)!r} is a link or a device")


def check_repetitions(look: Look, names: Iterable[str], *, rule: str = "archive.case") -> None:
    """Report names that stand for one file: everywhere, or where case or the form of letters does not count.

    Args:
        look: Where findings go.
        names: Paths, with slashes.
        rule: What is found where only case or form differ.
    """
    seen: dict[str, str] = {}
    for name in names:
        # Programs differ on a trailing or doubled slash, and on ./ before a name.
        key = "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
        folded = unicodedata.normalize("NFC", key).casefold()
        if folded in seen:
            same = seen[folded] == key
            look.find("archive.duplicate" if same else rule, f"{printable(name)!r} stands in it twice")
        seen.setdefault(folded, key)
