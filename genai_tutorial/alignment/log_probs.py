"""Log-probabilities of tokens, and what is computed from them: KL divergence, entropy,
masked sums and means.

Step t of a row is the choice of token t + 1 by a model that has read tokens 0 to t: a
row of n tokens has n - 1 steps. A mask marks the steps that count: those that choose a
token of an answer.
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer import AttentionContext


def chosen_log_probs(
    logits: Float[Tensor, "batch position vocab"], ids: Int[Tensor, "batch position"]
) -> Float[Tensor, "batch step"]:
    """Return the log-probability of the token that was chosen at each step."""
    return -functional.cross_entropy(
        logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none"
    )


def token_log_probs(
    model: nn.Module,
    ids: Int[Tensor, "batch position"],
    documents: Int[Tensor, "batch position"] | None = None,
) -> Float[Tensor, "batch step"]:
    """Return a model's log-probability of each token after the first.

    Args:
        model: Maps ids to logits, such as a `DecoderLM`. It attends to earlier
            positions only, so padding at the end changes nothing.
        documents: The document of each token, for rows with several packed documents.
    """
    context = None if documents is None else AttentionContext.packed(documents)
    return chosen_log_probs(model(ids) if context is None else model(ids, context), ids)


def answer_steps(
    is_answer: Bool[Tensor, "batch position"],
    documents: Int[Tensor, "batch position"] | None = None,
) -> Bool[Tensor, "batch step"]:
    """Return the mask of the steps that choose the marked tokens.

    Args:
        is_answer: Marks the tokens of answers.
        documents: The document of each token, for rows with several packed documents.
            The step from the last token of a document to the first of the next does not
            count.

    >>> import torch
    >>> answer_steps(torch.tensor([[False, False, True, True]]))
    tensor([[False,  True,  True]])
    """
    steps = is_answer[:, 1:]
    return (
        steps if documents is None else steps & (documents[:, 1:] == documents[:, :-1])
    )


def answer_log_probs(
    model: nn.Module,
    ids: Int[Tensor, "batch position"],
    is_answer: Bool[Tensor, "batch position"],
) -> Float[Tensor, "batch"]:
    """Return a model's log-probability of each row's whole answer.

    Args:
        model: Maps ids to logits.
        ids: One prompt and answer in each row.
        is_answer: Marks the tokens of the answers.
    """
    return masked_sum(token_log_probs(model, ids), answer_steps(is_answer))


def kl_k1(
    log_probs: Float[Tensor, "*step"], reference_log_probs: Float[Tensor, "*step"]
) -> Float[Tensor, "*step"]:
    """Estimate KL(policy || reference) from a token sampled by the policy, by the
    difference of the log-probabilities.

    Source: Schulman, Approximating KL Divergence, http://joschu.net/blog/kl-approx.html
    """
    return log_probs - reference_log_probs


def kl_k3(
    log_probs: Float[Tensor, "*step"], reference_log_probs: Float[Tensor, "*step"]
) -> Float[Tensor, "*step"]:
    """Estimate KL(policy || reference) from a token sampled by the policy, by q/p - 1 -
    log(q/p).

    Source: Schulman, Approximating KL Divergence, http://joschu.net/blog/kl-approx.html
    """
    log_ratio = reference_log_probs - log_probs
    return log_ratio.exp() - 1 - log_ratio


def entropy(logits: Float[Tensor, "*batch vocab"]) -> Float[Tensor, "*batch"]:
    """Return the entropy of each step, in nats: 0 if one token is certain, ln V if all
    V are equally probable.

    >>> import torch
    >>> entropy(torch.zeros(8))
    tensor(2.0794)
    """
    log_probs = logits.log_softmax(dim=-1)
    return -(log_probs.exp() * log_probs).sum(dim=-1)


def masked_sum(
    numbers: Float[Tensor, "batch step"], mask: Bool[Tensor, "batch step"]
) -> Float[Tensor, "batch"]:
    """Return each row's sum over the steps that count.

    >>> import torch
    >>> masked_sum(
    ...     torch.tensor([[1.0, 2.0, torch.nan]]), torch.tensor([[True, True, False]])
    ... )
    tensor([3.])
    """
    return numbers.masked_fill(~mask, 0.0).sum(dim=1)


def masked_mean(
    numbers: Float[Tensor, "batch step"], mask: Bool[Tensor, "batch step"]
) -> Float[Tensor, ""]:
    """Return the mean over all steps that count, with equal weights in all rows.

    Raises:
        ValueError: If no step counts.

    >>> import torch
    >>> masked_mean(
    ...     torch.tensor([[1.0, 2.0, 9.0]]), torch.tensor([[True, True, False]])
    ... )
    tensor(1.5000)
    """
    if not mask.any():
        raise ValueError(
            "No step of the batch counts: its mask is False everywhere, so there is "
            "nothing to average."
        )
    return numbers.masked_fill(~mask, 0.0).sum() / mask.sum()
