import math

import pytest
import torch

from genai_tutorial.audio import (
    Lexicon,
    best_alignment,
    collapse,
    ctc_probability,
    prefix_beam_search,
)
from genai_tutorial.audio.ctc import ctc_loss
from genai_tutorial.data import Phoneme, Segment, Utterance, Voice


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ([], []),
        ([0, 0], []),
        ([1, 1, 1], [1]),
        ([1, 0, 1], [1, 1]),
        ([0, 2, 2, 0, 2, 1, 1], [2, 2, 1]),
    ],
)
def test_collapse_merges_neighbours_before_it_deletes_blanks(path, wanted):
    assert collapse(path) == wanted


def test_ctc_probability_of_an_impossible_transcript_is_zero():
    # two equal labels need a blank between them: three frames
    assert ctc_probability(torch.full((2, 2), 0.5), [1, 1]) == 0


@pytest.mark.parametrize("transcript", [[0], [4], [-1]])
def test_ctc_probability_rejects_labels_that_do_not_exist(transcript):
    with pytest.raises(ValueError, match="from 1 to 3"):
        ctc_probability(torch.full((3, 4), 0.25), transcript)


def test_ctc_loss_is_the_mean_over_utterances_per_label():
    logs = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    logs = logs.log_softmax(2)
    frames, lengths = torch.tensor([6, 4]), torch.tensor([2, 1])
    transcripts = torch.tensor([[1, 2], [3, 0]])
    wanted = [
        -ctc_probability(logs[0].exp(), [1, 2]).log() / 2,
        -ctc_probability(logs[1, :4].exp(), [3]).log(),
    ]
    loss = ctc_loss(logs, frames, transcripts, lengths)
    assert loss.item() == pytest.approx(torch.stack(wanted).mean().item(), abs=1e-5)


def test_ctc_loss_of_an_empty_transcript_asks_for_blanks_only():
    logs = torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(0))
    logs = logs.log_softmax(2)
    loss = ctc_loss(
        logs, torch.tensor([5]), torch.zeros(1, 0).long(), torch.tensor([0])
    )
    assert loss.item() == pytest.approx(-logs[0, :, 0].sum().item(), abs=1e-5)


@pytest.mark.parametrize(
    ("frames", "transcript", "needed"), [(2, [1, 1], 3), (2, [1, 2, 3], 3)]
)
def test_ctc_loss_refuses_utterances_shorter_than_their_transcript(
    frames, transcript, needed
):
    logs = torch.zeros(1, 4, 4).log_softmax(2)
    labels, lengths = torch.tensor([transcript]), torch.tensor([len(transcript)])
    with pytest.raises(ValueError, match=f"needs {needed} frames"):
        ctc_loss(logs, torch.tensor([frames]), labels, lengths)


def test_best_alignment_reads_as_the_transcript_and_is_the_likeliest():
    logs = torch.randn(5, 3, generator=torch.Generator().manual_seed(1)).log_softmax(1)
    for transcript in ([], [1], [2, 1], [1, 1], [1, 2, 2]):
        path = best_alignment(logs, transcript)
        assert collapse(path) == transcript
        score = sum(row[label] for row, label in zip(logs, path, strict=True))
        others = [
            sum(row[label] for row, label in zip(logs, other, strict=True))
            for other in torch.cartesian_prod(*[torch.arange(3)] * 5).tolist()
            if collapse(other) == transcript
        ]
        assert score == pytest.approx(max(others).item(), abs=1e-5)


def test_best_alignment_needs_enough_frames():
    with pytest.raises(ValueError, match="2 frames are too few for 2 labels"):
        best_alignment(torch.zeros(2, 3).log_softmax(1), [1, 1])


def utterance(words: dict[str, str]) -> Utterance:
    """Return an utterance without a sound."""
    return Utterance(
        " ".join(words),
        Voice(),
        torch.zeros(1),
        tuple(Segment(word, 0.0, 1.0) for word in words),
        tuple(
            Phoneme(label, 0.0, 1.0, place)
            for place, labels in enumerate(words.values())
            for label in labels.split()
        ),
    )


def test_lexicon_takes_the_most_frequent_pronunciation():
    lexicon = Lexicon.from_utterances(
        [utterance({"a": "ɐ"}), utterance({"a": "eɪ"}), utterance({"a": "ɐ"})]
    )
    assert lexicon.pronunciations == {"a": ("ɐ",)}


def test_pairs_of_words_go_before_single_words():
    lexicon = Lexicon({"of": ("v",), "of a": ("ə", "v", "ə"), "red": ("r",)})
    assert lexicon.phonemes("of a red") == ["_", "ə", "v", "ə", "r", "_"]
    assert lexicon.phonemes("of red of") == ["_", "v", "r", "v", "_"]


def test_symbols_are_all_phonemes_after_the_pause():
    assert Lexicon({"b": ("z", "b"), "a": ("b",)}).symbols == ("_", "b", "z")


@pytest.mark.parametrize(
    ("text", "message"), [("a cat", "'cat' has no pronunciation"), (" ", "no words")]
)
def test_unknown_words_and_empty_texts_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Lexicon({"a": ("ɐ",)}).phonemes(text)


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
    assert prefix_beam_search(logs) == [1, 2]

    def model(transcript, label):
        return math.log(0.9 if (transcript, label) == ((1,), 3) else 0.1)

    assert prefix_beam_search(logs, language_model=model) == [1, 3]


def test_bonus_lengthens_transcripts():
    logs = torch.tensor([[0.55, 0.45]]).log()
    assert prefix_beam_search(logs) == []
    assert prefix_beam_search(logs, bonus=1) == [1]


def test_prefix_beam_search_needs_a_beam():
    with pytest.raises(ValueError, match="beams=0"):
        prefix_beam_search(torch.zeros(2, 3).log_softmax(1), beams=0)
