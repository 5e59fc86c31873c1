"""One ranking from several, a new order, and one answer from several passages."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderLM

from .grounded import ChatModel, continuation_log_likelihoods, grounded_prompt


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[Hashable]],
) -> dict[Hashable, float]:
    """Return the score of each passage, best first: the sum of 1 / (60 + rank)
    over the rankings that contain it, where the first rank is 1.

    It needs no scores, so the methods' scales do not matter.

    Args:
        rankings: For each method the passages that it found, best first.

    Raises:
        ValueError: If a ranking has a passage twice.

    Source: Cormack, Clarke and Buettcher, Reciprocal Rank Fusion Outperforms Condorcet
        and Individual Rank Learning Methods, https://doi.org/10.1145/1571941.1572114

    >>> fused = reciprocal_rank_fusion([["a", "b", "c"], ["b", "d"]])
    >>> {passage: round(score, 4) for passage, score in fused.items()}
    {'b': 0.0325, 'a': 0.0164, 'd': 0.0161, 'c': 0.0159}
    """
    scores: dict[Hashable, float] = {}
    for ranking in rankings:
        if len(set(ranking)) < len(ranking):
            raise ValueError("A ranking must not have the same passage twice.")
        for rank, passage in enumerate(ranking, start=1):
            scores[passage] = scores.get(passage, 0.0) + 1 / (60 + rank)
    # Sorting is stable: of equals, the one that was found first comes first.
    return dict(sorted(scores.items(), key=lambda pair: -pair[1]))


def late_interaction(
    query: Float[Tensor, "token dim"], passages: Sequence[Float[Tensor, "_ dim"]]
) -> Float[Tensor, "passage"]:
    """Return the mean over the query's tokens of the largest cosine to any token of the
    passage (MaxSim).

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


@dataclass(frozen=True)
class CombinedAnswer:
    """An answer from several parts of a text, and what it cost.

    Attributes:
        partial: The answer after each part: from this part alone with `map_reduce`,
            from all parts so far with `refine`.
    """

    text: str
    partial: tuple[str, ...]
    tokens_read: int


def map_reduce(
    chat: ChatModel, question: str, passages: Sequence[str]
) -> CombinedAnswer:
    """Answer from each passage alone, then from the answers.

    The passages are independent of each other and can be read at the same time; an
    answer that needs two of them together is lost.

    Raises:
        ValueError: If there is no passage.

    Source: Chang et al., BooookScore, section 2 (hierarchical merging),
        https://arxiv.org/abs/2310.00785
    """
    _check(passages)
    requests = [grounded_prompt(question, [passage]) for passage in passages]
    partial = chat.answers(requests)
    requests.append(grounded_prompt(question, partial))
    [text] = chat.answers(requests[-1:])
    return CombinedAnswer(text, tuple(partial), _tokens(chat, requests))


def refine(chat: ChatModel, question: str, passages: Sequence[str]) -> CombinedAnswer:
    """Answer from the first passage, then improve the answer with each further one.

    Raises:
        ValueError: If there is no passage.

    Source: Chang et al., BooookScore, section 2 (incremental updating),
        https://arxiv.org/abs/2310.00785
    """
    _check(passages)
    requests, partial = [], []
    for passage in passages:
        if partial:
            requests.append(refining_prompt(question, passage, partial[-1]))
        else:
            requests.append(grounded_prompt(question, [passage]))
        partial += chat.answers(requests[-1:])
    return CombinedAnswer(partial[-1], tuple(partial), _tokens(chat, requests))


def refining_prompt(question: str, passage: str, answer: str) -> str:
    """Return a request to improve an answer with one more passage."""
    return f"""Here is an answer to a question, and a passage that may correct it.
Passage: {passage}
Answer so far: {answer}
Repeat the answer, or correct it if the passage says otherwise.
Question: {question}"""


def _tokens(chat: ChatModel, requests: Sequence[str]) -> int:
    return sum(len(chat.encode(request)) for request in requests)


def _check(passages: Sequence[str]) -> None:
    if not passages:
        raise ValueError("There is nothing to read: give at least one passage.")


def vote_of_sources(
    answers: Sequence[Hashable | None], sources: Sequence[str]
) -> Hashable | None:
    """Return the answer that most sources give, or None if there is a tie for the first
    place or no source answers.

    A source has one vote, however many of its passages were found: its most frequent
    answer, and the first of equals.

    Args:
        answers: The answer that the model gives from each passage alone; None where it
            gives none.

    Raises:
        ValueError: If there is not one source for each answer.

    Source: Xiang et al., Certifiably Robust RAG against Retrieval Corruption, section 3
        (isolate, then aggregate), https://arxiv.org/abs/2405.15556

    >>> vote_of_sources(["Lima", "Cusco", "Lima"], ["atlas", "forum", "almanac"])
    'Lima'
    >>> vote_of_sources(["Cusco", "Cusco", "Lima"], ["forum", "forum", "atlas"])
    """
    if len(answers) != len(sources):
        raise ValueError(
            f"Each answer needs its source, got {len(answers)} answers and "
            f"{len(sources)} sources."
        )
    by_source: dict[str, list[Hashable]] = {}
    for answer, source in zip(answers, sources, strict=True):
        if answer is not None:
            by_source.setdefault(source, []).append(answer)
    given = by_source.values()
    votes = Counter(Counter(one).most_common(1)[0][0] for one in given).most_common(2)
    if not votes or (len(votes) == 2 and votes[0][1] == votes[1][1]):
        return None
    return votes[0][0]
