"""A sheet for one decision: what was decided, what weighed most, what would have changed it, and how far to trust this."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from classifier.catalogue import Catalogue, load_catalogue
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError
from classifier.modality import modality_of
from classifier.records import write_atomically
from classifier.seeds import Seed
from explain.attributing import attribute
from explain.counterfactual.finding import counterfactuals
from explain.counterfactual.result import Counterfactuals
from explain.counterfactual.wording import Language
from explain.explanation import Explanation
from explain.figures._style import signed
from explain.method import METHODS
from explain.sheet.reasons import STEADY, Reasons, find_reasons, require_wording

if TYPE_CHECKING:
    from collections.abc import Sequence

_HERE = Path(__file__).parent
_SHOWN = 8


@dataclass(frozen=True)
class OwnersWords:
    """The words of the model's owner, in one language.

    Args:
        names: What replaces the name of a class, a feature or a category, wherever it stands.
        reasons: The approved text of a reason, by its feature; without one it is told as its name and value.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    def name(self, given: str) -> str:
        """A name as the owner says it."""
        return self.names.get(given, given)


@dataclass(frozen=True, eq=False)
class Sheet:
    """One decision, explained for the person concerned.

    Args:
        explanation: The attributions of this one input, towards the class that it was taken for.
        decided: The class that it was taken for.
        favourable: The class that the person wants; ``None`` where nobody says.
        threshold: Least probability of the event, class 1 of two, from which it is presumed; ``None`` for the likeliest class.
        reasons: The reasons against the person; ``None`` where the decision is wanted, or nobody says.
        changes: What would have changed it; ``None`` where it was not looked for.
        label: What the case is called.
    """

    explanation: Explanation
    decided: int
    favourable: int | None
    threshold: float | None
    reasons: Reasons | None
    changes: Counterfactuals | None
    label: str = ""

    def to_html(self, language: Language = "en", *, words: OwnersWords | None = None, contact: str = "") -> str:
        """The sheet as one HTML file without scripts, the same bytes for the same sheet.

        Args:
            language: ``"en"`` or ``"zh-CN"``.
            words: The owner's words.
            contact: Where the person can turn to.

        Raises:
            ConfigurationError: If there is no such language, or a text is for no feature.
        """
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        explanation, words = self.explanation, words or OwnersWords()
        require_wording(words.reasons, explanation.schema.names)
        t = load_catalogue(_HERE / "locales", language)
        style = (_HERE / "sheet.css").read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        told = self.reasons.reasons if self.reasons is not None else ()
        environment = Environment(
            loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        classes = [words.name(name) for name in explanation.classes]
        return environment.get_template("sheet.html.j2").render(
            t=t,
            style=style,
            policy=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'",
            label=self.label,
            target=classes[self.decided],
            decision=self._decision(t, classes),
            reasons=self.reasons,
            told=[(words.reasons.get(r.feature, f"{words.name(r.feature)}: {words.name(r.value)}"), f"{r.share:.0%}") for r in told],
            cases=self._cases(t),
            weights=self._weights(t, words),
            picture=self._picture(),
            changes=None if self.changes is None else self.changes.sentences(0, language=language, names=words.names),
            trust=self._trust(t, contact),
            footer=t("footer.made", {"method": explanation.method, "seed": explanation.seed, "digest": explanation.classifier_digest[:16]}),
        )

    def save(self, path: str | Path, language: Language = "en", *, words: OwnersWords | None = None, contact: str = "") -> None:
        """Write the sheet, whole or not at all; see :meth:`to_html`."""
        write_atomically(Path(path), self.to_html(language, words=words, contact=contact).encode())

    def _repr_html_(self) -> str:
        page = base64.b64encode(self.to_html().encode()).decode()
        return f'<iframe src="data:text/html;base64,{page}" style="width:100%;height:60em;border:0"></iframe>'

    def _decision(self, t: Catalogue, classes: Sequence[str]) -> str:
        probability = f"{float(self.explanation.predictions[0, self.decided]):.0%}"
        sentences = [t("decision.probability", {"target": classes[self.decided], "probability": probability})]
        if self.threshold is not None:
            sentences.append(t("decision.threshold", {"threshold": f"{self.threshold:.0%}", "event": classes[1]}))
        if self.favourable is not None:
            sentences.append(t("decision.favourable" if self.decided == self.favourable else "decision.unfavourable"))
        return t("between").join(sentences)

    def _cases(self, t: Catalogue) -> str:
        one = self.explanation.baseline.dim() < self.explanation.inputs.dim()
        return t("weights.one") if one else t("weights.many", {"count": len(self.explanation.baseline)})

    def _weights(self, t: Catalogue, own: OwnersWords) -> list[tuple[str, str, str, float]]:
        """Name, value, number and share of the largest, of each part that is shown."""
        explanation = self.explanation
        values, words = explanation.by_feature()[0], explanation.modality.words(explanation.inputs)[0]
        there = explanation.modality.present(explanation.inputs)[0]
        order = [int(i) for i in values.abs().argsort(descending=True) if there[i]]
        largest = float(values.abs().max()) or 1.0
        names = explanation.modality.players
        rows = [
            (own.name(names[i]), own.name(words[names[i]]), signed(float(values[i])), float(values[i]) / largest) for i in order[:_SHOWN]
        ]
        if rest := order[_SHOWN:]:
            total = float(values[rest].sum())
            rows.append((t("weights.rest", {"count": len(rest)}), "", signed(total), max(-1.0, min(1.0, total / largest))))
        return rows

    def _picture(self) -> str:
        """A picture of what is no table, inside the page."""
        explanation = self.explanation
        if explanation.schema.modality == "tabular":
            return ""
        buffer = io.BytesIO()
        explanation.plot().figure.savefig(buffer, format="png", dpi=160, metadata={"Software": None})  # type: ignore[union-attr]  # axes of a figure have one
        return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"

    def _trust(self, t: Catalogue, contact: str) -> list[str]:
        explanation = self.explanation
        if explanation.quantity != "contribution":
            kind = t("trust.other")
        elif explanation.exact:
            kind = t("trust.exact")
        elif explanation.standard_error is not None:
            most = int(explanation.by_feature()[0].abs().argmax())
            kind = t("trust.sampled", {"error": f"{float(explanation.standard_error[0, most]):.2g}"})
        else:
            moved = float((explanation.value - explanation.base_value).abs()[0]) or 1.0
            kind = t("trust.approximate", {"gap": f"{float(explanation.completeness_error[0]) / moved:.1%}"})
        sentences = [kind, t("trust.comparison")]
        if self.reasons is not None and self.reasons.method:
            sentences.append(t("trust.trials", {"trials": self.reasons.trials, "steady": f"{STEADY:.0%}"}))
        return [*sentences, t("trust.model"), *([t("trust.contact", {"contact": contact})] if contact else [])]


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
        background: Cases to compare with ``(B, *S)``, as a rule some of the training rows.
        favourable: The class that the person wants; without it no reasons are told.
        threshold: Least probability of the event, class 1 of two, from which it is presumed; by default the likeliest class is.
        method: The attribution method.
        count: Changes that are looked for at most; 0 looks for none.
        label: What the case is called.
        seed: Decides what is sampled.

    Raises:
        ConfigurationError: If there is not exactly one input, or no such class.
        NotApplicableError: If the method does not hold for this classifier.
    """
    if len(x) != 1:
        raise ConfigurationError(f"a sheet is for one decision, got {len(x)} inputs", remedy="write one at a time, as for x[i : i + 1]")
    classes: Sequence[str] = classifier.classes
    if favourable is not None and favourable not in classes:
        raise ConfigurationError(f"there is no class {favourable!r}", remedy=f"the classes are: {', '.join(classes)}")
    probabilities = classifier.probabilities(torch.cat([x, background]).to(classifier.device)).cpu()
    decisions = probabilities.argmax(1)
    if threshold is not None:
        if len(classes) != 2:
            raise ConfigurationError(f"a threshold decides between two classes, and there are {len(classes)}", remedy="leave it out")
        decisions = (probabilities[:, 1] >= threshold).long()
    decided, wanted = int(decisions[0]), None if favourable is None else classes.index(favourable)
    reasons = None
    if wanted is not None and decided != wanted:
        reasons = find_reasons(
            classifier, x, background, decided=decided, favourable=decisions[1:] == wanted, seed=Seed(seed, ("explain", "reasons"))
        )
    changes = None
    if count:
        other = wanted if wanted != decided else None
        changes = counterfactuals(classifier, x, target=other, count=count, data=background, threshold=threshold, seed=seed)
    modality = modality_of(classifier.schema)
    compares = modality.aligned and (method == "auto" or METHODS[method].takes_background)
    return Sheet(
        explanation=attribute(
            classifier, x, method, baseline=background if compares else modality.typical(background), target=decided, seed=seed
        ),
        decided=decided,
        favourable=wanted,
        threshold=threshold,
        reasons=reasons,
        changes=changes,
        label=label,
    )
