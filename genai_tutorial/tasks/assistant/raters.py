"""Simulated raters with the gold rule, individual tastes and noise, the comparisons
that they make, and probes of what a reward model has learned from these; then an arena
of twelve assistants, with votes drawn from the probabilities that a rater prefers one.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.alignment import PreferencePair
from genai_tutorial.data import Fact
from genai_tutorial.generation import generate_rollouts
from genai_tutorial.tasks import in_random_order, pick
from genai_tutorial.tokenization import BPETokenizer, Message
from genai_tutorial.transformer import DecoderLM

from .demonstrations import CHAT, DECLINING_ANSWERS, MAX_ANSWER_TOKENS, THANKS
from .gold_rule import GoldRule, courtesies, words
from .measures import baseline_answers, chat_answers
from .questions import Question, QuestionKind, answer_sentence

# in units of the gold score: the noise of choices, and the deviation of the tastes
TEMPERATURE, SPREAD = 0.5, 0.2
# words and courtesies up to which a taste for them grows
LONGEST_COUNTED, MOST_COURTESIES = 60, 10


@dataclass(frozen=True)
class Rater:
    """A simulated rater, who prefers one of two answers by the Bradley-Terry model.

    The probability of preferring a is sigmoid((u(a) - u(b)) / TEMPERATURE), where u is
    the gold score plus the rater's taste. Sometimes the rater does not look and tosses
    a coin. Source: Bradley and Terry (1952), https://doi.org/10.2307/2334029.

    Attributes:
        length: The worth of ten more words.
        politeness: The worth of each courtesy.
        certainty: The worth of a claim, right or wrong.
        carelessness: The share of comparisons decided by a coin toss.
    """

    rule: GoldRule
    length: float | int = 0
    politeness: float | int = 0
    certainty: float | int = 0
    carelessness: float | int = 0

    def utility(self, question: Question, answer: str) -> float:
        """Return the worth of an answer to this rater: the gold score plus taste."""
        taste = self.length * min(words(answer), LONGEST_COUNTED) / 10
        taste += self.politeness * min(courtesies(answer), MOST_COURTESIES)
        taste += self.certainty * (
            self.rule.response_type(question, answer) == "claims"
        )
        return self.rule.score(question, answer) + taste

    def probability(self, question: Question, a: str, b: str) -> float:
        """Return the probability that this rater prefers a to b."""
        difference = self.utility(question, a) - self.utility(question, b)
        # the sigmoid, which cannot overflow
        looked = (1 + math.tanh(difference / TEMPERATURE / 2)) / 2
        return (1 - self.carelessness) * looked + self.carelessness / 2

    def prefer(
        self, question: Question, a: str, b: str, generator: torch.Generator
    ) -> tuple[str, str]:
        """Draw which of two answers the rater prefers; return it before the other."""
        chance = torch.rand((), generator=generator, dtype=torch.float64).item()
        return (a, b) if chance < self.probability(question, a, b) else (b, a)


def random_raters(n: int, rule: GoldRule, seed: int) -> list[Rater]:
    """Draw raters whose tastes differ, normally distributed around 0.

    The standard deviation is 0.2 for certainty and for each courtesy, and half of it
    for ten words. One comparison in fifty is decided by a coin toss.
    """
    tastes = SPREAD * torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))
    return [
        Rater(
            rule,
            length=length / 2,
            politeness=politeness,
            certainty=certainty,
            carelessness=0.02,
        )
        for length, politeness, certainty in tastes.tolist()
    ]


def rater_agreement(
    first: Rater, second: Rater, pairs: Iterable[tuple[Question, str, str]]
) -> float:
    """Return the expected share of pairs in which two raters prefer the same answer,
    from their probabilities.
    """
    rates = []
    for question, a, b in pairs:
        p, q = (first.probability(question, a, b), second.probability(question, a, b))
        rates.append(p * q + (1 - p) * (1 - q))
    if not rates:
        raise ValueError("Agreement needs at least one pair of answers, got none")
    return sum(rates) / len(rates)


@dataclass(frozen=True)
class Comparison:
    """A comparison of two answers by one rater, who has a number."""

    question: Question
    chosen: str
    rejected: str
    rater: int

    @property
    def pair(self) -> PreferencePair:
        """The texts alone: what a reward model is trained on."""
        return PreferencePair(self.question.text, self.chosen, self.rejected)


def collect_comparisons(
    pairs: Sequence[tuple[Question, str, str]],
    raters: Sequence[Rater],
    budget: int,
    seed: int,
) -> tuple[Comparison, ...]:
    """Collect comparisons: each shows one pair of answers to one random rater.

    No pair is shown twice before all have been shown once. The order of the two answers
    is random too.

    Raises:
        ValueError: If there are no pairs or raters, or the budget is below 1.
    """
    if not pairs or not raters or budget < 1:
        raise ValueError(
            "Comparing needs pairs, raters and a budget of at least 1, got "
            f"{len(pairs)}, {len(raters)} and {budget}"
        )
    generator = torch.Generator().manual_seed(seed)
    rounds = math.ceil(budget / len(pairs))
    shown = torch.cat(
        [torch.randperm(len(pairs), generator=generator) for _ in range(rounds)]
    )[:budget].tolist()
    asked = torch.randint(len(raters), (budget,), generator=generator).tolist()
    turned = torch.randint(2, (budget,), generator=generator).tolist()
    comparisons = []
    for index, number, turn in zip(shown, asked, turned, strict=True):
        question, *answers = pairs[index]
        a, b = answers[::-1] if turn else answers
        chosen, rejected = raters[number].prefer(question, a, b, generator)
        comparisons.append(Comparison(question, chosen, rejected, number))
    return tuple(comparisons)


def contrasting_answers(
    questions: Sequence[Question], facts: Sequence[Fact], seed: int
) -> list[list[str]]:
    """Return answers to each question that the assistant rarely gives, so that raters
    see them too: two that decline, and a made-up claim if the question has no answer.

    Args:
        facts: The source of the claims: other facts of the same relation, or any fact
            if the question has no relation.
    """
    generator = torch.Generator().manual_seed(seed)
    return [
        [*DECLINING_ANSWERS]
        if question.answer is not None
        else [*DECLINING_ANSWERS, wrong_claim(question, facts, generator)]
        for question in questions
    ]


def wrong_claim(
    question: Question, facts: Sequence[Fact], generator: torch.Generator
) -> str:
    """Draw a claim that does not answer the question: another fact's answer."""
    possible = [
        fact
        for fact in facts
        if question.relation in (None, fact.relation) and fact.answer != question.answer
    ]
    fact = pick(possible, generator)
    if question.relation is None:
        return f"{fact.phrase}."
    return f"{answer_sentence(replace(question, answer=fact.answer))}."


def split_by_question(
    comparisons: Sequence[Comparison], held_out: float, seed: int = 0
) -> tuple[tuple[Comparison, ...], tuple[Comparison, ...]]:
    """Split comparisons into training and held-out ones that share no question.

    A random split of the comparisons would leak: most held-out comparisons would be
    about answers that the reward model has seen judged.

    Raises:
        ValueError: If one of the two parts would be empty.
    """
    texts = list(dict.fromkeys(one.question.text for one in comparisons))
    count = round(held_out * len(texts))
    if not 0 < count < len(texts):
        raise ValueError(
            f"A share of {held_out} of {len(texts)} questions leaves one part empty"
        )
    apart = set(in_random_order(texts, torch.Generator().manual_seed(seed))[:count])
    return (
        tuple(one for one in comparisons if one.question.text not in apart),
        tuple(one for one in comparisons if one.question.text in apart),
    )


def preference_probes(
    facts: Sequence[Fact], questions: Sequence[Question], seed: int = 0
) -> dict[str, list[PreferencePair]]:
    """Make pairs that differ in one respect, for each of eight respects.

    Args:
        facts: The source of incorrect answers, which belong to other facts of the same
            relation.
        questions: Those of the kinds known, invented and private are used.

    Raises:
        ValueError: If a question of kind known has no answer.

    Returns:
        Pairs by the name of what they test, with the better answer as `chosen`.
    """
    generator = torch.Generator().manual_seed(seed)
    answers: dict[str, Callable[[Question], str]] = {
        "right": lambda question: f"{answer_sentence(question)}.",
        "wrong": lambda question: wrong_claim(question, facts, generator),
        "thankful": lambda question: f"{answer_sentence(question)}. {THANKS}",
        "abstaining": lambda question: DECLINING_ANSWERS[0],
        "refusing": lambda question: DECLINING_ANSWERS[1],
    }
    probes: dict[str, tuple[QuestionKind, str, str]] = {
        "real: right fact or wrong fact": ("known", "right", "wrong"),
        "real: right fact or not knowing": ("known", "right", "abstaining"),
        "real: not knowing or wrong fact": ("known", "abstaining", "wrong"),
        "real: right fact or refusing": ("known", "right", "refusing"),
        "invented: not knowing or a claim": ("invented", "abstaining", "wrong"),
        "private: refusing or a claim": ("private", "refusing", "wrong"),
        "private: refusing or not knowing": ("private", "refusing", "abstaining"),
        "real: with thanks or without": ("known", "thankful", "right"),
    }
    return {
        name: [
            PreferencePair(
                question.text, answers[better](question), answers[worse](question)
            )
            for question in questions
            if question.kind == kind
        ]
        for name, (kind, better, worse) in probes.items()
    }


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
