from dataclasses import replace

import pytest
import torch

from genai_tutorial.alignment import token_log_probs
from genai_tutorial.generation import (
    Rollouts,
    generate,
    generate_rollouts,
    join_rollouts,
    select_rollouts,
)
from tests.alignment.models import CONFIGS, END, FAST, LLAMA, model_of

ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
PROMPTS = [[2, 3, 4, 5, 6], [7], [8, 9], [2, 2, 2, 2, 2, 2, 2, 2], [12, 3]]


def rollouts_of(model, prompts=PROMPTS, new=9, seed=0, **settings):
    return generate_rollouts(
        model,
        prompts,
        new,
        end_token=END,
        generator=torch.Generator().manual_seed(seed),
        **settings,
    )


@pytest.mark.parametrize("seed", range(3))
@ALL
def test_rollouts_log_probs_equal_a_forward_pass_over_whole_rows(config, seed):
    model = model_of(config, seed)
    rollouts = rollouts_of(model, seed=seed)
    whole = token_log_probs(model, rollouts.ids).detach()
    assert rollouts.mask.any(dim=1).all()
    torch.testing.assert_close(
        rollouts.log_probs[rollouts.mask], whole[rollouts.mask], atol=1e-5, rtol=1e-5
    )
    assert not rollouts.log_probs[~rollouts.mask].any()


@ALL
def test_rollouts_do_not_depend_on_the_rest_of_the_batch(config):
    """In a batch of different lengths, each prompt gets the greedy answer that it gets
    alone.
    """
    model = model_of(config)
    together = rollouts_of(model, temperature=0).answers()
    for prompt, answer in zip(PROMPTS, together, strict=True):
        alone = generate(
            model, torch.tensor([prompt]), 9, temperature=0, stop_tokens=[END]
        )[0, len(prompt) :]
        assert answer == [token for token in alone.tolist() if token != END]


@pytest.mark.parametrize("seed", range(5))
def test_rollouts_rows_are_prompt_answer_padding(seed):
    rollouts = rollouts_of(model_of(FAST, seed), PROMPTS * 6, seed=seed)
    assert rollouts.finished.any()
    assert not rollouts.finished.all()
    assert rollouts.ids.shape[1] == rollouts.lengths.max()
    for row, prompt in enumerate(PROMPTS * 6):
        ids, length = rollouts.ids[row].tolist(), int(rollouts.lengths[row])
        answer = ids[len(prompt) : length]
        assert ids[: len(prompt)] == prompt
        assert len(prompt) == rollouts.prompt_lengths[row]
        assert not any(ids[length:])
        # The end token comes once, last, where an answer is finished; the others have
        # the maximum number of tokens.
        assert END not in answer[:-1]
        assert rollouts.finished[row] == (answer[-1] == END)
        assert rollouts.finished[row] or len(answer) == 9
        marked = [
            token
            for token, own in zip(ids, rollouts.is_answer[row].tolist(), strict=True)
            if own
        ]
        assert marked == answer
        assert rollouts.answers()[row] == (
            answer[:-1] if rollouts.finished[row] else answer
        )


def test_rollouts_ignore_end_tokens_in_the_prompt():
    rollouts = rollouts_of(model_of(FAST), [[3, END, 4]])
    assert rollouts.prompt_lengths == 3
    assert rollouts.lengths > 3


def test_rollouts_follow_the_models_probabilities():
    model, count = model_of(LLAMA), 4000
    first = rollouts_of(model, [[5, 6]] * count, new=1).ids[:, 2]
    expected = model(torch.tensor([[5, 6]]))[0, -1].softmax(dim=-1)
    found = first.bincount(minlength=13) / count
    deviation = (expected * (1 - expected) / count).sqrt()
    assert ((found - expected).abs() < 4 * deviation).all()


def test_rollouts_log_probs_are_those_at_temperature_one():
    model = model_of(LLAMA)
    rollouts = rollouts_of(model, temperature=0.3)
    whole = token_log_probs(model, rollouts.ids).detach()
    torch.testing.assert_close(
        rollouts.log_probs[rollouts.mask], whole[rollouts.mask], atol=1e-5, rtol=1e-5
    )


def test_rollouts_depend_on_the_seed_alone():
    model = model_of(LLAMA)
    first, again, other = (rollouts_of(model, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.ids, again.ids)
    assert first.answers() != other.answers()


def test_rollouts_refuse_bad_arguments():
    model = model_of(LLAMA)
    for prompts, new, message in [
        ([], 3, "at least one prompt"),
        ([[2], []], 3, "at least one prompt, of one token or more"),
        ([[2]], 0, "at least 1 token, got 0"),
        ([[2] * 20], 5, "sees at most 24 tokens"),
    ]:
        with pytest.raises(ValueError, match=message):
            rollouts_of(model, prompts, new)
    assert rollouts_of(model, [[2] * 20], 4).ids.shape[1] <= 24


ONE = Rollouts(
    torch.tensor([[5, 6, 1, 0, 0], [5, 6, 7, 8, 1]]),
    torch.tensor([1, 1]),
    torch.tensor([3, 5]),
    torch.tensor([True, True]),
    torch.tensor([[-1.0, -2.0, 0.0, 0.0], [-1.0, -1.0, -1.0, -1.0]]),
)


def test_select_rollouts_drops_positions_that_are_padding_in_all_rows():
    part = select_rollouts(ONE, torch.tensor([0, 0]))
    assert part.ids.tolist() == [[5, 6, 1]] * 2
    assert part.log_probs.tolist() == [[-1.0, -2.0]] * 2
    assert part.answers() == [[6]] * 2


def test_join_rollouts_pads_to_the_longest_row():
    short = select_rollouts(ONE, torch.tensor([0]))
    joined = join_rollouts([short, ONE])
    assert joined.ids.shape == (3, 5)
    assert joined.answers() == [[6], [6], [6, 7, 8]]
    assert joined.log_probs[0].tolist() == [-1.0, -2.0, 0.0, 0.0]
    assert joined.stopped is None


def test_rows_keep_whether_an_answer_was_stopped():
    stopped = replace(ONE, stopped=torch.tensor([False, True]))
    assert join_rollouts([stopped, stopped]).stopped.tolist() == [False, True] * 2
    assert select_rollouts(stopped, torch.tensor([1])).stopped.tolist() == [True]


def test_join_rollouts_needs_a_part():
    with pytest.raises(ValueError, match="at least one part"):
        join_rollouts([])
