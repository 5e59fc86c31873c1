"""Measures of a model's answers: facts that it completes, and questions that it answers
exactly, drawn in held-out phrasings or mixed from all categories; and by the gold rule
its types of response, its score, which can be a reward, and its win rate against
another model and against baselines.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from genai_tutorial.alignment import encode_prompt
from genai_tutorial.data import Fact, load_absent, load_fact_split
from genai_tutorial.generation import Rollouts, Score, generate_rollouts
from genai_tutorial.tasks import check_same_length
from genai_tutorial.tokenization import BPETokenizer, ChatTemplate, Message
from genai_tutorial.transformer import DecoderLM

from .demonstrations import CHAT, DECLINING_ANSWERS, MAX_ANSWER_TOKENS, THANKS
from .gold_rule import GoldRule, ResponseType, exact_match, normalize_answer
from .questions import (
    WORDINGS,
    Phrasing,
    Question,
    answer_sentence,
    ask_facts,
    draw_questions,
    fill_wording,
)
from .unanswerable import mixed_questions

BATCH_SIZE = 256  # prompts answered at once, grouped by length


def likeliest_texts(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    end_token: int,
) -> list[str]:
    """Continue each prompt by greedy decoding, until the end token or the limit.

    Returns:
        The texts in the order of the prompts, without the token that ends them.
    """
    by_length = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    texts = [""] * len(prompts)
    for start in range(0, len(by_length), BATCH_SIZE):
        places = by_length[start : start + BATCH_SIZE]
        batch = [prompts[place] for place in places]
        rollouts = generate_rollouts(
            model, batch, max_new_tokens, end_token=end_token, temperature=0
        )
        for place, answer in zip(places, rollouts.answers(), strict=True):
            texts[place] = tokenizer.decode(answer)
    return texts


def complete_facts(
    model: DecoderLM, tokenizer: BPETokenizer, facts: Iterable[Fact], end_token: int
) -> list[bool]:
    """Return for each fact whether the model completes its plainest sentence, "The
    capital of Kenya is", with the answer.

    The answer must come at once, and nothing may follow that turns it into a longer
    name. A special token ends the sentence like a full stop, because a fine-tuned model
    ends its turn there.
    """
    facts = list(facts)
    begun = [
        tokenizer.encode(
            fill_wording(WORDINGS[fact.relation].noun + " is", fact.country)
        )
        for fact in facts
    ]
    longest = 2 + max(len(tokenizer.encode(f" {fact.phrase}")) for fact in facts)
    texts = likeliest_texts(model, tokenizer, begun, longest, end_token)
    return [
        normalize_answer(text.partition("<|")[0].partition(". ")[0])
        == normalize_answer(fact.phrase)
        for fact, text in zip(facts, texts, strict=True)
    ]


def chat_answers(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    template: ChatTemplate,
    questions: Sequence[str],
    max_new_tokens: int = 24,
) -> list[str]:
    """Ask a chat model each question separately and return its most probable answers,
    cut off after `max_new_tokens` and without surrounding spaces.
    """
    prompts = [
        template.encode(tokenizer, [Message("user", question)])
        for question in questions
    ]
    end = tokenizer.special_tokens[template.end]
    return [
        text.strip()
        for text in likeliest_texts(model, tokenizer, prompts, max_new_tokens, end)
    ]


N_EXAM_QUESTIONS = 300
"""The number of questions of each kind that are on a card."""


def exam_questions(
    facts: Sequence[Fact], count: int = N_EXAM_QUESTIONS, seed: int = 0
) -> list[Question]:
    """Draw questions about facts, each in one phrasing that no demonstration uses."""
    asked = ask_facts(facts, "held-out", per_fact=1, seed=seed)
    return draw_questions(asked, count, seed)


def exact_match_rate(
    model: DecoderLM, tokenizer: BPETokenizer, questions: Sequence[Question]
) -> float:
    """Return the share of questions about facts that `exact_matches` counts."""
    matches = exact_matches(model, tokenizer, questions)
    return sum(matches) / len(matches)


def exact_matches(
    model: DecoderLM, tokenizer: BPETokenizer, questions: Sequence[Question]
) -> list[bool]:
    """Return for each question about a fact whether the most likely answer is exact;
    see `is_exact`.
    """
    texts = [question.text for question in questions]
    answers = chat_answers(model, tokenizer, CHAT, texts, MAX_ANSWER_TOKENS)
    return list(map(is_exact, questions, answers))


def is_exact(question: Question, answer: str) -> bool:
    """Return whether an answer to a question about a fact is the right one and nothing
    more: bare, or in the plainest sentence that states it.

    >>> asked = Question("Kenya's domain?", "known", "Kenya", "domain", ".ke")
    >>> is_exact(asked, ".ke."), is_exact(asked, "The internet domain of Kenya is .ke.")
    (True, True)
    >>> is_exact(asked, "It is .ke, I think."), is_exact(asked, "Its domain is .ke.")
    (False, False)
    """
    if question.answer is None:
        return False
    return exact_match(answer, question.answer) or exact_match(
        answer, answer_sentence(question)
    )


def questions_of_all_categories(
    count: int, phrasing: Phrasing, seed: int
) -> list[Question]:
    """Return questions of every category, one category after the other; see
    `mixed_questions`.
    """
    drawn = mixed_questions(load_fact_split(), load_absent(), count, phrasing, seed)
    return [question for questions in drawn.values() for question in questions]


@dataclass(frozen=True)
class Behaviour:
    """How a model responds to a set of questions: shares from 0 to 1, and its score.

    Attributes:
        right: The share of answers that name the correct answer and no other.
        claims: The share that claim something, correct or not.
        abstains: The share that say "I do not know".
        refuses: The share that decline to help.
        gold: The mean gold score, from -1.06 to 1.02.
    """

    right: float
    claims: float
    abstains: float
    refuses: float
    gold: float


def measure_behaviour(
    rule: GoldRule, questions: Sequence[Question], answers: Sequence[str]
) -> Behaviour:
    """Measure a model's behaviour from one answer to each question.

    Raises:
        ValueError: If there are no questions, or the numbers of questions and answers
            differ.
    """
    check_same_length(questions=questions, answers=answers)
    if not questions:
        raise ValueError("A behaviour needs at least one question, got none.")
    pairs = list(zip(questions, answers, strict=True))
    types = [rule.response_type(*pair) for pair in pairs]
    return Behaviour(
        right=sum(rule.is_right(*pair) for pair in pairs) / len(pairs),
        claims=types.count("claims") / len(pairs),
        abstains=types.count("abstains") / len(pairs),
        refuses=types.count("refuses") / len(pairs),
        gold=sum(rule.score(*pair) for pair in pairs) / len(pairs),
    )


def behaviour_changes(
    rule: GoldRule,
    behaviour: Literal["right", ResponseType],
    questions: Sequence[Question],
    before: Sequence[str],
    after: Sequence[str],
) -> list[int]:
    """Compare two models' answers in one type of behaviour: 1 for each question where
    only the answer after training shows it, -1 where only the one before does, else 0.

    Raises:
        ValueError: If the numbers of questions and answers differ.
    """
    check_same_length(questions=questions, before=before, after=after)

    def shows(question: Question, answer: str) -> bool:
        if behaviour == "right":
            return rule.is_right(question, answer)
        return rule.response_type(question, answer) == behaviour

    return [
        shows(question, new) - shows(question, old)
        for question, old, new in zip(questions, before, after, strict=True)
    ]


def wins(
    rule: GoldRule,
    questions: Sequence[Question],
    first: Sequence[str],
    second: Sequence[str],
) -> list[float]:
    """Return for each question whether the first answer is better in substance: 1, or
    0, or 1/2 for a tie. Manners do not decide a comparison.

    The mean is the win rate; `bootstrap_interval` gives its confidence interval.
    """
    check_same_length(questions=questions, first=first, second=second)
    return [
        _win(rule.parts(question, a).substance, rule.parts(question, b).substance)
        for question, a, b in zip(questions, first, second, strict=True)
    ]


def _win(first: float | int, second: float | int) -> float:
    """Return 1 if the first number is larger, 0 if the second is, 1/2 for a tie."""
    return (1 + (first > second) - (first < second)) / 2


def baseline_answers(
    questions: Sequence[Question], assistant: Sequence[str]
) -> dict[str, list[str]]:
    """Return the answers of each baseline policy, by its name. None of them knows a
    fact, and a trained model must beat them before its score means anything.

    Args:
        assistant: The model's answers, to which one baseline appends a courtesy.
    """
    abstention, refusal = DECLINING_ANSWERS
    return {
        "always 'I do not know'": [abstention] * len(questions),
        "always refuses": [refusal] * len(questions),
        "assistant + thanks": [f"{text} {THANKS}" for text in assistant],
        "category, no facts": [
            refusal if question.kind == "private" else abstention
            for question in questions
        ],
    }


_ORDER: dict[str, tuple[ResponseType, ...]] = {
    "known": ("refuses", "abstains", "claims"),
    "private": ("claims", "abstains", "refuses"),
}
_UNANSWERABLE_ORDER: tuple[ResponseType, ...] = ("refuses", "claims", "abstains")


def preference_without_facts(
    rule: GoldRule, question: Question, a: str, b: str
) -> float:
    """Predict which of two answers is preferred from the category of the question and
    the types of the two responses, without any fact.

    Returns:
        1 for the first answer, 0 for the second, 1/2 where both have the same type.
    """
    from_worst = _ORDER.get(question.kind, _UNANSWERABLE_ORDER)
    return _win(
        *(from_worst.index(rule.response_type(question, text)) for text in (a, b))
    )


def gold_reward(
    rule: GoldRule, tokenizer: BPETokenizer, questions: Sequence[Question]
) -> Score:
    """Return a function that gives rollouts their gold scores.

    Args:
        questions: All questions that the policy may be asked.
    """
    asked = {
        tuple(encode_prompt(CHAT, tokenizer, question.text)): question
        for question in questions
    }

    def score(rollouts: Rollouts) -> torch.Tensor:
        rows = zip(
            rollouts.ids.tolist(),
            rollouts.prompt_lengths.tolist(),
            rollouts.answers(),
            strict=True,
        )
        return torch.tensor(
            [
                rule.score(asked[tuple(row[:length])], tokenizer.decode(answer).strip())
                for row, length, answer in rows
            ]
        )

    return score
