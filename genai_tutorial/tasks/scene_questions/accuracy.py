"""Accuracy of answers about scenes, by kind of question, the blind baseline, and the
share of attention on the squares that objects cover.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genai_tutorial.metrics import Interval, wilson_interval
from genai_tutorial.tasks import check_same_length
from genai_tutorial.tasks.shapes import IMAGE_SIZE, Scene, SceneObject, full_captions

from .questions import SceneQuestion, SceneQuestionKind


def right_answers(
    questions: Sequence[SceneQuestion], answers: Sequence[str]
) -> list[bool]:
    """Return for each question whether the answer is the right one, word for word.

    Raises:
        ValueError: If there are not as many answers as questions.
    """
    check_same_length(questions=questions, answers=answers)
    pairs = zip(questions, answers, strict=True)
    return [question.answer == answer for question, answer in pairs]


def question_accuracy(
    questions: Sequence[SceneQuestion], answers: Sequence[str]
) -> dict[SceneQuestionKind, Interval]:
    """Return the share of correct answers for each kind that occurs, with Wilson's 95%
    interval.

    >>> asked = SceneQuestion("count", "how many shapes are there ?", "two")
    >>> print(question_accuracy([asked] * 20, ["two"] * 20)["count"])
    1.00 (95% interval 0.84 to 1.00)
    """
    by_kind = defaultdict(list)
    for question, right in zip(
        questions, right_answers(questions, answers), strict=True
    ):
        by_kind[question.kind].append(right)
    return {
        kind: wilson_interval(sum(rights), len(rights))
        for kind, rights in by_kind.items()
    }


def blind_answers(
    training: Sequence[SceneQuestion], questions: Sequence[SceneQuestion]
) -> list[str]:
    """Return the best answers that words alone allow: for each question the answer that
    was most frequent for the same text in training, and an empty text for a question
    that never occurred.

    >>> often = SceneQuestion("size", "what size is the cross ?", "small")
    >>> once = SceneQuestion("size", "what size is the cross ?", "large")
    >>> blind_answers([often, often, once], [once])
    ['small']
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for question in training:
        counts[question.text][question.answer] += 1
    return [
        counts[question.text].most_common(1)[0][0] if question.text in counts else ""
        for question in questions
    ]


def flipped_pairs(
    questions: Sequence[SceneQuestion], answers: Sequence[str]
) -> Interval | None:
    """Return the share of flipped pairs with two correct answers: the same question
    about two images with different answers, so that an answer from the words alone is
    incorrect at least once.

    Each question is used in one pair at most; None if there is no pair.
    """
    by_text = defaultdict(list)
    for question, right in zip(
        questions, right_answers(questions, answers), strict=True
    ):
        by_text[question.text].append((question.answer, right))
    both_right = []
    for items in by_text.values():
        waiting: list[tuple[str, bool]] = []
        for answer, right in items:
            partner = next((w for w in waiting if w[0] != answer), None)
            if partner is None:
                waiting.append((answer, right))
            else:
                waiting.remove(partner)
                both_right.append(right and partner[1])
    if not both_right:
        return None
    return wilson_interval(sum(both_right), len(both_right))


def captions_right(scenes: Sequence[Scene], captions: Sequence[str]) -> list[bool]:
    """Return for each caption whether it is a full caption of its scene, in any order
    of the objects.
    """
    check_same_length(scenes=scenes, captions=captions)
    return [
        text in full_captions(scene)
        for scene, text in zip(scenes, captions, strict=True)
    ]


def covered_squares(
    objects: Iterable[SceneObject], patch_size: int
) -> Bool[Tensor, "square"]:
    """Return a mask of the squares of an image that objects' bounding boxes touch, row
    by row.

    Args:
        patch_size: Height and width of a square in pixels; must divide the image's.

    >>> thing = SceneObject("red", "circle", left=6, top=0, diameter=8)
    >>> covered_squares([thing], patch_size=16).tolist()
    [True, False, False, False]
    """
    if patch_size < 1 or IMAGE_SIZE % patch_size:
        raise ValueError(f"patch_size must divide {IMAGE_SIZE}, got {patch_size}.")
    side = IMAGE_SIZE // patch_size
    covered = torch.zeros(side, side, dtype=torch.bool)
    for thing in objects:
        last = thing.diameter - 1
        rows = slice(thing.top // patch_size, (thing.top + last) // patch_size + 1)
        columns = slice(thing.left // patch_size, (thing.left + last) // patch_size + 1)
        covered[rows, columns] = True
    return covered.flatten()


def attention_on_squares(
    weights: Float[Tensor, "question layer head square"],
    chosen: Bool[Tensor, "question square"],
) -> Float[Tensor, "question layer head"]:
    """Return the share of the attention to an image that falls on the chosen squares.

    A head that attends to all squares equally scores the share of squares that are
    chosen, so compare with that.

    Args:
        weights: The attention to each square; a head's weights may sum to less than 1,
            because the text gets the rest.
        chosen: The squares, for example those that show the object asked for.

    >>> chosen = torch.tensor([[True, False, False, False]])
    >>> attention_on_squares(torch.full((1, 1, 1, 4), 0.1), chosen)
    tensor([[[0.2500]]])
    """
    on_chosen = (weights * chosen[:, None, None]).sum(dim=3)
    return on_chosen / weights.sum(dim=3)
