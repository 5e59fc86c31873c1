"""Supervised fine-tuning: the next-token loss of pre-training with a loss mask that
selects the answers.
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .log_probs import answer_steps, masked_mean, token_log_probs


def supervised_loss(
    model: nn.Module,
    ids: Int[Tensor, "batch position"],
    is_learned: Bool[Tensor, "batch position"],
    documents: Int[Tensor, "batch position"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean of -log p(token) over the tokens that the loss mask selects, in
    nats per token; for `fit`.

    Args:
        ids: Prompts with their answers, from `pad_examples` or `pack_examples`.
        is_learned: The loss mask: `rows.is_answer`, or `rows.is_text` to learn the
            prompts too.
        documents: The number of the example that each token belongs to; it keeps the
            examples of a row from attending to each other.

    Raises:
        ValueError: If the mask selects no token of the batch.

    Source: Ouyang et al., Training language models to follow instructions with human
        feedback, section 3.5 (SFT), https://arxiv.org/abs/2203.02155
    """
    return -masked_mean(
        token_log_probs(model, ids, documents), answer_steps(is_learned, documents)
    )
