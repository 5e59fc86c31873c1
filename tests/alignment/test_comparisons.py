"""From a model's own answers to what a reward model reads, with nothing exchanged on
the way.
"""

import torch

from genai_tutorial.alignment import (
    answer_pairs,
    encode_comparisons,
    encode_question,
    sample_answers,
)
from genai_tutorial.tasks.assistant import Comparison, Question
from genai_tutorial.tokenization import ChatTemplate, train_bpe
from genai_tutorial.transformer import DecoderConfig, DecoderLM

CHAT = ChatTemplate()
TOKENIZER = train_bpe(
    ["What is the capital of Kenya? Nairobi. Lima."],
    300,
    special_tokens=["<|im_start|>", "<|im_end|>"],
)
LONG, SHORT = (
    Question("What is the capital of Kenya? Nairobi or Lima?", "known"),
    Question("Capital?", "known"),
)
MODEL = DecoderLM(
    DecoderConfig.fast(
        TOKENIZER.vocab_size, context_length=128, width=16, layers=1, heads=2
    ),
    seed=0,
)


def sample(questions, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return sample_answers(MODEL, TOKENIZER, CHAT, questions, 3, 5, generator)


def test_each_question_gets_its_answers_in_its_own_place():
    answers = sample([LONG, SHORT, LONG])
    assert [len(given) for given in answers] == [3, 3, 3]
    assert sample([LONG, SHORT, LONG]) == answers != sample([LONG, SHORT, LONG], seed=1)
    swapped = sample(
        [SHORT, LONG, LONG]
    )  # the shorter prompt is answered first wherever it stands
    assert swapped[0] == answers[1]


def test_pairs_are_different_answers_to_the_same_question():
    answers = [["a", "b", "a", "c"], ["x", "x"]]
    pairs = answer_pairs([LONG, SHORT], answers, 9, torch.Generator().manual_seed(0))
    assert sorted(pair[1:] for pair in pairs) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert {pair[0] for pair in pairs} == {LONG}
    some = [
        answer_pairs([LONG], answers[:1], 1, torch.Generator().manual_seed(seed))
        for seed in range(9)
    ]
    assert all(len(drawn) == 1 for drawn in some)
    assert len({drawn[0] for drawn in some}) > 1


def test_comparisons_become_prompts_with_answers_that_begin_with_a_space():
    comparisons = [
        Comparison(SHORT, "Nairobi.", "Lima.", 0),
        Comparison(LONG, "Lima.", "Nairobi. Nairobi.", 1),
    ]
    chosen, chosen_lengths, rejected, rejected_lengths = encode_comparisons(
        CHAT, TOKENIZER, comparisons
    )
    end = TOKENIZER.special_tokens["<|im_end|>"]
    for row, one in enumerate(comparisons):
        prompt = encode_question(CHAT, TOKENIZER, one.question)
        for ids, lengths, answer in (
            (chosen, chosen_lengths, one.chosen),
            (rejected, rejected_lengths, one.rejected),
        ):
            expected = [*prompt, *TOKENIZER.encode(f" {answer}"), end]
            assert ids[row, : lengths[row]].tolist() == expected
