"""Our word error rate against jiwer and torchmetrics on random sentences."""

import random

import pytest

from genai_tutorial.metrics import word_error_rate, word_errors

jiwer = pytest.importorskip("jiwer")
WORDS = ["a", "red", "blue", "circle", "square", "above", "and"]


def sentences(seed: int, n: int = 40) -> tuple[list[str], list[str]]:
    """Return sentences, and transcripts with words replaced, dropped and added."""
    draw = random.Random(seed)
    said = [" ".join(draw.choices(WORDS, k=draw.randint(1, 9))) for _ in range(n)]
    heard = []
    for sentence in said:
        words = [
            draw.choice(WORDS) if draw.random() < 0.3 else word
            for word in sentence.split()
            if draw.random() < 0.85
        ]
        heard.append(" ".join(words + draw.choices(WORDS, k=draw.randint(0, 2))))
    return said, heard


@pytest.mark.parametrize("seed", range(3))
def test_word_error_rate_is_that_of_jiwer(seed):
    said, heard = sentences(seed)
    assert word_error_rate(said, heard) == pytest.approx(jiwer.wer(said, heard))
    for pair in zip(said, heard, strict=True):
        output = jiwer.process_words(*pair)
        assert (
            word_errors(*pair).edits
            == output.substitutions + output.deletions + output.insertions
        )
