import pytest
import torch

from genai_tutorial.generation import option_log_likelihoods
from tests.alignment.models import CONFIGS, LLAMA, model_of

ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
PROMPTS = [[2, 3, 4, 5], [2, 3, 7], [2, 3, 8, 9, 10], [2, 3, 4, 5]]
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
@ALL
def test_option_log_likelihoods_equal_whole_texts(config, batch_size):
    model = model_of(config)
    found = option_log_likelihoods(model, PROMPTS, OPTIONS, batch_size)
    expected = [[by_hand(model, p, option) for option in OPTIONS] for p in PROMPTS]
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
        ([], [[1]], 1, "at least one prompt and one option"),
        ([[1]], [], 1, "at least one prompt and one option"),
        ([[1]], [[1], []], 1, "at least one prompt and one option"),
        ([[1]], [[1]], 0, "batch_size must be at least 1"),
        ([[1] * 20], [[1] * 5], 1, "has 25"),
    ],
)
def test_option_log_likelihoods_refuse(prompts, options, batch_size, message):
    with pytest.raises(ValueError, match=message):
        option_log_likelihoods(model_of(LLAMA), prompts, options, batch_size)
