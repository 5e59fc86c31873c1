"""Reranking: score the few passages that a search found again, more carefully."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderLM

from .scoring import continuation_log_likelihoods


def late_interaction(
    query: Float[Tensor, "token dim"], passages: Sequence[Float[Tensor, "_ dim"]]
) -> Float[Tensor, "passage"]:
    """Return the mean over the query's tokens of the largest cosine to any token of the
    passage (MaxSim).

    Args:
        query: The vector of each token of the query.
        passages: The vector of each token of each passage.

    Source: Khattab and Zaharia, ColBERT, equation 3, https://arxiv.org/abs/2004.12832
        (which sums instead: the order is the same)

    >>> query = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    >>> late_interaction(query, [torch.eye(2), torch.tensor([[3.0, 0.0]])])
    tensor([1.0000, 0.5000])
    """
    directions = functional.normalize(query, dim=1)
    scores = [
        (directions @ functional.normalize(passage, dim=1).T).amax(dim=1).mean()
        for passage in passages
    ]
    return torch.stack(scores) if scores else torch.zeros(0)


def query_likelihood(
    model: DecoderLM, tokenizer: BPETokenizer, question: str, passages: Sequence[str]
) -> Float[Tensor, "passage"]:
    """Return for each passage the mean log-probability of a token of the question after
    it: how well the passage explains that somebody asks this.

    Raises:
        ValueError: If there are no passages, or one is empty.

    Source: Ponte and Croft, A Language Modeling Approach to Information Retrieval,
        https://doi.org/10.1145/290941.291008; Sachan et al., Improving Passage
        Retrieval with Zero-Shot Question Generation, section 2.2,
        https://arxiv.org/abs/2204.07496
    """
    prompts = [tokenizer.encode(f"{passage}\nQuestion:") for passage in passages]
    asked = tokenizer.encode(f" {question}", special_as_text=True)
    scores = continuation_log_likelihoods(model, prompts, [asked] * len(prompts))
    return scores / len(asked)


def rerank(
    ids: Sequence[int], scores: Sequence[float | int] | Float[Tensor, "passage"]
) -> list[int]:
    """Return the passages in the order of new scores, best first; those with equal
    scores stay in their old order.

    Raises:
        ValueError: If there is not one score for each passage.

    >>> rerank([7, 3, 5], [0.1, 0.9, 0.1])
    [3, 7, 5]
    """
    if len(ids) != len(scores):
        raise ValueError(
            f"Each passage needs a score, got {len(ids)} passages and {len(scores)} "
            "scores."
        )
    places = sorted(range(len(ids)), key=lambda place: -float(scores[place]))
    return [ids[place] for place in places]
