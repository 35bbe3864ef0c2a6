"""Safetensors: its structure as the vault reads it, and numbers that are none."""

from __future__ import annotations

from audit.supply_chain.look import Look
from audit.supply_chain.weights import check_numbers
from classifier.errors import IntegrityError
from classifier.formats.safetensors_layout import read_layout


def is_safetensors(look: Look) -> bool:
    """Whether it begins as such a file: a length that the file covers, then the opening of JSON."""
    head = look.source.read_at(0, 10)
    return len(head) == 10 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= look.source.size - 8


def look_into_safetensors(look: Look) -> None:
    """Hold its header against the file, and search every tensor of floats."""
    try:
        layout = read_layout(look.source.reader(), look.source.size)
    except IntegrityError as error:
        look.find("safetensors.malformed", error.problem.partition(": ")[2] or error.problem)
        return
    for name, slot in layout.tensors.items():
        check_numbers(look, look.source.window(slot.begin, slot.end - slot.begin), slot.dtype, name, offset=slot.begin)
