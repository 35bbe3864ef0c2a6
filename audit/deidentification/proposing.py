"""A first plan for a table: an action for each column, and why. It sees names and values, and not who could know them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from audit.data.personal_identifiers.column_names import IDENTIFYING, QUASI, named_as
from audit.data.personal_identifiers.scanning import Found, scan_columns
from audit.deidentification.cells import Cells, read_cells
from audit.deidentification.dates import dates_in
from audit.deidentification.plan import Column, Diversity, Plan
from classifier.errors import DataError, did_you_mean

# A common smallest class where tables are released to researchers; no law and no measurement names it.
_K = 5
# Of so many rows or more, a text that hardly ever repeats is an identifier or a free text.
_MANY_ROWS, _HARDLY_REPEATS, _LONG, _LONG_NUMBER = 20, 0.9, 40, 7
# Kinds that tell which rows belong to one person; the others tell how to reach or charge them, for which no analysis has a use.
_LINKING = ("chinese_identity", "chinese_identity_15", "chinese_passport", "chinese_social_credit", "numbers of persons", "devices")
# Names of dates, among those that others often know.
_DATED = ("birth", "birthday", "birthdate", "dob", "born", "admission", "discharge", "出生", "生日")


def propose_plan(frame: pd.DataFrame, *, target: str | None = None, dataset: str = "data") -> Plan:
    """Propose a plan.

    Direct identifiers are dropped, or become pseudonyms where they tell which rows belong together. What others often know of
    a person, by its column's name, is generalised. The rest is kept, with the question that is left to the reader.

    Args:
        frame: The table.
        target: The column that a classifier learns, which is kept and taken as sensitive.
        dataset: Name of the data set.

    Raises:
        DataError: If the table has no column `target`, or no rows.
    """
    if target is not None and target not in frame.columns:
        raise DataError(f"the table has no column {target!r}", remedy=did_you_mean(target, map(str, frame.columns)))
    if not len(frame):
        raise DataError("the table has no rows", remedy="give a table with at least one")
    found: dict[str, list[Found]] = {}
    for entry in scan_columns(frame):
        found.setdefault(entry.column, []).append(entry)
    columns = {str(name): _column(str(name), read_cells(frame[name], str(name)), found.get(str(name), [])) for name in frame.columns}
    quasi = any(column.role == "quasi" for column in columns.values())
    if target is not None:
        reason = "the target, which a classifier learns"
        columns[target] = Column(action="keep", role="other", reason=reason)
        if quasi and frame[target].nunique() > 1:
            reason += "; a class whose rows share it tells it of everybody in the class"
            columns[target] = Column(action="keep", role="sensitive", diversity=Diversity(l=2), reason=reason)
    person = next((name for name, column in columns.items() if column.action == "pseudonym" and frame[name].duplicated().any()), None)
    return Plan(dataset=dataset, k=_K if quasi else None, person=person if quasi else None, columns=columns)


def _column(name: str, cells: Cells, found: list[Found]) -> Column:
    # What too few cells leave undecided is no alarm, and a plan that keeps it would not be careful.
    suspect = next((entry for entry in found if entry.alarm or entry.hits == entry.candidates > 0), None)
    rows, different = len(cells.codes), len(cells.values)
    if suspect is not None:
        reason = f"{suspect.noun}: {suspect.reason}"
        if not suspect.alarm:
            reason += "; too few to rule out chance"
        whole = suspect.evidence == "name" or (suspect.share.low or 0.0) >= 0.5
        linking = whole and (suspect.kind in _LINKING or named_as(name, IDENTIFYING["numbers of persons"]) is not None)
        return Column(action="pseudonym" if linking else "drop", reason=reason)
    word = named_as(name, QUASI)
    if word is not None:
        return _quasi(word, cells)
    if different == rows >= _MANY_ROWS and named_as(name, IDENTIFYING["numbers of persons"]) is not None:
        return Column(action="pseudonym", reason="another value in each row, and a name of identifiers")
    if different == rows >= _MANY_ROWS and _like_numbers_of_things(cells):
        return Column(action="pseudonym", reason="another whole number of the same length in each row, as identifiers are")
    if rows >= _MANY_ROWS and different > _HARDLY_REPEATS * rows and _numbers(cells) is None and _dates(cells) is None:
        if np.mean([len(value) for value in cells.values]) > _LONG:
            return Column(action="drop", reason="free text, in which anything may stand")
        return Column(action="pseudonym", reason=f"{different} different texts in {rows} rows: an identifier, or as good as one")
    return Column(action="keep", reason="no identifier found; would somebody know it of a person, or mind its being known? then say role")


def _quasi(word: str, cells: Cells) -> Column:
    """A column that others often know of a person, generalised as its values allow."""
    reason = f"its name has {word!r}, which others often know of a person"
    if word in ("zip", "zipcode", "postcode", "postal", "plz", "邮编"):
        longest = max(len(value) for value in cells.values)
        return Column(action="generalise", role="quasi", prefixes=tuple(range(longest - 1, 0, -1)), reason=reason)
    numbers = _numbers(cells)
    # 19900131 is a number too.
    if _dates(cells) is not None:
        return Column(action="generalise", role="quasi", dates=("month", "quarter", "year", "decade"), reason=reason)
    if numbers is not None and len(np.unique(numbers)) > 10:
        width = float(numbers.max() / 15 - numbers.min() / 15)
        # Beyond these, a double does not hold the width or its multiples.
        if 1e-300 < width < 1e300:
            width = _round_width(width)
            return Column(action="generalise", role="quasi", widths=(width, 2 * width, 4 * width), reason=reason)
    if numbers is None and word in _DATED:
        reason += '; if it holds dates, say how they are written: dates = ["month", "year"], date_format = "%d.%m.%Y"'
    return Column(action="generalise", role="quasi", reason=f"{reason}; a hierarchy would lose less than '*' for all")


def _like_numbers_of_things(cells: Cells) -> bool:
    """Whether all values are digits alone, equally many of them, and more than an amount or a year would have."""
    lengths = {len(value) for value in cells.values}
    return len(lengths) == 1 and min(lengths) >= _LONG_NUMBER and all(value.isascii() and value.isdigit() for value in cells.values)


def _numbers(cells: Cells) -> Any:
    """The numbers that a column's different values are, if all are."""
    present = pd.Series(cells.values[cells.values != ""], dtype=object)
    numbers = pd.to_numeric(present, errors="coerce").to_numpy(dtype=np.float64)
    return numbers if len(numbers) and np.isfinite(numbers).all() else None


def _dates(cells: Cells) -> Any:
    """The dates that a column's different values are, if all are, written as ISO 8601 says."""
    dates = dates_in(cells.values[cells.values != ""])
    return dates if len(dates) and dates.notna().all() else None


def _round_width(width: float) -> float:
    """1, 2 or 5 times a power of ten, the nearest that is not less."""
    power = float(10 ** np.floor(np.log10(width)))
    return float(f"{next(step for step in (1, 2, 5, 10) if step * power >= width * (1 - 1e-9)) * power:.6g}")
