"""An arena of twelve assistants: their answers, how often each rater prefers one answer
to another, and votes drawn from these probabilities.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.generation import generate_rollouts
from genai_tutorial.tokenization import BPETokenizer, Message
from genai_tutorial.transformer import DecoderLM

from .behaviour import baseline_answers
from .demonstrations import CHAT, MAX_ANSWER_TOKENS
from .exams import chat_answers
from .questions import Question
from .raters import TEMPERATURE, Rater

FILLER = (
    " I hope that this is of help to you, and please do ask me again whenever you like,"
    " about this or about any other country of the world that you may want to know more"
    " about."
)
"""36 words that say nothing."""


def arena_systems(
    models: Mapping[str, DecoderLM],
    tokenizer: BPETokenizer,
    questions: Sequence[Question],
    seed: int,
) -> dict[str, list[str]]:
    """Return the answers of every system, by its name: each model's most probable ones,
    those that the fine-tuned models sample at temperatures 0.7 and 1, four baselines
    without knowledge, and the answers of `sft` with a filler.

    Args:
        models: The models `base`, `sft` and `ppo` of the Factbook.
    """
    texts = [question.text for question in questions]
    systems = {
        name: chat_answers(model, tokenizer, CHAT, texts, MAX_ANSWER_TOKENS)
        for name, model in models.items()
    }
    for name in ("sft", "ppo"):
        for temperature in (0.7, 1.0):
            systems[f"{name}, temperature {temperature}"] = sampled(
                models[name], tokenizer, texts, temperature, seed
            )
    baselines = baseline_answers(questions, systems["sft"])
    baselines["sft + thanks"] = baselines.pop("assistant + thanks")
    wordy = {"sft + filler": [answer + FILLER for answer in systems["sft"]]}
    return systems | baselines | wordy


def sampled(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    texts: Sequence[str],
    temperature: float,
    seed: int,
) -> list[str]:
    """Sample one answer to each question."""
    generator = torch.Generator().manual_seed(seed)
    prompts = [CHAT.encode(tokenizer, [Message("user", text)]) for text in texts]
    rollouts = generate_rollouts(
        model,
        prompts,
        MAX_ANSWER_TOKENS,
        end_token=tokenizer.special_tokens[CHAT.end],
        temperature=temperature,
        generator=generator,
    )
    return [tokenizer.decode(answer).strip() for answer in rollouts.answers()]


def preference_table(
    raters: Sequence[Rater],
    questions: Sequence[Question],
    systems: Mapping[str, Sequence[str]],
) -> Float[Tensor, "rater first second question"]:
    """Return the exact probability that a rater prefers the first system's answer, for
    each rater, pair of systems and question.
    """
    utility = torch.tensor(
        [
            [
                [rater.utility(*pair) for pair in zip(questions, answers, strict=True)]
                for answers in systems.values()
            ]
            for rater in raters
        ],
        dtype=torch.float64,
    )
    careless = torch.tensor([rater.carelessness for rater in raters]).double()
    careless = careless[:, None, None, None]
    looked = ((utility[:, :, None] - utility[:, None]) / TEMPERATURE).sigmoid()
    return (1 - careless) * looked + careless / 2


class Votes(NamedTuple):
    """Votes of raters between two systems' answers to one question.

    Attributes:
        won: 1 if the rater preferred the first system's answer, 0 if the second's.
        question: The number of the question.
    """

    first: Int[Tensor, "vote"]
    second: Int[Tensor, "vote"]
    won: Float[Tensor, "vote"]
    question: Int[Tensor, "vote"]


def draw_votes(
    table: Float[Tensor, "rater first second question"],
    count: int,
    generator: torch.Generator,
) -> Votes:
    """Draw votes, each by a random rater on a random question between two different
    random systems.

    Args:
        table: Probabilities from `preference_table`.
    """
    raters, systems, _, questions = table.shape

    def draw(below: int) -> Tensor:
        return torch.randint(below, (count,), generator=generator)

    first = draw(systems)
    second = (first + 1 + draw(systems - 1)) % systems
    rater, question = draw(raters), draw(questions)
    chance = torch.rand(count, generator=generator, dtype=torch.float64)
    won = (chance < table[rater, first, second, question]).double()
    return Votes(first, second, won, question)
