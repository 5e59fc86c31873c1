"""Preference pairs: from a model's sampled answers to the tokens of a reward model's
batches.
"""

import pytest
import torch

from genai_tutorial.alignment import (
    PreferencePair,
    answer_pairs,
    encode_pairs,
    encode_prompt,
    sample_answers,
)
from genai_tutorial.alignment.preferences import length_chunks
from genai_tutorial.tokenization import ChatTemplate, train_bpe
from genai_tutorial.transformer import AttentionConfig, DecoderConfig, DecoderLM

CHAT = ChatTemplate()
TOKENIZER = train_bpe(
    ["What is the capital of Kenya? Nairobi. Lima."],
    300,
    special_tokens=["<|im_start|>", "<|im_end|>"],
)
LONG, SHORT = "What is the capital of Kenya? Nairobi or Lima?", "Capital?"
MODEL = DecoderLM(
    DecoderConfig(
        TOKENIZER.vocab_size,
        context_length=128,
        width=16,
        layers=1,
        attention=AttentionConfig(heads=2),
    ),
    seed=0,
)


def sample(prompts, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return sample_answers(MODEL, TOKENIZER, CHAT, prompts, 3, 5, generator)


def test_sample_answers_keeps_the_order_of_the_prompts():
    answers = sample([LONG, SHORT, LONG])
    assert [len(samples) for samples in answers] == [3, 3, 3]
    assert sample([LONG, SHORT, LONG]) == answers != sample([LONG, SHORT, LONG], seed=1)
    # The shorter prompt is answered first, wherever it is in the list.
    swapped = sample([SHORT, LONG, LONG])
    assert swapped[0] == answers[1]


def test_answer_pairs_are_different_answers_to_the_same_prompt():
    answers = [["a", "b", "a", "c"], ["x", "x"]]
    pairs = answer_pairs([LONG, SHORT], answers, 9, torch.Generator().manual_seed(0))
    assert sorted(pair[1:] for pair in pairs) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert {pair[0] for pair in pairs} == {LONG}
    single_pairs = [
        answer_pairs([LONG], answers[:1], 1, torch.Generator().manual_seed(seed))
        for seed in range(9)
    ]
    assert all(len(drawn) == 1 for drawn in single_pairs)
    assert len({drawn[0] for drawn in single_pairs}) > 1


def test_encode_pairs_puts_each_answer_behind_its_prompt_and_a_space():
    pairs = [
        PreferencePair(SHORT, "Nairobi.", "Lima."),
        PreferencePair(LONG, "Lima.", "Nairobi. Nairobi."),
    ]
    encoded = encode_pairs(CHAT, TOKENIZER, pairs)
    end = TOKENIZER.special_tokens["<|im_end|>"]
    for row, pair in enumerate(pairs):
        prompt = encode_prompt(CHAT, TOKENIZER, pair.prompt)
        for side, answer in (
            (encoded.chosen, pair.chosen),
            (encoded.rejected, pair.rejected),
        ):
            expected = [*prompt, *TOKENIZER.encode(f" {answer}"), end]
            assert side.ids[row, : side.lengths[row]].tolist() == expected
            assert side.is_answer[row].sum() == len(expected) - len(prompt)


def test_encoded_pairs_tensors_are_chosen_before_rejected():
    encoded = encode_pairs(CHAT, TOKENIZER, [PreferencePair(SHORT, "Lima.", "Kenya.")])
    chosen_ids, chosen_lengths, rejected_ids, rejected_lengths = encoded.tensors
    assert "Lima" in TOKENIZER.decode(chosen_ids[0, : chosen_lengths[0]].tolist())
    assert "Kenya" in TOKENIZER.decode(rejected_ids[0, : rejected_lengths[0]].tolist())


def test_encode_pairs_refuses_an_empty_list():
    with pytest.raises(ValueError, match="at least one example"):
        encode_pairs(CHAT, TOKENIZER, [])


@pytest.mark.parametrize("count", [1, 3, 7, 50])
def test_length_chunks_split_all_rows_by_length(count):
    lengths = torch.tensor([5, 3, 9, 3, 7, 1, 4])
    chunks = length_chunks(lengths, count)
    assert len(chunks) == min(count, 7)
    assert sorted(torch.cat(chunks).tolist()) == list(range(7))
    assert lengths[torch.cat(chunks)].tolist() == [1, 3, 3, 4, 5, 7, 9]
