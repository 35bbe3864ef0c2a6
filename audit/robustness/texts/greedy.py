"""The greedy search for a text that is decided otherwise, many texts at once (Jin et al., 2020, arXiv:1907.11932).

The words that matter most come first: those without which the decision stands least firm. At each, all that any edit
offers is tried in one batch over all texts, and what weakens the decision most is kept. Texts that fell leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import Tensor

from audit.robustness.texts.budgets import allowance
from audit.robustness.texts.deciding import Decider
from audit.robustness.texts.edit import Edit
from audit.robustness.texts.strings import encoded
from audit.robustness.texts.words import Words
from classifier.formats.texts import is_blank
from classifier.seeds import Seed


@dataclass(eq=False)
class Standing:
    """One text under attack, and what has become of it.

    Args:
        original: Its words.
        text: It as a string.
        label: Its class.
        margin: By how much it is decided as its class so far; the smallest that was met.
        row: It as the classifier reads it now, as bytes.
        queries: How many texts were shown to the classifier for it.
        tried: How many of these were changed by an edit.
        order: The positions of its words, those that matter most first.
        changes: What stands where, and which edit put it there.
        flat: Whether no word that was left out moved the answer at all, as yet: then nothing tells where to change it.
        fallen: Whether it is decided otherwise.
    """

    original: Words
    text: str
    label: int
    margin: float
    row: bytes
    queries: int = 1
    tried: int = 0
    order: list[int] = field(default_factory=list)
    changes: dict[int, tuple[str, str]] = field(default_factory=dict)
    flat: bool = False
    fallen: bool = False

    def written(self, changes: Mapping[int, str] = MappingProxyType({})) -> str:
        """The text as it stands, with more changes."""
        return self.original.joined({**{position: word for position, (word, _) in self.changes.items()}, **changes})


@dataclass(frozen=True)
class _Proposal:
    standing: Standing
    position: int
    word: str
    edit: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Greedy:
    """One search, the same for all texts.

    Args:
        decider: What is to be turned.
        edits: What may be done to a word, by name.
        budget: How many words may change; see `allowance`.
        queries: How many texts may be shown to the classifier for one text, the text itself included.
        tries: How many alternatives of one edit are tried at a word.
        seed: Where the choice among more alternatives comes from; it depends on the text alone.
    """

    decider: Decider
    edits: Mapping[str, Edit]
    budget: float
    queries: int
    tries: int
    seed: Seed

    def run(self, texts: Sequence[Standing]) -> None:
        """Search for all of these texts at once; what is found is written into them."""
        self._rank(texts)
        turn, standing = 0, list(texts)
        while standing := [text for text in standing if self._goes_on(text, turn)]:
            self._change([proposal for text in standing for proposal in self._proposals(text, text.order[turn])])
            turn += 1

    def _goes_on(self, text: Standing, turn: int) -> bool:
        if text.fallen or turn == len(text.order) or text.queries >= self.queries:
            return False
        return len(text.changes) < allowance(len(text.original.words), self.budget)

    def _rank(self, texts: Sequence[Standing]) -> None:
        """Order the words of each text by how little is left of the decision without them."""
        asked: list[_Proposal] = []
        for text in texts:
            text.order = self._shuffled(len(text.original.words), "rank", text.text)
            # At least half of the queries are left to change what was found to matter; words not asked about come last.
            for position in text.order[: (self.queries - text.queries) // 2]:
                without = text.original.joined({position: ""})
                if not is_blank(without):
                    asked.append(_Proposal(text, position, "", "", without))
        left: dict[tuple[Standing, int], float] = {}
        for proposal, margin in zip(asked, self._ask(asked, self._read(asked))[0], strict=True):
            left[proposal.standing, proposal.position] = margin
            proposal.standing.queries += 1
        for text in texts:
            ranks = {position: left.get((text, position), torch.inf) for position in text.order}
            text.order.sort(key=ranks.__getitem__)
            text.flat = all(rank in (text.margin, torch.inf) for rank in ranks.values())

    def _proposals(self, text: Standing, position: int) -> list[_Proposal]:
        """What the edits offer at one word."""
        found: list[_Proposal] = []
        for name, edit in self.edits.items():
            offered = list(dict.fromkeys(edit.alternatives(text.original.words[position])))
            if len(offered) > self.tries:
                drawn = self._shuffled(len(offered), name, str(position), text.text)[: self.tries]
                offered = [offered[i] for i in sorted(drawn)]
            for other in offered:
                written = text.written({position: other})
                if not is_blank(written):
                    found.append(_Proposal(text, position, other, name, written))
        return found

    def _change(self, offered: list[_Proposal]) -> None:
        """Try what is offered, and keep for each text what turns it, or else weakens it most."""
        x = self._read(offered)
        rows = [row.tobytes() for row in x.numpy()]
        chosen = self._distinct(offered, rows)
        margins, turned = self._ask([offered[i] for i in chosen], x[chosen])
        best: dict[Standing, tuple[bool, float, int]] = {}
        for i, margin, turns in zip(chosen, margins, turned, strict=True):
            text = offered[i].standing
            text.queries += 1
            text.tried += 1
            # An answer so firm that its probability is 1 in the classifier's precision moves only after several changes.
            weaker = margin < text.margin or (text.flat and margin == text.margin)
            if (turns or weaker) and (text not in best or (turns, -margin) > best[text][:2]):
                best[text] = (turns, -margin, i)
        for text, (turns, strength, i) in best.items():
            text.changes[offered[i].position] = (offered[i].word, offered[i].edit)
            text.flat = text.flat and -strength == text.margin
            text.fallen, text.margin, text.row = turns, -strength, rows[i]

    def _distinct(self, offered: Sequence[_Proposal], rows: Sequence[bytes]) -> list[int]:
        """Those that the tokenizer reads as a change, and not as one that stands before them, as far as the queries reach."""
        left = {proposal.standing: self.queries - proposal.standing.queries for proposal in offered}
        seen = {(text, text.row) for text in left}
        chosen: list[int] = []
        for i, (proposal, row) in enumerate(zip(offered, rows, strict=True)):
            if (proposal.standing, row) not in seen and left[proposal.standing] > 0:
                seen.add((proposal.standing, row))
                left[proposal.standing] -= 1
                chosen.append(i)
        return chosen

    def _read(self, proposals: Sequence[_Proposal]) -> Tensor:
        return encoded(self.decider.classifier.schema, [proposal.text for proposal in proposals])

    def _ask(self, proposals: Sequence[_Proposal], x: Tensor) -> tuple[list[float], list[bool]]:
        """The margin that each leaves, and whether it is decided otherwise."""
        if not proposals:
            return [], []
        labels = torch.tensor([proposal.standing.label for proposal in proposals])
        scores = self.decider.scores(x)
        return self.decider.margin(scores, labels).tolist(), (self.decider.presumed(scores) != labels).tolist()

    def _shuffled(self, count: int, *name: str) -> list[int]:
        drawn: list[int] = self.seed.child(*name).numpy().permutation(count).tolist()
        return drawn
