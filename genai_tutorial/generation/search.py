"""Search for a better answer than one draw gives: beam search, which keeps the most
probable texts of each length, and test-time compute, which chooses among several
answers to one question, with the number of tokens that they cost.
"""

import math
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.transformer import DecoderLM

from .generate import next_token_logits


@dataclass(frozen=True)
class Hypothesis:
    """A continuation that beam search has found.

    Attributes:
        tokens: The new tokens, the end token included.
        log_prob: The log-probability of the tokens under the model, in nats.
        score: The log-probability divided by the number of tokens to the power of the
            length penalty.
    """

    tokens: tuple[int, ...]
    log_prob: float
    score: float


@torch.no_grad()
def beam_search(
    model: DecoderLM,
    prompt_ids: Sequence[int],
    max_new_tokens: int,
    *,
    beams: int = 4,
    length_penalty: float | int = 1.0,
    end_tokens: Collection[int] = (),
) -> list[Hypothesis]:
    """Return the best finished continuations of one text, best first, at most one per
    beam.

    Each step continues all beams by all tokens and keeps the most probable texts. Those
    among the best that end are finished; the others continue until none of them can
    beat the worst of the finished ones at its present length.

    Args:
        max_new_tokens: Maximum number of new tokens; a text that reaches it is
            finished.
        beams: The number of texts that are kept; 1 is greedy decoding.
        length_penalty: Each text is scored by its log-probability divided by its length
            to this power. A longer text is less probable, so 0 favours short texts, 1
            compares the average per token.
        end_tokens: The tokens that finish a text.

    Raises:
        ValueError: If a number is out of range or the prompt is empty.

    Source: Lowerre, The Harpy speech recognition system (1976); Wu et al., Google's
    neural machine translation system, section 7, https://arxiv.org/abs/1609.08144
    """
    if not len(prompt_ids) or max_new_tokens < 1 or beams < 1:
        raise ValueError(
            "The prompt must have at least one token, and max_new_tokens and beams "
            f"must be at least 1; got {len(prompt_ids)}, {max_new_tokens} and {beams}."
        )
    device = model.token_embedding.weight.device
    running, finished = [Hypothesis((), 0.0, 0.0)], []
    room = min(len(prompt_ids) + max_new_tokens, model.config.context_length)
    cache = model.make_cache(1, room)
    for length in range(1, max_new_tokens + 1):
        ids = torch.tensor(
            [[*prompt_ids, *text.tokens] for text in running], device=device
        )
        log_probs = next_token_logits(model, ids, cache).log_softmax(dim=-1)
        kept = max(2, 1 + len(set(end_tokens))) * beams
        candidates, parents = _continue(running, log_probs, kept, length_penalty)
        ends = [
            text.tokens[-1] in end_tokens or length == max_new_tokens
            for text in candidates
        ]
        ended = [
            text
            for text, end in zip(candidates[:beams], ends[:beams], strict=True)
            if end
        ]
        finished = sorted([*finished, *ended], key=lambda text: -text.score)[:beams]
        going_on = [row for row, end in enumerate(ends) if not end][:beams]
        running = [candidates[row] for row in going_on]
        settled = len(finished) == beams and running
        if not running or (settled and running[0].score <= finished[-1].score):
            break
        cache.select([parents[row] for row in going_on])
    return finished


def _continue(
    running: list[Hypothesis],
    log_probs: Float[Tensor, "beam vocab"],
    count: int,
    length_penalty: float | int,
) -> tuple[list[Hypothesis], list[int]]:
    """Return the most probable continuations by one token, and the beam of each."""
    before = torch.tensor([text.log_prob for text in running]).to(log_probs)
    totals = (before[:, None] + log_probs).flatten()
    values, places = totals.topk(min(count, len(totals)))
    candidates, parents = [], []
    for total, place in zip(values.tolist(), places.tolist(), strict=True):
        if total == -torch.inf:
            break
        parent, token = divmod(place, log_probs.shape[1])
        tokens = (*running[parent].tokens, token)
        score = total / len(tokens) ** length_penalty
        candidates.append(Hypothesis(tokens, total, score))
        parents.append(parent)
    return candidates, parents


@dataclass(frozen=True)
class SampledAnswer:
    """One of several answers to a question.

    Attributes:
        answer: The final answer that was read from the text; None if there was none.
        log_prob: The model's log-probability of the whole text, in nats.
    """

    answer: Hashable | None
    tokens: int
    log_prob: float = 0.0
    text: str = ""


@dataclass(frozen=True)
class ChosenAnswer:
    """The result of a choice among answers.

    Attributes:
        answer: The chosen answer; None if no sample had one.
        tokens: The number of tokens of all samples together, chosen or not.
        weight: The chosen answer's share of all weights: of the votes, if all weigh the
            same.
    """

    answer: Hashable | None
    tokens: int
    weight: float


VoteWeight = Callable[[SampledAnswer], float]
"""A function that gives an answer its weight in a vote or its place in a ranking."""


def weighted_vote(samples: Sequence[SampledAnswer], weight: VoteWeight) -> ChosenAnswer:
    """Choose the answer with the largest sum of weights.

    Samples without an answer do not vote. Of answers with equal sums, the one that was
    written first wins.

    Raises:
        ValueError: If there are no samples, or a weight is negative or not finite.

    Source: Wang et al., Self-Consistency Improves Chain of Thought Reasoning in
        Language Models, section 3 and table 1, https://arxiv.org/abs/2203.11171

    >>> samples = [SampledAnswer(a, 3, p) for a, p in ((7, -1.0), (8, -2.0), (8, -2.0))]
    >>> weighted_vote(samples, lambda sample: 1.0).answer
    8
    >>> weighted_vote(samples, lambda sample: math.exp(sample.log_prob)).answer
    7
    """
    _check_samples(samples)
    sums: dict[Hashable, float] = {}
    for sample in samples:
        if sample.answer is None:
            continue
        vote = weight(sample)
        if not (math.isfinite(vote) and vote >= 0):
            raise ValueError(
                f"A weight must be a number from 0 up, got {vote} for the answer "
                f"{sample.answer!r}."
            )
        sums[sample.answer] = sums.get(sample.answer, 0.0) + vote
    tokens = _tokens(samples)
    if not sums:
        return ChosenAnswer(None, tokens, 0.0)
    best = max(sums, key=sums.__getitem__)  # the first of equals
    total = sum(sums.values())
    return ChosenAnswer(best, tokens, sums[best] / total if total else 0.0)


def self_consistency(samples: Sequence[SampledAnswer]) -> ChosenAnswer:
    """Choose the most frequent answer: a majority vote, in which different ways to the
    same answer count together.

    Raises:
        ValueError: If there are no samples.

    Source: Wang et al., Self-Consistency Improves Chain of Thought Reasoning in
        Language Models, section 2, https://arxiv.org/abs/2203.11171

    >>> self_consistency([SampledAnswer(answer, 3) for answer in (7, 8, None, 8)])
    ChosenAnswer(answer=8, tokens=12, weight=0.6666666666666666)
    """
    return weighted_vote(samples, lambda sample: 1.0)


def best_of_samples(
    samples: Sequence[SampledAnswer], score: VoteWeight
) -> ChosenAnswer:
    """Choose the answer of the sample with the highest score, the first of equals:
    best-of-n.

    Args:
        score: A verifier, a reward model, or the model's own log-probability.

    Raises:
        ValueError: If there are no samples.

    Source: Cobbe et al., Training Verifiers to Solve Math Word Problems, section 4,
        https://arxiv.org/abs/2110.14168

    >>> samples = [SampledAnswer(7, 3), SampledAnswer(9, 4), SampledAnswer(8, 3)]
    >>> best_of_samples(samples, lambda sample: float(sample.answer == 9))
    ChosenAnswer(answer=9, tokens=10, weight=0.3333333333333333)
    """
    _check_samples(samples)
    chosen = max(samples, key=score)
    share = sum(sample.answer == chosen.answer for sample in samples) / len(samples)
    return ChosenAnswer(chosen.answer, _tokens(samples), share)


@dataclass(frozen=True)
class ComputePoint:
    """Accuracy and mean number of tokens per question, for n samples per question."""

    n: int
    accuracy: float
    tokens: float


def accuracy_per_tokens(
    samples: Sequence[Sequence[SampledAnswer]],
    truths: Sequence[Hashable],
    choose: Callable[[Sequence[SampledAnswer]], ChosenAnswer],
    counts: Sequence[int],
) -> list[ComputePoint]:
    """Return accuracy and cost of a way to choose, for several numbers of samples.

    The samples of a question are split into groups of n that do not overlap, and each
    group is one trial.

    Args:
        samples: For each question, equally many samples.
        truths: The correct answer to each question.
        choose: For example `self_consistency`.
        counts: The numbers of samples, each at most the number there is.

    Raises:
        ValueError: If the lengths do not fit together, or a count is out of range.

    >>> samples = [[SampledAnswer(answer, 5) for answer in (1, 2, 1, 1)]]
    >>> for point in accuracy_per_tokens(samples, [1], self_consistency, [1, 4]):
    ...     print(point)
    ComputePoint(n=1, accuracy=0.75, tokens=5.0)
    ComputePoint(n=4, accuracy=1.0, tokens=20.0)
    """
    sizes = {len(row) for row in samples}
    if len(samples) != len(truths) or len(sizes) != 1:
        raise ValueError(
            "Each question needs one truth and equally many samples, got "
            f"{len(samples)} questions, {len(truths)} truths and {sorted(sizes)} "
            "samples."
        )
    there = sizes.pop()
    points = []
    for n in counts:
        if not 1 <= n <= there:
            raise ValueError(
                f"A count must be from 1 to {there}, the number of samples; got {n}."
            )
        trials = [
            (choose(row[start : start + n]), truth)
            for row, truth in zip(samples, truths, strict=True)
            for start in range(0, there - n + 1, n)
        ]
        right = sum(chosen.answer == truth for chosen, truth in trials)
        tokens = sum(chosen.tokens for chosen, _ in trials)
        points.append(ComputePoint(n, right / len(trials), tokens / len(trials)))
    return points


def _check_samples(samples: Sequence[SampledAnswer]) -> None:
    if not samples:
        raise ValueError("There must be at least one sample to choose from, got none.")


def _tokens(samples: Sequence[SampledAnswer]) -> int:
    return sum(sample.tokens for sample in samples)
