"""The questions that test the assistant: about facts in held-out phrasings, and mixed
from all categories.
"""

from collections.abc import Sequence

import torch

from genai_tutorial.data import Fact, load_absent, load_fact_split
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderLM

from .answer_text import exact_match
from .chat_format import CHAT, MAX_ANSWER_TOKENS
from .exams import chat_answers
from .mixed_questions import mixed_questions
from .questions import Question, answer_sentence, ask_facts
from .wordings import Phrasing

N_EXAM_QUESTIONS = 300
"""The number of questions of each kind that are on a card."""


def exam_questions(
    facts: Sequence[Fact], count: int = N_EXAM_QUESTIONS, seed: int = 0
) -> list[Question]:
    """Draw questions about facts, each in one phrasing that no demonstration uses."""
    asked = ask_facts(facts, "held-out", per_fact=1, seed=seed)
    order = torch.randperm(len(asked), generator=torch.Generator().manual_seed(seed))
    return [asked[place] for place in order[:count].tolist()]


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
