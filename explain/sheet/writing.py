"""A sheet for one decision: what was decided, what weighed most, what would have changed it, and how far to trust this."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from math import floor, log10
from pathlib import Path
from typing import Any

from torch import Tensor

from classifier.catalogue import Catalogue, load_catalogue
from classifier.classifier import Classifier
from classifier.records import write_atomically
from classifier.seeds import Seed
from explain.counterfactual.finding import counterfactuals
from explain.counterfactual.result import Counterfactuals
from explain.counterfactual.wording import Language
from explain.explanation import Explanation
from explain.sheet.deciding import DecidedCase, decide
from explain.sheet.naming import Names, OwnersWords
from explain.sheet.percentages import percentage, side_by_side
from explain.sheet.picture import picture_of
from explain.sheet.reasons import ERRORS, LEAST, MARGIN, Reasons, find_reasons
from explain.sheet.weighing import require_speaks_of_decisions

__all__ = ["OwnersWords", "Sheet", "decision_sheet", "write_sheet"]

_HERE = Path(__file__).parent
_SHOWN = 8
# Of what the decision moved: less is not worth a number.
_CLOSE = 1e-3


@dataclass(frozen=True, eq=False)
class Sheet:
    """One decision, explained for the person concerned.

    Args:
        case: The input, what was decided of it, and what moved that decision.
        reasons: The reasons against the person; ``None`` where the decision is wanted, or nobody says.
        changes: What would have changed it; ``None`` where it was not looked for.
        label: What the case is called.
    """

    case: DecidedCase
    reasons: Reasons | None
    changes: Counterfactuals | None
    label: str = ""

    @property
    def explanation(self) -> Explanation:
        """What moved the decision, in the log-odds of the class that was decided."""
        return self.case.explanation

    @property
    def decided(self) -> int:
        """The class that the input was taken for."""
        return self.case.decided

    def to_html(self, language: Language = "en", *, words: OwnersWords | None = None, contact: str = "") -> str:
        """The sheet as one HTML file without scripts, the same bytes for the same sheet.

        Args:
            language: ``"en"`` or ``"zh-CN"``.
            words: The owner's words.
            contact: Where the person can turn to.

        Raises:
            ConfigurationError: If there is no such language, or the words name what there is not.
        """
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        case, explanation = self.case, self.explanation
        words = words or OwnersWords()
        words.require_known(explanation.schema, case.classes)
        t, names = load_catalogue(_HERE / "locales", language), Names(explanation.schema, language, words)
        classes = [names.of_class(name) for name in case.classes]
        called = {"target": classes[case.decided], "other": classes[case.other]}
        output = t(f"weights.{explanation.output}", called)
        style = (_HERE / "sheet.css").read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        environment = Environment(
            loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        return environment.get_template("sheet.html.j2").render(
            t=t,
            style=style,
            policy=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'",
            label=self.label,
            called=called,
            decision=self._decision(t, classes),
            reasons=self.reasons,
            told=self._told(t, names),
            bounds=_BOUNDS,
            against=len(classes) > 2,
            cases=self._cases(t),
            units=self._units(t, output),
            part="feature" if explanation.schema.modality == "tabular" else "part",
            here="mean" if explanation.schema.modality in ("image", "sequence") else "value",
            weights=self._weights(t, names),
            picture=picture_of(explanation, names, t, label=t(f"picture.{explanation.quantity}", {"output": output})),
            changes=self._changes(t, names),
            trust=self._trust(t, contact),
            footer=t("footer.made", {"method": explanation.method, "seed": explanation.seed, "digest": explanation.classifier_digest[:16]}),
        )

    def save(self, path: str | Path, language: Language = "en", *, words: OwnersWords | None = None, contact: str = "") -> None:
        """Write the sheet, whole or not at all; see :meth:`to_html`."""
        write_atomically(Path(path), self.to_html(language, words=words, contact=contact).encode())

    def _repr_html_(self) -> str:
        page = base64.b64encode(self.to_html().encode()).decode()
        return f'<iframe src="data:text/html;base64,{page}" style="width:100%;height:60em;border:0"></iframe>'

    def _decision(self, t: Catalogue, classes: list[str]) -> str:
        case = self.case
        if case.threshold is None:
            told = {"target": classes[case.decided], "probability": percentage(float(case.probabilities[case.decided]))}
            sentences = [t("decision.likeliest", told)]
        else:
            shown, limit = side_by_side(float(case.probabilities[1]), case.threshold)
            told = {"event": classes[1], "probability": shown, "threshold": limit}
            sentences = [t("decision.reached" if case.decided == 1 else "decision.missed", told)]
        if case.favourable is not None:
            sentences.append(t("decision.favourable" if case.decided == case.favourable else "decision.unfavourable"))
        return t("between").join(sentences)

    def _told(self, t: Catalogue, names: Names) -> list[tuple[str, str]]:
        """The text of each reason, and its share."""
        return [
            (
                names.own.reasons.get(reason.feature, f"{names.of_part(reason.feature)}{t('colon')}{names.of_value(reason.value)}"),
                f"{reason.share:.0%}",
            )
            for reason in (self.reasons.reasons if self.reasons is not None else ())
        ]

    def _cases(self, t: Catalogue) -> str:
        one = self.explanation.baseline.dim() < self.explanation.inputs.dim()
        return t("weights.one") if one else t("weights.many", {"count": len(self.explanation.baseline)})

    def _units(self, t: Catalogue, output: str) -> str:
        """What the numbers of the table are."""
        explanation = self.explanation
        ends = {"output": output, "base": self._number(explanation.base_value[0]), "value": self._number(explanation.value[0])}
        return t("between").join([t(f"weights.{explanation.quantity}", ends), t("weights.even")])

    def _weights(self, t: Catalogue, names: Names) -> list[tuple[str, str, str, float]]:
        """Name, value, number and share of the largest, of each part that is shown, and of the rest together."""
        explanation, players = self.explanation, self.explanation.modality.players
        values, words = explanation.by_feature()[0], explanation.modality.words(explanation.inputs)[0]
        order = [int(i) for i in values.abs().argsort(descending=True) if explanation.shown[0, i]]
        rows = [(names.of_part(players[i]), names.of_value(words[players[i]]), float(values[i])) for i in order[:_SHOWN]]
        if rest := order[_SHOWN:]:
            rows.append((t("weights.rest", {"count": len(rest)}), "", float(values[rest].sum())))
        largest = max((abs(value) for *_, value in rows), default=0.0) or 1.0
        return [(name, here, self._number(value), value / largest) for name, here, value in rows]

    def _changes(self, t: Catalogue, names: Names) -> list[str] | None:
        """What would have changed the decision, in sentences; whose parts stood in is nobody's business."""
        if self.changes is None:
            return None
        # The page has said from which probability it is decided.
        said = self.changes.sentences(0, language=names.language, names=names.in_sentences(self.changes), border=False)
        donors = self.changes.donor.tolist()
        return [text.replace(t("change.numbered", {"number": n}), t("change.another")) for text, n in zip(said, donors, strict=True)]

    def _number(self, value: Tensor | float) -> str:
        """A number with its sign and as many decimals as give the largest of the table three digits."""
        largest = float(self.explanation.by_feature().abs().max()) or 1.0
        decimals = min(9, max(0, 2 - floor(log10(largest))))
        return f"{float(value):+.{decimals}f}".replace("-", "−")

    def _trust(self, t: Catalogue, contact: str) -> list[str]:
        explanation, reasons = self.explanation, self.reasons
        if explanation.quantity != "contribution":
            kind = t("trust.other")
        elif explanation.exact:
            kind = t("trust.exact")
        elif explanation.standard_error is not None:
            most = int(explanation.by_feature()[0].abs().argmax())
            kind = t("trust.sampled", {"error": f"{float(explanation.standard_error[0, most]):.2g}"})
        else:
            moved = float((explanation.value - explanation.base_value).abs()[0]) or 1.0
            gap = float(explanation.completeness_error[0]) / moved
            kind = t("trust.close") if gap < _CLOSE else t("trust.approximate", {"gap": f"{gap:.1%}"})
        sentences = [kind, t("trust.comparison")]
        if reasons is not None and reasons.reasons:
            sentences.append(t("trust.margin", {**_BOUNDS, "all": reasons.cases[0], "favourable": reasons.cases[1]}))
        sentences += [t("trust.note", {"note": note}) for note in explanation.notes]
        return [*sentences, t("trust.model"), *([t("trust.contact", {"contact": contact})] if contact else [])]


_BOUNDS = {"least": f"{LEAST:.0%}", "margin": f"{MARGIN:g}", "errors": f"{ERRORS:g}"}


def decision_sheet(
    classifier: Classifier,
    x: Tensor,
    *,
    background: Tensor,
    favourable: str | None = None,
    threshold: float | None = None,
    method: str = "auto",
    count: int = 3,
    label: str = "",
    seed: int = 0,
) -> Sheet:
    """Explain one decision for the person concerned.

    Args:
        classifier: What decided.
        x: The input, as a batch of one ``(1, *S)``.
        background: Cases to compare with ``(B, *S)``, as a rule all training rows: reasons need many, and of more than are
            needed some are drawn.
        favourable: The class that the person wants; without it no reasons are told.
        threshold: Least probability of the event, class 1 of two, from which it is presumed; by default the likeliest class is.
        method: The attribution method; ``"auto"`` takes exact values where they are cheap, and at most 65,536 answers of the classifier.
        count: Changes that are looked for at most; 0 looks for none.
        label: What the case is called.
        seed: Decides what is sampled.

    Raises:
        ConfigurationError: If there is not exactly one input, no such class, or a threshold that is none.
        NotApplicableError: If the method does not hold for this classifier, or gives slopes or weights.
    """
    require_speaks_of_decisions(method)
    case = decide(classifier, x, background=background, favourable=favourable, threshold=threshold, method=method, seed=seed)
    return write_sheet(case, count=count, label=label)


def write_sheet(case: DecidedCase, *, count: int = 3, label: str = "") -> Sheet:
    """The sheet of a decision that is explained already; see :func:`decision_sheet`."""
    require_speaks_of_decisions(case.explanation.method)
    options: dict[str, Any] = {"data": case.background, "threshold": case.threshold, "seed": case.seed}
    changes = None
    if count:
        target = case.favourable if case.unwanted else None
        changes = counterfactuals(case.classifier, case.x, target=target, count=count, **options)
    return Sheet(case, _reasons(case), changes, label)


def _reasons(case: DecidedCase) -> Reasons | None:
    if not case.unwanted:
        return None
    seed = Seed(case.seed, ("explain", "reasons"))
    return find_reasons(
        case.classifier, case.x, case.background, decided=case.decided, wanted=case.favourable, favourable=case.favoured, seed=seed
    )
