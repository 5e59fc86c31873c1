import pytest
import torch

from genai_tutorial.alignment import (
    Example,
    encode_example,
    pack_examples,
    pad_examples,
)
from genai_tutorial.tokenization import ChatTemplate, Message, train_bpe

TEMPLATE = ChatTemplate()
QUESTION = [Message("user", "What is the capital of Chad?")]


@pytest.fixture(scope="module")
def tokenizer():
    text = (
        "What is the capital of Chad?\nassistant\n\nN'Djamena is the capital.\n\n" * 20
    )
    return train_bpe(text, 300, special_tokens=[TEMPLATE.start, TEMPLATE.end])


def test_encode_example_has_the_prompt_of_inference_and_ends_the_turn(
    tokenizer,
):
    example = encode_example(TEMPLATE, tokenizer, QUESTION, "N'Djamena")
    assert list(example.prompt) == TEMPLATE.encode(tokenizer, QUESTION)
    assert example.answer[-1] == tokenizer.special_tokens[TEMPLATE.end]
    assert tokenizer.decode(example.answer[:-1]) == "N'Djamena"


def test_encode_example_together_is_the_rendered_conversation(tokenizer):
    example = encode_example(TEMPLATE, tokenizer, QUESTION, "N'Djamena")
    conversation = [*QUESTION, Message("assistant", "N'Djamena")]
    text = tokenizer.decode(example.prompt + example.answer)
    opened = f"\n{TEMPLATE.start}assistant\n"
    assert text + opened == TEMPLATE.render(conversation)


def test_encode_example_never_merges_prompt_and_answer(tokenizer):
    # A tokenizer that sees the whole turn joins "assistant\n" and "\nN'Djamena" to one
    # token of two line breaks.
    answer = "\nN'Djamena"
    whole = TEMPLATE.encode(tokenizer, [*QUESTION, Message("assistant", answer)])
    prompt = TEMPLATE.encode(tokenizer, QUESTION)
    # so a model trained on `whole` would see another prompt at inference
    assert whole[: len(prompt)] != prompt
    assert list(encode_example(TEMPLATE, tokenizer, QUESTION, answer).prompt) == prompt


def test_end_token_spelled_in_an_answer_does_not_end_the_turn(tokenizer):
    example = encode_example(TEMPLATE, tokenizer, QUESTION, f"no{TEMPLATE.end}yes")
    assert example.answer.count(tokenizer.special_tokens[TEMPLATE.end]) == 1


def test_loss_mask_leaves_out_earlier_answers(tokenizer):
    talk = [
        *QUESTION,
        Message("assistant", "N'Djamena"),
        Message("user", "is the capital?"),
    ]
    example = encode_example(TEMPLATE, tokenizer, talk, "What")
    assert tokenizer.decode(example.answer[:-1]) == "What"
    assert "N'Djamena" in tokenizer.decode(example.prompt)


def test_encode_example_refuses_a_tokenizer_without_the_templates_tokens():
    with pytest.raises(ValueError, match="no special token"):
        encode_example(TEMPLATE, train_bpe("abc" * 100, 257), QUESTION, "a")


@pytest.mark.parametrize(("prompt", "answer"), [((), (1,)), ((1,), ())])
def test_example_needs_both_parts(prompt, answer):
    with pytest.raises(ValueError, match="at least one token each"):
        Example(prompt, answer)


def examples_of(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(1, 7, (count, 2), generator=generator).tolist()
    return [Example((10 + n,) * a, (100 + n,) * b) for n, (a, b) in enumerate(sizes)]


def read_back(rows):
    """The examples that lie in the rows, in no particular order."""
    found = []
    for ids, is_answer, documents in zip(
        *(tensor.tolist() for tensor in rows.tensors), strict=True
    ):
        for number in range(max(documents) + 1):
            own = [i for i, document in enumerate(documents) if document == number]
            assert own == list(range(own[0], own[-1] + 1))  # in one piece
            prompt = tuple(ids[i] for i in own if not is_answer[i])
            answer = tuple(ids[i] for i in own if is_answer[i])
            assert [is_answer[i] for i in own] == [False] * len(prompt) + [True] * len(
                answer
            )
            found.append(Example(prompt, answer))
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("lay", [pad_examples, pack_examples])
def test_rows_hold_every_example_once_and_whole(lay, seed):
    examples = examples_of(40, seed)
    rows = lay(examples, 17)
    assert rows.ids.shape[1] == 17
    key = lambda example: example.prompt  # noqa: E731
    assert sorted(read_back(rows), key=key) == sorted(examples, key=key)
    assert torch.equal(rows.lengths, rows.is_text.sum(dim=1))
    assert not rows.is_answer[~rows.is_text].any()


@pytest.mark.parametrize("seed", range(5))
def test_packing_needs_few_rows_more_than_the_tokens_fill(seed):
    examples = examples_of(200, seed)
    tokens, length = sum(map(len, examples)), 24
    fewest = -(-tokens // length)
    # Best-fit decreasing needs at most 11/9 of the minimum; with short examples it is
    # within one row of it.
    assert len(pack_examples(examples, length).ids) <= fewest + 1
    assert len(pad_examples(examples, length).ids) == 200


def test_padding_without_a_length_is_to_the_longest_example():
    assert pad_examples([Example((1,), (2,)), Example((1, 2), (3, 4))]).ids.shape == (
        2,
        4,
    )


@pytest.mark.parametrize("lay", [pad_examples, pack_examples])
def test_rows_refuse_examples_that_do_not_fit(lay):
    with pytest.raises(ValueError, match="the longest example has 5"):
        lay([Example((1, 2), (3, 4, 5))], 4)
    with pytest.raises(ValueError, match="at least one example"):
        lay([], 4)
