"""Connectionist temporal classification (CTC): train on a transcript without knowing
when each word is spoken.

A recognizer gives every frame a distribution over the labels and the blank, label 0,
which means "nothing new". A path assigns one label to each frame. It is collapsed to a
transcript by merging equal neighbours and then deleting the blanks. The probability of
a transcript is the sum over all paths that collapse to it.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

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
    states = [BLANK]
    for label in transcript:
        states += [label, BLANK]
    may_skip = torch.tensor(
        [
            s >= 2 and states[s] != BLANK and states[s] != states[s - 2]
            for s in range(len(states))
        ],
        device=probabilities.device,
    )
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

    Args:
        log_probabilities: The recognizer's output.
        frames: The number of frames of each utterance, without the padding.
        transcripts: The labels of each utterance, padded.
        lengths: The number of labels of each utterance; may be 0.

    Raises:
        ValueError: If an utterance has fewer frames than its transcript needs, so that
            its loss would be infinite.
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


def greedy_decode(
    log_probabilities: Float[Tensor, "batch frame label"], frames: Int[Tensor, "batch"]
) -> list[list[int]]:
    """Return the transcript of the most likely path of each utterance.

    It need not be the most likely transcript, whose probability can be spread over many
    paths.

    >>> from torch import tensor
    >>> greedy_decode(tensor([[[0.6, 0.4], [0.6, 0.4]]]).log(), tensor([2]))
    [[]]
    """
    best = log_probabilities.argmax(dim=-1).tolist()
    return [
        collapse(path[:count])
        for path, count in zip(best, frames.tolist(), strict=True)
    ]


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
    states = [BLANK]
    for label in transcript:
        states += [label, BLANK]
    scores = torch.full((len(states),), -torch.inf, device=log_probabilities.device)
    scores[:2] = log_probabilities[0, states[:2]]
    came_from = []
    for frame in log_probabilities[1:]:
        choices = torch.full((len(states), 3), -torch.inf, device=scores.device)
        for s in range(len(states)):
            skips = s >= 2 and states[s] != BLANK and states[s] != states[s - 2]
            for back in range(min(s, 1 + skips) + 1):
                choices[s, back] = scores[s - back]
        best = choices.max(dim=1)
        came_from.append(best.indices.tolist())
        scores = best.values + frame[states]
    state = len(states) - 2 + int(scores[-2:].argmax()) if transcript else 0
    if scores[state] == -torch.inf:
        raise ValueError(
            f"{len(log_probabilities)} frames are too few for {len(transcript)} labels."
        )
    path = [states[state]]
    for steps in reversed(came_from):
        state -= steps[state]
        path.append(states[state])
    return path[::-1]


def _check(probabilities: Tensor, transcript: Sequence[int]) -> None:
    frames, labels = probabilities.shape
    if frames < 1:
        raise ValueError("There must be at least one frame, got none.")
    wrong = [label for label in transcript if not 0 < label < labels]
    if wrong:
        raise ValueError(
            f"A label must be from 1 to {labels - 1} (0 is the blank), got {wrong[0]}."
        )
