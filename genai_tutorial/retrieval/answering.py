"""Grounded answering: an answer with a citation from the passages found, or none."""

from collections.abc import Sequence

from .attribution import leave_one_out_attribution
from .grounded import ABSTENTION, ChatModel, GroundedAnswer, grounded_prompt


def answer_or_abstain(
    chat: ChatModel,
    question: str,
    passages: Sequence[str],
    confidence: float | int,
    threshold: float | int,
) -> GroundedAnswer:
    """Answer from passages if the search was confident enough, and cite the passage
    without which the answer would lose most of its probability.

    An answer that no passage makes more probable has no citation.

    Args:
        passages: What the search found, best first.
        confidence: How sure the search is that they answer the question, such as the
            cosine of the first.
        threshold: The confidence below which the question is declined; see
            `threshold_at_risk`.
    """
    if not passages or confidence < threshold:
        return GroundedAnswer(ABSTENTION, abstained=True)
    [text] = chat.answers([grounded_prompt(question, passages)])
    if not text:
        return GroundedAnswer(ABSTENTION, abstained=True)
    lost = leave_one_out_attribution(chat, question, passages, text)
    place = int(lost.argmax())
    return GroundedAnswer(text, (place + 1,) if lost[place] > 0 else ())
