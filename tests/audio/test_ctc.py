import pytest
import torch

from genai_tutorial.audio import best_alignment, collapse, ctc_probability
from genai_tutorial.audio.ctc import ctc_loss


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
    with pytest.raises(ValueError, match=f"needs {needed} frames"):
        ctc_loss(
            logs,
            torch.tensor([frames]),
            torch.tensor([transcript]),
            torch.tensor([len(transcript)]),
        )


def test_best_alignment_reads_as_the_transcript_and_is_the_likeliest():
    logs = torch.randn(5, 3, generator=torch.Generator().manual_seed(1)).log_softmax(1)
    for transcript in ([1], [2, 1], [1, 1]):
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
