"""How an influence and a ranking of suspects show themselves in a notebook: small tables, without scripts or files."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from explain.figures._style import LOWERS, RAISES, shorten, signed

if TYPE_CHECKING:
    from explain.training_data.influence import Influence
    from explain.training_data.mislabelling import Suspects

_INPUTS, _ROWS, _SUSPECTS = 5, 3, 10


def influence_html(influence: Influence) -> str:
    """The rows that speak most for and against the target of each of the first inputs."""
    lines = []
    words = influence.modality.words
    for index in range(min(len(influence), _INPUTS)):
        best = int(influence.predictions[index].argmax())
        decided = f"input {index}: {influence.classes[best]}, {float(influence.predictions[index, best]):.0%}"
        lines.append(f'<tr><th colspan="4" style="text-align:left">{escape(decided)}</th></tr>')
        target = escape(influence.classes[int(influence.target[index])])
        for side, color in (("for", RAISES), ("against", LOWERS)):
            rows = influence.places(index, side, _ROWS)
            for place, row in zip(rows.tolist(), words(influence.training[rows]), strict=True):
                told = escape(f"row {int(influence.ids[place])}, {influence.classes[int(influence.labels[place])]}")
                score = signed(float(influence.scores[index, place]))
                said = shorten(_said(influence.schema.modality, row), 90)
                lines.append(
                    f'<tr><td style="border-left:0.4em solid {color}">{side} {target}</td>'
                    f'<td style="text-align:right">{score}</td><td style="text-align:left">{told}</td>'
                    f'<td style="text-align:left">{escape(said)}</td></tr>'
                )
    more = [f"{len(influence) - _INPUTS} more inputs"] if len(influence) > _INPUTS else []
    kind = f"an estimate over {len(influence.ids)} training rows by {influence.method_name}"
    origin = "; ".join([influence.meaning, kind, *more, *influence.notes])
    return f"<table><tbody>{''.join(lines)}</tbody></table><p><small>{escape(origin)}</small></p>"


def suspects_html(suspects: Suspects) -> str:
    """The most suspect rows."""
    frame = suspects.to_frame(_SUSPECTS)
    table = frame[["rank", "id", "label", "rather", "p(label)", "score", "expected precision"]].to_html(
        index=False, escape=True, float_format=lambda number: f"{number:.3g}"
    )
    origin = "; ".join([f"the first of {len(suspects)} rows by {suspects.method}", "a suspicion is no finding", *suspects.notes])
    return f"{table}<p><small>{escape(origin)}</small></p>"


def _said(modality: str, row: dict[str, str]) -> str:
    """A row in a line of words; what has no short name for its parts is not spelt out."""
    if modality == "text":
        return " ".join(word for word in row.values() if word)
    return "; ".join(f"{name} {word}" for name, word in row.items()) if modality == "tabular" else ""
