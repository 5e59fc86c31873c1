"""Supervised fine-tuning: the next-token loss of pre-training, on the answers only."""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.alignment.log_probs import (
    answer_steps,
    masked_mean,
    token_log_probs,
)


def supervised_loss(
    model: nn.Module,
    ids: Int[Tensor, "batch position"],
    is_learned: Bool[Tensor, "batch position"],
    documents: Int[Tensor, "batch position"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean of -log p(token) over the tokens that are to be learned, in nats
    a token; for `fit`.

    Args:
        model: What is trained.
        ids: Prompts with their answers, from `pad_examples` or `pack_examples`.
        is_learned: Which tokens the model should learn to write: `rows.is_answer`; to
            see what learning to write the prompts too does, `rows.is_text`.
        documents: Which example each token belongs to, so that the examples of a row do
            not see each other.

    Raises:
        ValueError: If there is nothing to learn in the batch.

    Source: Ouyang et al., Training language models to follow instructions with human
        feedback, section 3.5 (SFT), https://arxiv.org/abs/2203.02155
    """
    return -masked_mean(
        token_log_probs(model, ids, documents), answer_steps(is_learned, documents)
    )
