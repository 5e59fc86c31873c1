"""Questions about long histories, and scores for tasks on long contexts."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.data import Country, Fact
from genai_tutorial.tasks.assistant import Question
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import AttentionContext, DecoderLM, KVCache

from .needles import LongTask


@dataclass(frozen=True)
class HistoryExam:
    """A long text and questions about it.

    Attributes:
        histories: One history for each country, which begins with its name.
        right: The number of the history that answers each question, from 0.
    """

    countries: tuple[str, ...]
    histories: tuple[str, ...]
    questions: tuple[Question, ...]
    right: tuple[int, ...]


def history_exam(
    countries: Sequence[Country],
    facts: Sequence[Fact],
    histories: int = 8,
    questions: int = 4,
    seed: int = 0,
) -> HistoryExam:
    """Draw histories of the Factbook whose country's year of independence is in them,
    and ask for some of these years.

    Args:
        histories: The number of histories in the text, of about 400 tokens each.

    Raises:
        ValueError: If there are more questions than histories, or too few countries.
    """
    texts = {country.name: country.background for country in countries}
    usable = [
        fact
        for fact in facts
        if fact.relation == "independence"
        and re.search(rf"\b{re.escape(fact.answer)}\b", texts.get(fact.country, ""))
    ]
    if not 1 <= questions <= histories <= len(usable):
        raise ValueError(
            f"questions may be at most histories, and histories at most {len(usable)}; "
            f"got {questions=} and {histories=}."
        )
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(usable), generator=generator)[:histories].tolist()
    drawn = [usable[n] for n in order]
    asked = torch.randperm(histories, generator=generator)[:questions].tolist()
    return HistoryExam(
        tuple(fact.country for fact in drawn),
        tuple(f"{fact.country}: {texts[fact.country]}" for fact in drawn),
        tuple(
            Question(
                f"In which year did {drawn[n].country} become independent?",
                "known",
                drawn[n].country,
                "independence",
                drawn[n].answer,
            )
            for n in asked
        ),
        tuple(asked),
    )


@dataclass(frozen=True)
class TaskScore:
    """A model's continuation of a task's text, compared with the answers.

    Attributes:
        written: For a single answer, the most probable token at each of its positions,
            given the correct tokens before it; for several, the greedy continuation.
        found: The share of the answers that it contains; for a single answer, 1 if it
            begins with it and 0 otherwise.
        log_probability: The log-probability of the first answer, in nats.
        tokens_read: The number of these tokens that were not yet in the cache from the
            task before.
    """

    written: str
    found: float
    log_probability: float
    tokens: int
    tokens_read: int


@torch.no_grad()
def score_tasks(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    tasks: Iterable[LongTask],
    cache: KVCache | None = None,
) -> list[TaskScore]:
    """Let a model continue the text of each task, and compare with the answers.

    A beginning shared with the text before is read only once, so put the deepest needle
    of the same hay first.

    Args:
        cache: The cache to read with, such as a `SinkCache`; None for one that keeps
            everything.
    """
    tasks = list(tasks)
    prompts = [tokenizer.encode(task.prompt) for task in tasks]
    answers = [[tokenizer.encode(one) for one in task.answers] for task in tasks]
    if not tasks:
        return []
    if cache is None:
        longest = max(
            len(prompt) + 2 * sum(map(len, right))
            for prompt, right in zip(prompts, answers, strict=True)
        )
        cache = model.make_cache(1, min(longest, model.config.context_length))
    scores = []
    for task, prompt, right in zip(tasks, prompts, answers, strict=True):
        ids = torch.tensor([prompt], device=model.token_embedding.weight.device)
        cache.keep(ids)
        before = cache.lengths[0]
        logits = model.logits(read_on(model, ids[:, before:], cache)[:, -1:])
        drawn, log_probability = _forced(model, logits, right[0], cache)
        written = tokenizer.decode(drawn)
        if len(right) > 1:
            cache.keep(ids)
            drawn = _greedy(model, ids, 2 * sum(map(len, right)), cache)
            written = tokenizer.decode(drawn)
            found = sum(one.strip() in written for one in task.answers) / len(right)
        else:
            found = float(drawn == right[0])
        read = len(prompt) - before
        scores.append(TaskScore(written, found, log_probability, len(prompt), read))
    return scores


def read_on(
    model: DecoderLM, ids: Int[Tensor, "1 new"], cache: KVCache
) -> Float[Tensor, "1 last width"]:
    """Read more of a text into a cache, in pieces, and return the hidden states of the
    last piece.
    """
    context = AttentionContext.cached(cache)
    for part in ids.split(256, dim=1):
        hidden = model.read(part, context)
    return hidden


def _forced(
    model: DecoderLM, logits: Tensor, answer: Sequence[int], cache: KVCache
) -> tuple[list[int], float]:
    """Return the most probable token at each position of an answer, given the answer
    before it, and the answer's log-probability.
    """
    ids = torch.tensor([answer], device=logits.device)
    if len(answer) > 1:
        rest = read_on(model, ids[:, :-1], cache)
        logits = torch.cat((logits, model.logits(rest)), dim=1)
    log_probs = logits[0].log_softmax(dim=-1)
    drawn = log_probs.argmax(dim=-1).tolist()
    return drawn, log_probs.gather(1, ids[0, :, None]).sum().item()


def _greedy(model: DecoderLM, ids: Tensor, count: int, cache: KVCache) -> list[int]:
    """Return the most probable continuation of a text that is partly in the cache."""
    drawn: list[int] = []
    for _ in range(count):
        unread = ids[:, cache.lengths[0] :]
        logits = model.logits(read_on(model, unread, cache)[:, -1:])
        chosen = logits[:, 0].argmax(dim=-1)
        drawn.append(int(chosen))
        ids = torch.cat((ids, chosen[None]), dim=1)
    return drawn
