"""Archives of torch since 1.6: a pickle that refers to numbers beside it (torch/serialization.py)."""

from __future__ import annotations

from audit.supply_chain.archives.zip_directory import Directory, Member
from audit.supply_chain.archives.zip_file import member_source
from audit.supply_chain.look import Look, harmless, printable
from audit.supply_chain.pickles.sequence import STORAGES, storages_of
from audit.supply_chain.weights import Order, check_numbers

PICKLE = "data.pkl"


def pickle_of(names: list[str]) -> str | None:
    """The member that torch would open first; ``None`` where the archive is none of torch's."""
    return next((name for name in names if name.rpartition("/")[2] == PICKLE), None)


def look_into_torch(look: Look, directory: Directory) -> str:
    """Hold the storages against the pickle, and search them for numbers that are none."""
    members = {member.name.decode("utf-8", "backslashreplace"): member for member in directory.members}
    name = pickle_of(list(members)) or PICKLE
    prefix = name.removesuffix(PICKLE)
    outside = [other for other in members if not other.startswith(prefix)]
    if outside:
        look.find("torch.storage", f"{printable(outside[0])!r} lies beside the folder of the model, where torch looks at nothing")
    if any(other.startswith((f"{prefix}code/", f"{prefix}constants.pkl")) for other in members):
        look.find("torch.script", "it holds code of TorchScript")
        return "torchscript"
    source = member_source(look.source, directory, members[name])
    if source is None:
        return "torch (zip)"
    order = _byte_order(look, directory, members.get(f"{prefix}byteorder"))
    for key, storage in storages_of(source).items():
        place = f"{prefix}data/{key}"
        numbers = member_source(look.source, directory, members[place]) if place in members else None
        if storage.type not in STORAGES:
            continue
        dtype, width = STORAGES[storage.type]
        if numbers is None or numbers.size != storage.count * width:
            there = "nothing is there" if numbers is None else f"{numbers.size} are there"
            look.find("torch.storage", f"storage {printable(place)} should have {storage.count * width} bytes, and {there}")
        else:
            check_numbers(look.inside(place, numbers, shown=harmless(place)), numbers, dtype, place, order=order)
    return "torch (zip)"


def _byte_order(look: Look, directory: Directory, member: Member | None) -> Order:
    source = member_source(look.source, directory, member) if member is not None else None
    return ">" if source is not None and source.read_at(0, 3) == b"big" else "<"
