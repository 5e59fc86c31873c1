"""Haystacks: prose of a given number of tokens, with sentences hidden in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch

from genai_tutorial.retrieval import split_sentences
from genai_tutorial.tokenization import BPETokenizer


@dataclass(frozen=True)
class LongTask:
    """A text to continue, which contains the right continuation.

    Attributes:
        name: The kind of task.
        prompt: The text, up to where the answer begins.
        answers: All right answers, each with the space before it.
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
        sentences: The sentences in their order.
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
            question: The end of the text, in a separate paragraph.
            length: The largest number of tokens of the text; it has as many whole
                sentences as fit.
            generator: Draws where the hay begins.

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
        lines = list(self.sentences[start:end])
        # From the end to the beginning, so that no insertion shifts a later one.
        order = sorted(range(len(needles)), key=lambda n: needles[n][0], reverse=True)
        for number in order:
            depth, needle = needles[number]
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
