import pytest
import torch

from genai_tutorial.generation import ConstrainedText, TokenMask, beam_search, generate
from tests.alignment.models import CONFIGS, END, FAST, LLAMA, model_of

ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def log_prob_of(model, prompt, tokens):
    ids = torch.tensor([[*prompt, *tokens]])
    table = model(ids)[0, len(prompt) - 1 : -1].log_softmax(dim=-1).detach()
    return float(table.gather(1, ids[0, len(prompt) :, None]).sum())


@ALL
def test_beam_search_log_probs_equal_a_forward_pass(config):
    model = model_of(config)
    found = beam_search(model, [2, 3, 4], 6, beams=3, end_tokens=[END])
    assert len({text.tokens for text in found}) == 3
    for text in found:
        expected = log_prob_of(model, [2, 3, 4], text.tokens)
        assert text.log_prob == pytest.approx(expected, abs=1e-4)
        assert text.score == pytest.approx(expected / len(text.tokens), abs=1e-4)
        assert END not in text.tokens[:-1]


def test_beam_search_with_one_beam_is_greedy_decoding():
    model = model_of(FAST)
    (found,) = beam_search(model, [5, 6], 9, beams=1)
    greedy = generate(model, torch.tensor([[5, 6]]), 9, temperature=0)
    assert list(found.tokens) == greedy[0, 2:].tolist()


@pytest.mark.parametrize("seed", range(3))
def test_beam_search_with_a_beam_per_token_finds_the_best_pair(seed):
    model = model_of(LLAMA, seed)
    pairs = torch.cartesian_prod(torch.tensor([5]), *[torch.arange(13)] * 2)
    table = model(pairs)[:, :2].log_softmax(dim=-1).detach()
    totals = table.gather(2, pairs[:, 1:, None]).sum(dim=(1, 2))
    (found, *_) = beam_search(model, [5], 2, beams=13)
    assert list(found.tokens) == pairs[totals.argmax(), 1:].tolist()


@pytest.mark.slow
def test_beam_search_length_penalty_favours_longer_texts():
    lengths = []
    for penalty in (-2.0, 0.0, 1.0, 4.0):
        found = [
            beam_search(
                model_of(FAST, seed),
                [2, 3],
                12,
                end_tokens=[END],
                length_penalty=penalty,
            )[0]
            for seed in range(4)
        ]
        lengths.append(sum(len(text.tokens) for text in found))
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


def test_beam_search_beyond_the_context_window():
    model = model_of(LLAMA)
    found = beam_search(model, list(range(2, 12)) * 2, 8, beams=2)
    assert all(len(text.tokens) == 8 for text in found)


def test_beam_search_with_a_constraint_keeps_the_models_log_probs():
    model = model_of(LLAMA)
    mask = TokenMask([bytes([97 + token]) for token in range(13)], end_token=12)
    found = beam_search(
        model,
        [5],
        6,
        beams=4,
        end_tokens=[12],
        constraint=ConstrainedText("(ab|cd){1,2}", mask),
    )
    assert len(found) == 4
    for text in found:
        assert text.tokens[-1] == 12
        expected = log_prob_of(model, [5], text.tokens)
        assert text.log_prob == pytest.approx(expected, abs=1e-4)


def test_beam_search_refuses_bad_arguments():
    model = model_of(LLAMA)
    with pytest.raises(ValueError, match="at least one token"):
        beam_search(model, [], 3)
    with pytest.raises(ValueError, match="at least 1, got 3 and 0"):
        beam_search(model, [2], 3, beams=0)
