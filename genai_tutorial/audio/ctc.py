"""From sounds to words: a pronunciation lexicon, the sum over alignments of CTC, and a
beam search with a language model.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from genai_tutorial.data import Utterance

PAUSE = "_"
"""The symbol of the silence before and after a sentence."""


@dataclass(frozen=True)
class Lexicon:
    """The pronunciations of words, and of word pairs that are spoken as one word.

    Attributes:
        pronunciations: The phonemes of each word or pair.

    >>> lexicon = Lexicon({"a": ("ɐ",), "red": ("ɹ", "ˈɛ", "d")})
    >>> lexicon.phonemes("a red")
    ['_', 'ɐ', 'ɹ', 'ˈɛ', 'd', '_']
    """

    pronunciations: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_utterances(cls, utterances: Iterable[Utterance]) -> "Lexicon":
        """Take the most frequent pronunciation of each word."""
        heard: defaultdict[str, Counter] = defaultdict(Counter)
        for utterance in utterances:
            spoken = defaultdict(list)
            for phoneme in utterance.phonemes:
                spoken[phoneme.word].append(phoneme.label)
            for place, word in enumerate(utterance.words):
                heard[word.label][tuple(spoken[place])] += 1
        return cls({word: heard[word].most_common(1)[0][0] for word in sorted(heard)})

    @property
    def symbols(self) -> tuple[str, ...]:
        """All phonemes, sorted, after the pause."""
        found = {label for labels in self.pronunciations.values() for label in labels}
        return (PAUSE, *sorted(found))

    def phonemes(self, text: str) -> list[str]:
        """Return the phonemes of a sentence, with a pause at both ends; word pairs take
        precedence over single words.

        Raises:
            ValueError: If a word is not in the lexicon, or the text has no words.
        """
        words, phonemes = text.lower().split(), [PAUSE]
        if not words:
            raise ValueError("There is nothing to say: the text has no words.")
        while words:
            for count in (2, 1):
                group = " ".join(words[:count])
                if group in self.pronunciations:
                    break
            else:
                raise ValueError(
                    f"The word {words[0]!r} has no pronunciation; these have: "
                    f"{', '.join(self.pronunciations)}."
                )
            phonemes += self.pronunciations[group]
            words = words[len(group.split()) :]
        return [*phonemes, PAUSE]


BLANK = 0
"""The label of the blank."""


def collapse(path: Sequence[int]) -> list[int]:
    """Return the transcript of a path: merge equal neighbours, then delete blanks.

    >>> collapse([0, 7, 7, 0, 7, 2, 2, 0])
    [7, 7, 2]
    """
    return [
        label
        for place, label in enumerate(path)
        if label != BLANK and (place == 0 or label != path[place - 1])
    ]


def ctc_probability(
    probabilities: Float[Tensor, "frame label"], transcript: Sequence[int]
) -> Float[Tensor, ""]:
    """Return the probability of a transcript by the forward algorithm.

    Blanks are inserted around the labels: the states are blank, first label, blank,
    second label, and so on. `forward[s]` is the total probability of all partial paths
    that end in state s at the current frame. A path may stay in its state, move to the
    next one, or skip a blank between two different labels.

    Args:
        probabilities: A distribution over the labels for each frame.
        transcript: Labels without blanks.

    Raises:
        ValueError: If a label is the blank or out of range, or there is no frame.

    Source: Graves et al., Connectionist Temporal Classification, section 4.1,
        https://www.cs.toronto.edu/~graves/icml_2006.pdf

    >>> ctc_probability(torch.full((2, 2), 0.5), [1])  # paths 1 1, 0 1 and 1 0
    tensor(0.7500)
    """
    _check(probabilities, transcript)
    states = torch.tensor(
        [BLANK, *(part for label in transcript for part in (label, BLANK))],
        device=probabilities.device,
    )
    # rolling wraps around, but the first two states have only padding to skip from
    may_skip = (states != BLANK) & (states != states.roll(2))
    forward = torch.zeros(len(states), device=probabilities.device)
    forward[:2] = probabilities[0, states[:2]]
    for frame in probabilities[1:]:
        stay, step = forward, functional.pad(forward, (1, 0))[:-1]
        skip = functional.pad(forward, (2, 0))[: len(states)] * may_skip
        forward = (stay + step + skip) * frame[states]
    return forward[-2:].sum()


def ctc_loss(
    log_probabilities: Float[Tensor, "batch frame label"],
    frames: Int[Tensor, "batch"],
    transcripts: Int[Tensor, "batch longest"],
    lengths: Int[Tensor, "batch"],
) -> Float[Tensor, ""]:
    """Return the mean negative log-likelihood of the transcripts, each divided by its
    number of labels, computed by torch's implementation of the same sum.
    """
    repeats = (transcripts[:, 1:] == transcripts[:, :-1]).cumsum(dim=1)
    last = (lengths - 2).clamp(min=0)[:, None]
    blanks = repeats.gather(1, last)[:, 0] * (lengths > 1) if repeats.shape[1] else 0
    needed = lengths + blanks
    if (needed > frames).any():
        worst = int((needed - frames).argmax())
        raise ValueError(
            f"The transcript of utterance {worst} needs {int(needed[worst])} frames "
            f"(its labels, and a blank between equal ones), but there are only "
            f"{int(frames[worst])}: leave the utterance out."
        )
    return functional.ctc_loss(
        log_probabilities.transpose(0, 1), transcripts, frames, lengths, BLANK
    )


def best_alignment(
    log_probabilities: Float[Tensor, "frame label"], transcript: Sequence[int]
) -> list[int]:
    """Return the most likely path that collapses to the transcript (the Viterbi path),
    as the label of each frame.

    Raises:
        ValueError: If a label is the blank or out of range, or there are too few frames
            for the transcript.

    >>> best_alignment(torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]).log(), [1])
    [0, 1, 0]
    """
    _check(log_probabilities, transcript)
    states = torch.tensor(
        [BLANK, *(part for label in transcript for part in (label, BLANK))],
        device=log_probabilities.device,
    )
    # rolling wraps around, but the first two states have only padding to skip from
    may_skip = (states != BLANK) & (states != states.roll(2))
    scores = torch.full((len(states),), -torch.inf, device=log_probabilities.device)
    scores[:2] = log_probabilities[0, states[:2]]
    came_from = []
    for frame in log_probabilities[1:]:
        step = functional.pad(scores, (1, 0), value=-torch.inf)[:-1]
        skip = functional.pad(scores, (2, 0), value=-torch.inf)[: len(states)]
        skip = skip.masked_fill(~may_skip, -torch.inf)
        best = torch.stack((scores, step, skip), dim=1).max(dim=1)
        came_from.append(best.indices.tolist())
        scores = best.values + frame[states]
    state = len(states) - 2 + int(scores[-2:].argmax()) if transcript else 0
    if scores[state] == -torch.inf:
        raise ValueError(
            f"{len(log_probabilities)} frames are too few for {len(transcript)} labels."
        )
    path = [state]
    for steps in reversed(came_from):
        path.append(path[-1] - steps[path[-1]])
    return states[path[::-1]].tolist()


def _check(probabilities: Tensor, transcript: Sequence[int]) -> None:
    frames, labels = probabilities.shape
    if frames < 1:
        raise ValueError("There must be at least one frame, got none.")
    wrong = [label for label in transcript if not 0 < label < labels]
    if wrong:
        raise ValueError(
            f"A label must be from 1 to {labels - 1} (0 is the blank), got {wrong[0]}."
        )


LanguageModel = Callable[[tuple[int, ...], int | None], float]
"""A function that returns the log-probability of a label after a transcript; the label
None stands for the end of the transcript.
"""


def prefix_beam_search(
    log_probabilities: Float[Tensor, "frame label"],
    beams: int = 16,
    language_model: LanguageModel | None = None,
    weight: float | int = 1.0,
    bonus: float | int = 0.0,
    candidates: int = 8,
) -> list[int]:
    """Return the most likely transcript, summing over all paths that collapse to it.

    Two probabilities are kept for each prefix of a transcript: one for the paths that
    end in a blank, and one for the paths that end in its last label. A repeated label
    lengthens the transcript only after a blank.

    Args:
        log_probabilities: A recognizer's output for one utterance, without padding.
        beams: The number of prefixes kept from one frame to the next (the beam width).
        language_model: Scores each new label, and the end.
        weight: The weight of the language model's log-probabilities.
        bonus: Added for each label, because a language model favours short transcripts.
        candidates: The number of most likely labels tried in each frame.

    Raises:
        ValueError: If `beams` or `candidates` is below 1.

    Source: Hannun et al., First-Pass Large Vocabulary Continuous Speech Recognition
        using Bi-Directional Recurrent DNNs, algorithm 1,
        https://arxiv.org/abs/1408.2873
    """
    if beams < 1 or candidates < 1:
        raise ValueError(
            f"beams and candidates must be at least 1, got {beams=}, {candidates=}."
        )
    candidates = min(candidates, log_probabilities.shape[1])
    # prefix: the log probability of paths that end in a blank, and in the last label
    paths = {(): (0.0, -math.inf)}
    grammar = {(): 0.0}  # prefix: what the language model and the bonus add
    for frame in log_probabilities:
        top = frame.topk(candidates)
        likely = dict(zip(top.indices.tolist(), top.values.tolist(), strict=True))
        likely[BLANK] = frame[BLANK].item()
        grown: dict = defaultdict(lambda: (-math.inf, -math.inf))
        for prefix, (in_blank, in_label) in paths.items():
            both = _add(in_blank, in_label)
            last = prefix[-1] if prefix else None
            for label, score in likely.items():
                if label == BLANK:
                    _gain(grown, prefix, both + score, -math.inf)
                    continue
                longer = (*prefix, label)
                if label == last:
                    _gain(grown, prefix, -math.inf, in_label + score)
                    _gain(grown, longer, -math.inf, in_blank + score)
                else:
                    _gain(grown, longer, -math.inf, both + score)
                if longer not in grammar:
                    said = language_model(prefix, label) if language_model else 0.0
                    grammar[longer] = grammar[prefix] + weight * said + bonus
        ranked = sorted(grown, key=lambda p: _add(*grown[p]) + grammar[p], reverse=True)
        paths = {prefix: grown[prefix] for prefix in ranked[:beams]}

    def total(prefix: tuple[int, ...]) -> float:
        ending = weight * language_model(prefix, None) if language_model else 0.0
        return _add(*paths[prefix]) + grammar[prefix] + ending

    return list(max(paths, key=total))


def _gain(
    grown: dict, prefix: tuple[int, ...], in_blank: float, in_label: float
) -> None:
    before = grown[prefix]
    grown[prefix] = _add(before[0], in_blank), _add(before[1], in_label)


def _add(a: float, b: float) -> float:
    """Return the logarithm of the sum of two probabilities, given as logarithms."""
    high, low = max(a, b), min(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
