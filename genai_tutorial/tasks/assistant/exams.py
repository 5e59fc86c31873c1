"""Tests of a language model's knowledge: facts that it completes, and questions that it
answers, word for word.
"""

from collections.abc import Iterable, Sequence

from genai_tutorial.data import Fact
from genai_tutorial.generation import generate_rollouts
from genai_tutorial.tokenization import BPETokenizer, ChatTemplate, Message
from genai_tutorial.transformer import DecoderLM

from .answer_text import normalize_answer
from .wordings import WORDINGS, fill_wording

BATCH_SIZE = 256
"""The number of prompts answered at once, grouped by length."""


def likeliest_texts(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    end_token: int,
) -> list[str]:
    """Continue each prompt by greedy decoding, until the end token or the limit.

    Args:
        prompts: Token IDs of each prompt.
        max_new_tokens: Maximum number of generated tokens.

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

    Args:
        model: A language model, fine-tuned or not.
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
    """Ask a chat model each question by itself and return its likeliest answers,
    without surrounding spaces.

    Args:
        template: The chat template that it was trained with.
        questions: The user's questions.
        max_new_tokens: The maximum number of tokens in an answer; longer ones are cut
            off.
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
