"""An exam with four options for each question, and the scores of options by a language
model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.data import load_fact_split, load_facts
from genai_tutorial.generation import option_log_likelihoods
from genai_tutorial.tasks import in_random_order
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderLM

from .questions import WORDINGS, Question, ask_facts, fill_wording

LETTERS = "ABCD"
RELATIONS = ("capital", "currency", "region", "domain", "nationality")


@dataclass(frozen=True)
class ChoiceItem:
    """A question about a fact with four options.

    Attributes:
        options: The correct answer and three answers of other countries.
        place: The number of the correct option, from 0 to 3.
    """

    question: Question
    options: tuple[str, ...]
    place: int

    @property
    def lettered(self) -> str:
        """The question with its options under letters, as in a printed exam."""
        lines = [f"Question: {self.question.text}"]
        lines += [f"{a}. {o}" for a, o in zip(LETTERS, self.options, strict=True)]
        return "\n".join(lines) + "\nAnswer:"

    @property
    def begun(self) -> str:
        """The beginning of a sentence that an option completes."""
        noun = WORDINGS[self.question.relation or ""].noun
        return fill_wording(noun + " is", self.question.country)


def choice_exam(count: int, seed: int) -> list[ChoiceItem]:
    """Draw an exam about facts that the book's assistants were taught or have read,
    with questions in held-out phrasings. The incorrect options are the answers of other
    countries, and the correct option's place is random.

    Raises:
        ValueError: If there are not so many facts.
    """
    generator = torch.Generator().manual_seed(seed)
    split = load_fact_split()
    facts = [fact for fact in split.taught + split.told if fact.relation in RELATIONS]
    if not 1 <= count <= len(facts):
        raise ValueError(f"An exam has 1 to {len(facts)} questions, got {count}.")
    facts = in_random_order(facts, generator)[:count]
    answers = {
        name: sorted({fact.answer for fact in load_facts() if fact.relation == name})
        for name in RELATIONS
    }
    items = []
    for question in ask_facts(facts, "held-out", per_fact=1, seed=seed):
        others = [a for a in answers[question.relation or ""] if a != question.answer]
        options = [question.answer or "", *in_random_order(others, generator)[:3]]
        options = in_random_order(options, generator)
        place = options.index(question.answer or "")
        items.append(ChoiceItem(question, tuple(options), place))
    return items


def score_options(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    prompt: Sequence[int],
    options: Sequence[str],
    unconditional: Sequence[int],
) -> dict[str, Float[Tensor, "option"]]:
    r"""Score each option as a continuation of a prompt, by the name of the score.

    The scores are the log-likelihood, the same per token and per character, and minus
    the log-likelihood after a prompt without a question. The highest is the answer.

    Args:
        unconditional: The prompt without the question, such as "Answer:".

    Source: Brown et al. (2020), Language Models are Few-Shot Learners, section 2.4,
        https://arxiv.org/abs/2005.14165; the division by characters is that of
        lm-evaluation-harness.
    """
    encoded = [tokenizer.encode(f" {option}") for option in options]
    total, alone = (
        option_log_likelihoods(model, [text], encoded)[0].double()
        for text in (prompt, unconditional)
    )
    return {
        "sum": total,
        "per token": total / torch.tensor([len(tokens) for tokens in encoded]),
        "per character": total / torch.tensor([len(option) for option in options]),
        "minus unconditional": total - alone,
    }
