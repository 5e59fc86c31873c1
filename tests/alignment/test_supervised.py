import dataclasses

import pytest
import torch

from genai_tutorial.alignment import (
    Example,
    answer_steps,
    encode_example,
    entropy,
    masked_mean,
    masked_sum,
    pack_examples,
    pad_examples,
    supervised_loss,
    token_log_probs,
)
from genai_tutorial.alignment.supervised import chosen_log_probs
from genai_tutorial.tokenization import ChatTemplate, Message, train_bpe
from genai_tutorial.training import AdamW, TensorBatches, fit
from genai_tutorial.transformer import (
    AttentionContext,
    DecoderConfig,
    DecoderLM,
    next_token_loss,
)
from tests.alignment.models import (
    CONFIGS,
    FAST,
    GPT2,
    LLAMA,
    Table,
    model_of,
    normal,
    random_ids,
)

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
            assert (*prompt, *answer) == tuple(ids[i] for i in own)
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


@pytest.mark.parametrize("lay", [pad_examples, pack_examples])
def test_rows_refuse_examples_that_do_not_fit(lay):
    with pytest.raises(ValueError, match="the longest example has 5"):
        lay([Example((1, 2), (3, 4, 5))], 4)
    with pytest.raises(ValueError, match="at least one example"):
        lay([], 4)


EXAMPLES = [Example((2, 3, 4), (5, 6)), Example((7,), (8, 9, 1)), Example((3, 3), (1,))]


def test_supervised_loss_without_a_mask_is_the_loss_of_pre_training():
    model, ids = model_of(LLAMA), random_ids(3, 9)
    plain = next_token_loss(model(ids)[:, :-1], ids[:, 1:])
    torch.testing.assert_close(
        supervised_loss(model, ids, torch.ones_like(ids, dtype=torch.bool)), plain
    )


def test_supervised_loss_has_no_gradient_from_predicting_the_prompt():
    # The logits are parameters: a step whose target is a token of the prompt must get a
    # gradient of exactly zero.
    rows = pad_examples(EXAMPLES, 8)
    table = Table(normal(3, 8, 13))
    supervised_loss(table, *rows.tensors).backward()
    scores = table.scores
    learned = torch.nn.functional.pad(rows.is_answer[:, 1:], (0, 1))
    assert not scores.grad[~learned].any()
    # Elsewhere the gradient is that of cross-entropy: probability minus one for the
    # right token.
    expected = scores.detach().softmax(dim=-1)[:, :-1]
    expected = expected - torch.nn.functional.one_hot(rows.ids[:, 1:], 13)
    torch.testing.assert_close(
        scores.grad[learned], expected[learned[:, :-1]] / learned.sum()
    )


def test_supervised_loss_still_depends_on_the_prompt():
    model, rows = model_of(LLAMA), pad_examples(EXAMPLES, 8)
    other = pad_examples([Example((9, 9, 9), e.answer) for e in EXAMPLES], 8)
    loss, changed = (supervised_loss(model, *r.tensors) for r in (rows, other))
    assert abs(loss - changed) > 1e-3


def test_supervised_loss_lets_fit_memorize_answers():
    # After 2 comes 5, after 3 comes 6. The prompts themselves remain unpredictable.
    examples = [Example((2,), (5, 1)), Example((3,), (6, 1))]
    rows = pad_examples(examples)
    model = DecoderLM(DecoderConfig.llama(8, 4, 16, 1, 2, 2, 32))
    batches = TensorBatches(rows.tensors, 2, seed=0)
    optimizer = AdamW(model.parameters(), lr=0.01)
    fit(model, batches, supervised_loss, optimizer, steps=150, progress=False)
    assert supervised_loss(model, *rows.tensors) < 0.01
    assert model(torch.tensor([[2], [3]])).argmax(dim=-1).tolist() == [[5], [6]]


def test_supervised_loss_refuses_an_empty_mask():
    mask = torch.zeros(2, 5, dtype=torch.bool)
    with pytest.raises(ValueError, match="No step of the batch counts"):
        supervised_loss(model_of(LLAMA), random_ids(2, 5), mask)


def test_token_log_probs_of_all_next_tokens_sum_to_one():
    model = model_of(LLAMA)
    ids = torch.cat((random_ids(1, 4).repeat(13, 1), torch.arange(13)[:, None]), dim=1)
    total = token_log_probs(model, ids)[:, -1].exp().sum().item()
    assert total == pytest.approx(1, abs=1e-5)


def test_answer_steps_do_not_cross_from_one_text_to_the_next():
    everything, documents = torch.ones(1, 4).bool(), torch.tensor([[0, 0, 1, 1]])
    assert answer_steps(everything, documents).tolist() == [[True, False, True]]


def test_masked_mean_and_sum_ignore_masked_values():
    numbers = torch.tensor([[1.0, torch.nan], [torch.inf, 3.0]], requires_grad=True)
    mask = torch.tensor([[True, False], [False, True]])
    assert masked_mean(numbers, mask) == 2
    assert masked_sum(numbers, mask).tolist() == [1, 3]
    masked_mean(numbers, mask).backward()
    assert numbers.grad.tolist() == [[0.5, 0], [0, 0.5]]


def test_entropy_equals_torchs():
    logits = 3 * normal(4, 5, 7)
    expected = torch.distributions.Categorical(logits=logits).entropy()
    torch.testing.assert_close(entropy(logits), expected)


def test_entropy_and_log_prob_of_a_certain_token_are_zero():
    logits = torch.tensor([[[0.0, 1e4, 0.0]] * 2])
    assert chosen_log_probs(logits, torch.tensor([[0, 1]])) == 0
    assert entropy(logits).tolist() == [[0, 0]]


ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
SIZES = [(3, 4), (1, 2), (5, 1), (2, 2), (1, 1), (6, 3)]


def examples():
    ids = random_ids(sum(a + b for a, b in SIZES), seed=3).tolist()
    return [
        Example(
            tuple(ids.pop() for _ in range(prompt)),
            tuple(ids.pop() for _ in range(answer)),
        )
        for prompt, answer in SIZES
    ]


def packed(model, ids, documents):
    return model(ids, AttentionContext.packed(documents))


@ALL
def test_packed_examples_get_the_logits_that_they_get_alone(config):
    model = model_of(config)
    rows = pack_examples(examples(), 16)
    logits = packed(model, rows.ids, rows.documents)
    seen = 0
    for ids, documents, found in zip(rows.ids, rows.documents, logits, strict=True):
        for number in range(int(documents.max()) + 1):
            own = documents == number
            alone = model(ids[own][None])[0]
            torch.testing.assert_close(found[own], alone, atol=1e-5, rtol=1e-5)
            seen += 1
    assert seen == len(SIZES) > len(rows.ids)


@ALL
def test_packed_examples_do_not_depend_on_each_other(config):
    model = model_of(config)
    rows = pack_examples(examples(), 16)
    changed = torch.where(rows.documents == 0, (rows.ids + 1) % 13, rows.ids)
    before, after = (packed(model, ids, rows.documents) for ids in (rows.ids, changed))
    others = rows.documents > 0
    # bit for bit: no path leads from one to the other
    assert torch.equal(before[others], after[others])
    assert not torch.allclose(before[rows.documents == 0], after[rows.documents == 0])
    # without the documents there is one
    leaking, leaked = model(rows.ids)[others], model(changed)[others]
    assert not torch.allclose(leaking, leaked, atol=1e-3)


@pytest.mark.parametrize("learned", ["is_answer", "is_text"])
@ALL
def test_packed_and_padded_rows_have_the_same_loss_and_gradient(config, learned):
    model = model_of(config)
    results = []
    for rows in (pad_examples(examples()), pack_examples(examples(), 16)):
        model.zero_grad()
        loss = supervised_loss(model, rows.ids, getattr(rows, learned), rows.documents)
        loss.backward()
        gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        results.append([loss.detach(), *gradients])
    for padded, packed in zip(*results, strict=True):
        torch.testing.assert_close(padded, packed, atol=1e-5, rtol=1e-4)


@ALL
def test_packing_one_text_per_row_changes_nothing(config):
    model, ids = model_of(config), random_ids(2, 12)
    torch.testing.assert_close(
        packed(model, ids, torch.full_like(ids, 7)), model(ids), atol=1e-5, rtol=1e-5
    )


def test_positions_restart_with_each_packed_text():
    # GPT-2 adds a vector for each position, so the same text twice in a row must give
    # the same logits twice.
    model = model_of(GPT2)
    text = random_ids(1, 6)
    documents = torch.tensor([[0] * 6 + [1] * 6])
    logits = packed(model, text.repeat(1, 2), documents)
    torch.testing.assert_close(logits[:, :6], logits[:, 6:])


def test_convolution_may_be_longer_than_a_packed_text():
    # The text is at the very beginning of the row.
    local = dataclasses.replace(FAST.local, convolution_size=5)
    model = model_of(dataclasses.replace(FAST, local=local))
    ids, documents = random_ids(1, 4), torch.tensor([[0, 1, 1, 1]])
    found = packed(model, ids, documents)
    for part in (slice(0, 1), slice(1, 4)):
        alone = model(ids[:, part])
        torch.testing.assert_close(found[:, part], alone, atol=1e-5, rtol=1e-5)
