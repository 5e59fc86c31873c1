"""Needles in a haystack: sentences hidden in prose of a given number of tokens, and
four tasks of RULER with them, asked by completion.

Base models only continue a text, and small chat models answer better that way too, so
each question is the beginning of the hidden sentence.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from operator import itemgetter
from typing import Literal

import torch

from genai_tutorial.retrieval import split_sentences
from genai_tutorial.tokenization import BPETokenizer


@dataclass(frozen=True)
class LongTask:
    """A text to continue, which contains the right continuation.

    Attributes:
        prompt: The text, up to where the answer begins.
        answers: All correct answers, each with the space before it.
        needles: The hidden sentences, as they are in the prompt.
        depth: The position of the sentence with the first answer: 0 for the beginning,
            1 for the end.
    """

    name: str
    prompt: str
    answers: tuple[str, ...]
    needles: tuple[str, ...]
    depth: float

    def without_needles(self) -> "LongTask":
        """Return the control: the same question about the same hay alone."""
        prompt = self.prompt
        for needle in self.needles:
            # The last sentence has no space after it.
            spaced = f"{needle} " if f"{needle} " in prompt else f" {needle}"
            prompt = prompt.replace(spaced, "", 1)
        return replace(self, name=f"{self.name}, control", prompt=prompt, needles=())


@dataclass(frozen=True)
class Haystack:
    """Sentences of prose and their lengths in tokens.

    Attributes:
        counts: The number of tokens of each, with the space before it.
    """

    sentences: tuple[str, ...]
    counts: tuple[int, ...]
    tokenizer: BPETokenizer

    @classmethod
    def of(cls, text: str, tokenizer: BPETokenizer) -> "Haystack":
        """Split a text into sentences and count their tokens."""
        sentences = tuple(
            " ".join(text[start:end].split()) for start, end in split_sentences(text)
        )
        counts = tuple(len(tokenizer.encode(f" {one}")) for one in sentences)
        return cls(sentences, counts, tokenizer)

    def hide(
        self,
        needles: Sequence[tuple[float, str]],
        question: str,
        length: int,
        generator: torch.Generator,
    ) -> str:
        """Return a text of hay with sentences hidden in it, followed by a question.

        Args:
            needles: The depth of each sentence, from 0 to 1, and the sentence.
            length: The largest number of tokens of the text; it has as many whole
                sentences as fit, counted with the space before each. The first has
                none, which can cost a token or two more.

        Raises:
            ValueError: If a depth is not from 0 to 1, or there is too much or too
                little hay for this length.
        """
        if not all(0 <= depth <= 1 for depth, _ in needles):
            raise ValueError(
                f"Depths are from 0 to 1, got {[depth for depth, _ in needles]}."
            )
        texts = [f" {needle}" for _, needle in needles] + [f"\n\n{question}"]
        room = length - sum(len(self.tokenizer.encode(text)) for text in texts)
        starts = self._starts(room, length)
        start = starts[int(torch.randint(len(starts), (), generator=generator))]
        end, used = start, 0
        while end < len(self.counts) and used + self.counts[end] <= room:
            used += self.counts[end]
            end += 1
        if end == start:
            raise ValueError(
                f"A text of {length} tokens has room for {room} tokens of hay, and its "
                f"first sentence has {self.counts[start]}: choose a larger length, or "
                "prose with shorter sentences."
            )
        lines = list(self.sentences[start:end])
        # From the end to the beginning, so that no insertion shifts a later one.
        for depth, needle in sorted(needles, key=itemgetter(0), reverse=True):
            lines.insert(self._place(self.counts[start:end], depth), needle)
        return f"{' '.join(lines)}\n\n{question}"

    def _starts(self, room: int, length: int) -> range:
        """Return the sentences at which the hay may begin, with enough text left."""
        total, last = 0, len(self.counts)
        while last > 0 and total < room:
            last -= 1
            total += self.counts[last]
        if total < room or room < 1:
            raise ValueError(
                f"A text of {length} tokens needs {max(room, 1)} tokens of hay, and "
                f"there are {sum(self.counts)}: choose another length or more prose."
            )
        return range(last + 1)

    @staticmethod
    def _place(counts: Sequence[int], depth: float) -> int:
        """Return the number of sentences before the gap that is nearest to a depth."""
        gaps = [0, *accumulate(counts)]
        return min(range(len(gaps)), key=lambda n: abs(gaps[n] - depth * gaps[-1]))


NeedleKind = Literal["code", "word"]
"""What is hidden: four digits, or one of `WORDS`."""

CITIES = (
    "Karsk", "Odlen", "Brivane", "Tulmar", "Wexin", "Sorvik", "Palgrad", "Hentora",
    "Miskow", "Dravel", "Lunsted", "Ervania",
)  # fmt: skip
"""Invented cities, so that no model can know their codes."""

WORDS = (
    "lantern", "marble", "harbor", "violin", "pepper", "anchor", "meadow", "copper",
    "basket", "feather",
)  # fmt: skip


def single_needle(
    hay: Haystack, length: int, depth: float, kind: NeedleKind = "code", seed: int = 0
) -> LongTask:
    """Hide the secret code or word of one city.

    Args:
        length: The largest number of tokens of the text.
        depth: The position of the sentence: 0 for the beginning, 1 for the end.

    Raises:
        ValueError: If `depth` or `length` is out of range.

    Source: Hsieh et al., RULER, section 3.1, https://arxiv.org/abs/2404.06654; Kamradt,
        Needle in a Haystack, https://github.com/gkamradt/LLMTest_NeedleInAHaystack
    """
    return _hide(hay, length, [depth], kind, seed, "single needle")


def many_keys(
    hay: Haystack,
    length: int,
    depth: float,
    keys: int = 4,
    kind: NeedleKind = "code",
    seed: int = 0,
) -> LongTask:
    """Hide secrets of several cities, and ask for the one at `depth`; the others are
    anywhere.

    Raises:
        ValueError: If `depth`, `length` or `keys` is out of range.

    Source: Hsieh et al., RULER, section 3.1, https://arxiv.org/abs/2404.06654
    """
    _check_count("keys", keys, len(CITIES))
    generator = torch.Generator().manual_seed(seed + 1)
    others = torch.rand(keys - 1, generator=generator).tolist()
    return _hide(hay, length, [depth, *others], kind, seed, "many keys")


def many_values(hay: Haystack, length: int, values: int = 3, seed: int = 0) -> LongTask:
    """Hide several codes of one city, and ask for all of them.

    Args:
        values: The number of codes, at equal distances.

    Raises:
        ValueError: If `length` or `values` is out of range.

    Source: Hsieh et al., RULER, section 3.1, https://arxiv.org/abs/2404.06654
    """
    _check_count("values", values, 10)
    generator = torch.Generator().manual_seed(seed)
    [city] = _cities(1, generator)
    codes = _secrets(values, "code", generator)
    needles = [f"One of the secret codes of {city} is {code}." for code in codes]
    asked = f"The secret codes of {city} are", codes
    return _task("many values", hay, length, _spread(needles), *asked, generator)


def variable_tracking(
    hay: Haystack, length: int, hops: int = 2, seed: int = 0
) -> LongTask:
    """Hide a chain of assignments, and ask for the value of the last variable.

    RULER asks for all variables of a value; this needs the same steps, and has one
    answer.

    Args:
        hops: The number of assignments from one variable to the next.

    Raises:
        ValueError: If `length` or `hops` is out of range.

    Source: Hsieh et al., RULER, section 3.2, https://arxiv.org/abs/2404.06654
    """
    _check_count("hops", hops, len(CITIES) - 1)
    generator = torch.Generator().manual_seed(seed)
    names = _cities(hops + 1, generator)
    [code] = _secrets(1, "code", generator)
    needles = [f"The secret code of {names[0]} is {code}."] + [
        f"The secret code of {new} is the same as the secret code of {old}."
        for old, new in pairwise(names)
    ]
    asked = f"The secret code of {names[-1]} is", [code]
    return _task("variable tracking", hay, length, _spread(needles), *asked, generator)


def depth_grid(
    hay: Haystack, lengths: Sequence[int], depths: Sequence[float], seeds: Sequence[int]
) -> dict[tuple[int, float], list[LongTask]]:
    """Return single needles for each length and depth, one for each seed.

    A seed has the same hay and the same secret at all depths of a length, so that a
    cache can reuse what comes before the needle.
    """
    return {
        (length, depth): [
            single_needle(hay, length, depth, seed=seed) for seed in seeds
        ]
        for length in lengths
        for depth in depths
    }


def _hide(
    hay: Haystack,
    length: int,
    depths: Sequence[float],
    kind: NeedleKind,
    seed: int,
    name: str,
) -> LongTask:
    """Hide one secret at each depth, and ask for the first."""
    generator = torch.Generator().manual_seed(seed)
    cities = _cities(len(depths), generator)
    secrets = _secrets(len(depths), kind, generator)
    beginnings = [f"The secret {kind} of {city} is" for city in cities]
    needles = [
        f"{beginning} {secret}."
        for beginning, secret in zip(beginnings, secrets, strict=True)
    ]
    hidden = list(zip(depths, needles, strict=True))
    return _task(name, hay, length, hidden, beginnings[0], secrets[:1], generator)


def _spread(needles: Sequence[str]) -> list[tuple[float, str]]:
    """Return sentences with their depths, at equal distances."""
    return [((n + 0.5) / len(needles), needle) for n, needle in enumerate(needles)]


def _task(
    name: str,
    hay: Haystack,
    length: int,
    needles: Sequence[tuple[float, str]],
    question: str,
    answers: Sequence[str],
    generator: torch.Generator,
) -> LongTask:
    prompt = hay.hide(needles, question, length, generator)
    answers = tuple(f" {answer}" for answer in answers)
    return LongTask(name, prompt, answers, tuple(n for _, n in needles), needles[0][0])


def _cities(count: int, generator: torch.Generator) -> list[str]:
    return [CITIES[n] for n in torch.randperm(len(CITIES), generator=generator)[:count]]


def _secrets(count: int, kind: NeedleKind, generator: torch.Generator) -> list[str]:
    if kind == "word":
        order = torch.randperm(len(WORDS), generator=generator).tolist()
        return [WORDS[order[n % len(WORDS)]] for n in range(count)]
    codes = torch.randperm(9000, generator=generator)[:count] + 1000
    return [str(code) for code in codes.tolist()]


def _check_count(name: str, count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise ValueError(f"{name} must be from 1 to {most}, got {count}.")
