import math

import pytest
import torch

from genai_tutorial.audio import (
    BigramModel,
    collapse,
    ctc_probability,
    prefix_beam_search,
)


def all_transcripts(labels: int, frames: int) -> set[tuple[int, ...]]:
    paths = torch.cartesian_prod(*[torch.arange(labels)] * frames).tolist()
    return {tuple(collapse(path)) for path in paths}


@pytest.mark.parametrize("seed", range(5))
def test_prefix_beam_search_finds_the_likeliest_transcript(seed):
    generator = torch.Generator().manual_seed(seed)
    logs = (2 * torch.randn(5, 3, generator=generator)).log_softmax(1)
    best = max(
        all_transcripts(3, 5), key=lambda t: ctc_probability(logs.exp(), list(t)).item()
    )
    assert prefix_beam_search(logs, beams=100) == list(best)


def test_prefix_beam_search_adds_up_paths_where_greedy_takes_one():
    logs = torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log()
    assert prefix_beam_search(logs) == [1]  # 0.64 in three paths, against 0.36


def test_language_model_decides_between_equal_sounds():
    logs = torch.tensor([[0.0, 0.9, 0.05, 0.05], [0.1, 0.0, 0.46, 0.44]]).log()
    model = BigramModel([[1, 3]] * 9 + [[1, 2]], labels=4)
    assert prefix_beam_search(logs) == [1, 2]
    assert prefix_beam_search(logs, language_model=model) == [1, 3]


def test_bonus_lengthens_transcripts():
    logs = torch.tensor([[0.55, 0.45]]).log()
    assert prefix_beam_search(logs) == []
    assert prefix_beam_search(logs, bonus=1) == [1]


def test_bigram_model_is_a_distribution_over_words_and_the_end():
    model = BigramModel([[1, 2], [1, 1, 3]], labels=4, smoothing=0.5)
    for prefix in ((), (1,), (2,), (3,)):
        words = sum(math.exp(model(prefix, label)) for label in (1, 2, 3))
        assert words + math.exp(model(prefix, None)) == pytest.approx(1)
    assert math.exp(model((1,), 1)) == pytest.approx(1.5 / 5)


@pytest.mark.parametrize(("sentences", "smoothing"), [([], 0.1), ([[1]], 0)])
def test_bigram_model_rejects_what_cannot_be_counted(sentences, smoothing):
    with pytest.raises(ValueError, match="sentences and smoothing above 0"):
        BigramModel(sentences, labels=3, smoothing=smoothing)


def test_prefix_beam_search_needs_a_beam():
    with pytest.raises(ValueError, match="beams=0"):
        prefix_beam_search(torch.zeros(2, 3).log_softmax(1), beams=0)
