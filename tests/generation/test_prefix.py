import pytest
import torch

from genai_tutorial.generation import (
    ForbiddenTokens,
    generate,
    generate_all,
    option_log_likelihoods,
    shared_length,
)
from genai_tutorial.generation.prefix import copy_rows, read_prefix, read_rows
from genai_tutorial.transformer import AttentionContext
from tests.alignment.models import CONFIGS, END, LLAMA, model_of

ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
PROMPTS = [[2, 3, 4, 5, 6], [2, 3, 7], [2, 3, 8, 9], [2, 3, 2, 2, 2, 2], [2, 3, 4, 9]]


def alone(model, prompt, new=9):
    answer = generate(
        model, torch.tensor([prompt]), new, temperature=0, stop_tokens=[END]
    )[0, len(prompt) :].tolist()
    return answer[: answer.index(END)] if END in answer else answer


@pytest.mark.parametrize("batch_size", [2, 64])
@ALL
def test_generate_all_answers_each_prompt_as_if_alone(config, batch_size):
    model = model_of(config)
    answers = generate_all(model, PROMPTS, 9, end_tokens=[END], batch_size=batch_size)
    assert answers == [alone(model, prompt) for prompt in PROMPTS]


@ALL
def test_read_rows_after_copied_prefix_equals_whole_texts(config):
    """In double precision, so that an error of the positions cannot hide."""
    model = model_of(config).double()
    cache = copy_rows(read_prefix(model, [2, 3, 4, 5], room=9), 3)
    endings = [[6], [7, 8, 9], [10, 11]]
    states = read_rows(model, cache, endings)
    again = read_rows(model, cache, [[5], [4], [3]])
    for row, (ending, last) in enumerate(zip(endings, (5, 4, 3), strict=True)):
        text = [2, 3, 4, 5, *ending, last]
        with torch.no_grad():
            whole = model.read(torch.tensor([text]))[0]
        found = torch.cat((states[row, : len(ending)], again[row]))
        torch.testing.assert_close(found, whole[4:], atol=1e-12, rtol=0)


def test_copy_rows_leaves_the_prefix_as_it_was():
    model = model_of(LLAMA)
    prefix = read_prefix(model, [2, 3], room=6)
    read_rows(model, copy_rows(prefix, 2), [[4, 5], [6]])
    assert prefix.lengths == [2]
    assert not prefix.keys[:, :, :, 2:].any()


def test_generate_all_reads_the_shared_prefix_once(monkeypatch):
    model, sizes = model_of(LLAMA), []
    read = model.read
    monkeypatch.setattr(
        model,
        "read",
        lambda ids, context: sizes.append(ids.numel()) or read(ids, context),
    )
    prompts = [[*range(2, 12), token] for token in range(2, 12)]
    generate_all(model, prompts, 1)
    assert sum(sizes) == 10 + 10


def test_generate_all_stops_rows_one_by_one():
    model = model_of(LLAMA)
    free = generate_all(model, PROMPTS, 9)
    stopped = generate_all(model, PROMPTS, 9, stop=lambda drawn: len(drawn) >= drawn[0])
    for whole, cut in zip(free, stopped, strict=True):
        assert cut == whole[: len(cut)]
        assert len(cut) == min(9, max(1, whole[0]))


def test_generate_all_samples_the_models_probabilities():
    model, count = model_of(LLAMA), 4000
    answers = generate_all(
        model,
        [[5, 6]] * count,
        1,
        temperature=1.0,
        batch_size=1000,
        generator=torch.Generator().manual_seed(0),
    )
    found = torch.tensor(answers)[:, 0].bincount(minlength=13) / count
    expected = model(torch.tensor([[5, 6]]))[0, -1].softmax(dim=-1)
    deviation = (expected * (1 - expected) / count).sqrt()
    assert ((found - expected).abs() < 4 * deviation).all()


@pytest.mark.parametrize(
    ("prompts", "shared"),
    [
        ([[1, 2, 3]], 2),
        ([[1], [1]], 0),
        ([[1, 2], [2, 2]], 0),
        ([[5, 6, 7], [5, 6]], 1),
    ],
)
def test_shared_length_leaves_a_token_of_each(prompts, shared):
    assert shared_length(prompts) == shared


def test_read_prefix_may_be_empty():
    model = model_of(LLAMA)
    cache = copy_rows(read_prefix(model, [], room=3), 2)
    states = read_rows(model, cache, [[4, 5], [6]])
    whole = model.read(torch.tensor([[4, 5]]), AttentionContext())
    torch.testing.assert_close(states[0], whole[0].detach())


@pytest.mark.parametrize(
    ("prompts", "new", "batch_size", "message"),
    [
        ([], 1, 1, "at least one prompt"),
        ([[1], []], 1, 1, "at least one prompt"),
        ([[1]], 0, 1, "at least 1 token, got 0"),
        ([[1]], 1, 0, "batch_size must be at least 1, got 0"),
        ([[1] * 20], 5, 1, "longest prompt has 20"),
    ],
)
def test_generate_all_refuses(prompts, new, batch_size, message):
    with pytest.raises(ValueError, match=message):
        generate_all(model_of(LLAMA), prompts, new, batch_size=batch_size)


def test_generate_all_follows_the_constraint_of_each_prompt():
    """Each row has its own, also after rows before it have left the batch."""
    model = model_of(LLAMA)
    vocab = model.config.vocab_size
    constraints = [
        ForbiddenTokens([t for t in range(vocab) if t not in (n, END)], vocab)
        for n in range(5, 5 + len(PROMPTS))
    ]
    answers = generate_all(
        model, PROMPTS, 4, end_tokens=[END], constraints=constraints, batch_size=3
    )
    for number, answer in enumerate(answers):
        assert set(answer) <= {5 + number}
    with pytest.raises(ValueError, match="5 prompts and 1 constraints"):
        generate_all(model, PROMPTS, 4, constraints=constraints[:1])


OPTION_ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
OPTION_PROMPTS = [[2, 3, 4, 5], [2, 3, 7], [2, 3, 8, 9, 10], [2, 3, 4, 5]]
OPTIONS = [[4], [5], [6, 7], [6, 8], [9, 10, 11]]


def by_hand(model, prompt, option):
    ids = torch.tensor([[*prompt, *option]])
    with torch.no_grad():
        log_probs = model(ids)[0].log_softmax(dim=-1)
    return sum(
        float(log_probs[len(prompt) - 1 + place, token])
        for place, token in enumerate(option)
    )


@pytest.mark.parametrize("batch_size", [3, 64])
@OPTION_ALL
def test_option_log_likelihoods_equal_whole_texts(config, batch_size):
    model = model_of(config)
    found = option_log_likelihoods(model, OPTION_PROMPTS, OPTIONS, batch_size)
    expected = [
        [by_hand(model, p, option) for option in OPTIONS] for p in OPTION_PROMPTS
    ]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=0)


def test_option_log_likelihoods_of_all_tokens_sum_to_one():
    found = option_log_likelihoods(model_of(LLAMA), [[2, 3]], [[t] for t in range(13)])
    assert float(found.exp().sum()) == pytest.approx(1, abs=1e-5)


def test_option_log_likelihoods_read_equal_texts_once(monkeypatch):
    """Options of one token are predicted from the same hidden state."""
    model, sizes = model_of(LLAMA), []
    read = model.read
    monkeypatch.setattr(
        model,
        "read",
        lambda ids, context: sizes.append(ids.numel()) or read(ids, context),
    )
    prompts = [[2, 3, 4, token] for token in range(2, 8)]
    option_log_likelihoods(model, prompts, [[4], [5], [6]])
    assert sum(sizes) == 3 + 6


@pytest.mark.parametrize(
    ("prompts", "options", "batch_size", "message"),
    [
        ([], [[1]], 1, "at least one prompt, of one token"),
        ([[1]], [], 1, "at least one option"),
        ([[1]], [[1], []], 1, "at least one option, of one token"),
        ([[1]], [[1]], 0, "batch_size at least 1"),
        ([[1] * 20], [[1] * 5], 1, "longest prompt has 20"),
    ],
)
def test_option_log_likelihoods_refuse(prompts, options, batch_size, message):
    with pytest.raises(ValueError, match=message):
        option_log_likelihoods(model_of(LLAMA), prompts, options, batch_size)
