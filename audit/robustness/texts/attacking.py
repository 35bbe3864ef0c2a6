"""Attacks on texts: typing errors, look-alikes, insertions, deletions and substitutions, the most telling words first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.labelled_rows import require_labelled
from audit.robustness.texts.budgets import allowance, require_budget
from audit.robustness.texts.deciding import Decider
from audit.robustness.texts.distance import edit_distance
from audit.robustness.texts.edit import EDITS, Edit
from audit.robustness.texts.greedy import Greedy, Standing
from audit.robustness.texts.strings import encoded, require_texts, strings_of
from audit.robustness.texts.words import Words
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, did_you_mean
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import proportion

# Texts searched at a time: what the edits offer them, all at once, stays within some dozens of MiB.
_TEXTS = 128
_SUBSTITUTION = "word_substitution"


@dataclass(frozen=True)
class TextRobustness:
    """What an attack on texts left standing.

    Args:
        clean_accuracy: Share of the texts that are right before anything is changed.
        robust_accuracy: Share that is right and stays so; an upper bound, since a better search may find more.
        tested: Which texts count: not those that cannot be written out as strings ``(N,)``, bool.
        robust: Which of these are right and stay so ``(N,)``, bool.
        texts: The texts as strings, as they were attacked.
        adversarial: For each text that fell, what it was changed into; else the text as it was.
        edits: For each text that fell, which edits were made to it, one a changed word.
        words: How many words each text has ``(N,)``.
        changed_words: How many of them were changed where it fell, else 0 ``(N,)``.
        changed_characters: How many characters were inserted, left out or replaced where it fell, else 0 ``(N,)``.
        queries: How many texts were shown to the classifier for it ``(N,)``.
        tried: How many of these were changed by an edit; 0 where no edit changes what the classifier reads ``(N,)``.
        flat: Texts whose answer nothing moved at all, neither leaving out a word nor any edit; the search was blind there, and
            that they stand says little: the answer may be too firm for the classifier's precision ``(N,)``, bool.
        closest: The smallest margin over the other classes that was met, in logits; below 0 where decided otherwise ``(N,)``.
    """

    clean_accuracy: Metric
    robust_accuracy: Metric
    tested: Tensor
    robust: Tensor
    texts: tuple[str, ...]
    adversarial: tuple[str, ...]
    edits: tuple[tuple[str, ...], ...]
    words: Tensor
    changed_words: Tensor
    changed_characters: Tensor
    queries: Tensor
    tried: Tensor
    flat: Tensor
    closest: Tensor

    def within(self, budget: float) -> Tensor:
        """Which texts are right and stay so under a smaller budget ``(N,)``, bool: the same search, stopped there."""
        require_budget(budget)
        most = torch.tensor([allowance(words, budget) for words in self.words.tolist()], dtype=torch.int64)
        return self.robust | (self.changed_words > most)


def attack_texts(
    classifier: Classifier,
    texts: Sequence[str] | Tensor,
    labels: Sequence[int] | Tensor,
    *,
    edits: Sequence[str] = (),
    budget: float = 0.2,
    queries: int = 500,
    tries: int = 4,
    table: Mapping[str, Sequence[str]] | None = None,
    threshold: float = 0.5,
    seed: int = 0,
) -> TextRobustness:
    """Look for a text that reads nearly the same and is decided otherwise.

    Only the classifier's probabilities are used. What is changed is the string, which is encoded anew each time; a
    change that the tokenizer undoes is none. Texts that are wrong from the start are left alone.

    Args:
        classifier: What is attacked; it takes texts.
        texts: Strings; or encoded texts ``(N, T)``, which are written out first, and count only where that is read alike.
        labels: Their classes ``(N,)``.
        edits: Ids of the edits, files of ``audit/robustness/texts/edits``, or kinds of them; by default all there are.
        budget: How much may change: a share of the words (0.2), at least one; or a number of words (3).
        queries: How many texts may be shown to the classifier for one text.
        tries: How many alternatives of one edit are tried at a word.
        table: In lower case, what a word or a phrase may be replaced by, ``{"good": ("fine",)}``; each is one word.
        threshold: Of two classes, the probability of the event at which it is presumed.
        seed: Where the choice among more alternatives than `tries` comes from.

    Raises:
        NotApplicableError: If the classifier takes no texts.
        DataError: If there is no text, a label is no class, or the classifier's answer is not finite.
        ConfigurationError: If an option asks for what cannot be.
    """
    require_texts(classifier)
    require_budget(budget)
    if queries < 2 or tries < 1:
        raise ConfigurationError(f"queries must be at least 2 and tries at least 1, got {queries} and {tries}")
    words_for = {word.lower(): tuple(others) for word, others in (table or {}).items()}
    greedy = Greedy(
        decider=Decider(classifier, threshold),
        edits=_chosen(edits, words_for),
        budget=budget,
        queries=queries,
        tries=tries,
        seed=Seed(seed, ("texts",)),
    )
    y = torch.as_tensor(labels, dtype=torch.int64).cpu()
    require_labelled("an attack", len(texts), y, classifier)
    strings, tested = strings_of(classifier.schema, texts)
    standing: list[Standing | None] = [None] * len(strings)
    right = torch.zeros_like(tested)
    for block in torch.split(tested.nonzero()[:, 0], _TEXTS) if tested.any() else ():
        rows = block.tolist()
        x = encoded(classifier.schema, [strings[row] for row in rows])
        scores = greedy.decider.scores(x)
        right[block] = greedy.decider.presumed(scores) == y[block]
        for row, margin, numbers in zip(rows, greedy.decider.margin(scores, y[block]).tolist(), x.numpy(), strict=True):
            standing[row] = Standing(Words.of(strings[row], words_for.keys()), strings[row], int(y[row]), margin, numbers.tobytes())
        greedy.run([text for row in rows if right[row] and (text := standing[row])])
    return _told(strings, standing, tested, right, budget)


def _chosen(named: Sequence[str], table: Mapping[str, tuple[str, ...]]) -> dict[str, Edit]:
    """The edits of these ids and kinds, ready to be made."""
    if isinstance(named, str):
        raise ConfigurationError(f"edits must be a list, got {named!r}", remedy=f'edits = ["{named}"]')
    kinds = {name: EDITS[name].kind for name in EDITS}
    for name in named:
        if name not in kinds and name not in kinds.values():
            raise ConfigurationError(f"there is no edit {name!r}", remedy=did_you_mean(name, {*kinds, *kinds.values()}))
    chosen = [name for name, kind in kinds.items() if not named or name in named or kind in named]
    if not table and named and _SUBSTITUTION in chosen:
        raise ConfigurationError("substitution needs a table of words", remedy='give one, table = {"good": ("fine",)}')
    return {name: EDITS[name](table=table) for name in chosen if table or name != _SUBSTITUTION}


def _told(strings: tuple[str, ...], standing: Sequence[Standing | None], tested: Tensor, right: Tensor, budget: float) -> TextRobustness:
    fallen = [text is not None and text.fallen for text in standing]
    robust = right & ~torch.tensor(fallen)
    empty = "none of the texts can be written out and read alike"
    changes = [dict(text.changes) if text is not None and text.fallen else {} for text in standing]
    characters = [
        sum(edit_distance(text.original.words[position], word) for position, (word, _) in changed.items()) if text else 0
        for text, changed in zip(standing, changes, strict=True)
    ]
    return TextRobustness(
        clean_accuracy=proportion("robustness.text_clean_accuracy", right[tested].numpy(), empty=empty),
        robust_accuracy=proportion("robustness.text_accuracy", robust[tested].numpy(), bound="upper", empty=empty).measured_on(
            budget=budget
        ),
        tested=tested,
        robust=robust,
        texts=strings,
        adversarial=tuple(
            text.written() if text is not None and fell else string for text, fell, string in zip(standing, fallen, strings, strict=True)
        ),
        edits=tuple(tuple(edit for _, edit in changed.values()) for changed in changes),
        words=torch.tensor([len(text.original.words) if text else 0 for text in standing]),
        changed_words=torch.tensor([len(changed) for changed in changes]),
        changed_characters=torch.tensor(characters),
        queries=torch.tensor([text.queries if text else 0 for text in standing]),
        tried=torch.tensor([text.tried if text else 0 for text in standing]),
        flat=torch.tensor([text is not None and text.flat for text in standing]) & robust,
        closest=torch.tensor([text.margin if text else torch.nan for text in standing], dtype=torch.float64),
    )
