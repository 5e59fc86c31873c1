"""Attribution: find the passage that an answer rests on by taking each away in turn."""

from collections.abc import Sequence, Set

from jaxtyping import Float
from torch import Tensor

from .grounded import ChatModel, grounded_prompt
from .scoring import continuation_log_likelihoods


def leave_one_out_attribution(
    chat: ChatModel, question: str, passages: Sequence[str], answer: str
) -> Float[Tensor, "passage"]:
    """Return for each passage how much less probable the answer is without it, in nats:
    the log-probability of the answer with all passages minus that with all but this
    one.

    Only the model that gave the answer is needed, and no judge.

    Args:
        passages: The passages in the order of the prompt.
        answer: The model's answer.

    Raises:
        ValueError: If there are no passages, or the answer is empty.

    Source: Cohen-Wang et al., ContextCite, section 2 (ablating parts of the context),
        https://arxiv.org/abs/2409.00729
    """
    if not passages or not answer:
        raise ValueError(
            f"Attribution needs passages and an answer, got {len(passages)} passages "
            f"and the answer {answer!r}."
        )
    contexts = [list(passages)] + [
        [text for other, text in enumerate(passages) if other != place]
        for place in range(len(passages))
    ]
    prompts = [chat.encode(grounded_prompt(question, context)) for context in contexts]
    tokens = chat.tokenizer.encode(answer, special_as_text=True)
    scores = continuation_log_likelihoods(chat.model, prompts, [tokens] * len(prompts))
    return scores[0] - scores[1:]


def citation_precision(
    cited: Sequence[Set[int]], supporting: Sequence[Set[int]]
) -> float:
    """Return the share of all citations that support their answer; 0 if there are none.

    Source: Liu, Zhang and Liang, Evaluating Verifiability in Generative Search Engines,
        section 2.3, https://arxiv.org/abs/2304.09848
    """
    right, total = _count(cited, supporting), sum(map(len, cited))
    return right / total if total else 0.0


def citation_recall(cited: Sequence[Set[int]], supporting: Sequence[Set[int]]) -> float:
    """Return the share of all supporting passages that are cited; 0 if there are
    none.
    """
    right, total = _count(cited, supporting), sum(map(len, supporting))
    return right / total if total else 0.0


def _count(cited: Sequence[Set[int]], supporting: Sequence[Set[int]]) -> int:
    if len(cited) != len(supporting):
        raise ValueError(
            "Each answer needs its citations and its supporting passages, got "
            f"{len(cited)} and {len(supporting)}."
        )
    return sum(len(a & b) for a, b in zip(cited, supporting, strict=True))
