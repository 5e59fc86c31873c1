"""The book's beam search and repetition penalties are transformers'."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.generation import beam_search, no_repeat_ngram, repetition_penalty
from genai_tutorial.transformer import DecoderLM
from tests.drawn import stirred
from tests.parity.test_transformers_gpt2 import CONFIG, their_model, to_transformers
from tests.parity.weights import same

transformers = pytest.importorskip("transformers")

ENDS = [1, 2]
seeds = st.integers(0, 100_000)


@pytest.fixture(scope="module")
def models():
    """Two tiny GPT-2 with large random weights, ours and theirs."""
    pairs = []
    for seed in range(2):
        ours = stirred(DecoderLM(CONFIG, seed).eval(), seed, 0.15)
        with torch.no_grad():
            ours.token_embedding.weight[ENDS] *= 3  # so that texts end
        theirs = their_model(eos_token_id=ENDS, pad_token_id=0).eval()
        theirs.load_state_dict(to_transformers(ours.state_dict(), CONFIG.layers))
        pairs.append((ours, theirs))
    return pairs


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, -1.0, 2.0])
@pytest.mark.parametrize("beams", [2, 4])
def test_beam_search(models, beams, length_penalty):
    ended = 0
    for ours, theirs in models:
        for prompt in ([3, 4, 5], [10], [7, 7, 30, 12]):
            ids = torch.tensor([prompt])
            answer = theirs.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=12,
                num_beams=beams, num_return_sequences=beams, do_sample=False,
                length_penalty=length_penalty, early_stopping=False,
                return_dict_in_generate=True, output_scores=True,
            )  # fmt: skip
            found = beam_search(
                ours, prompt, 12, beams=beams, length_penalty=length_penalty,
                end_tokens=ENDS,
            )  # fmt: skip
            same(torch.tensor([text.score for text in found]), answer.sequences_scores)
            for text, row in zip(found, answer.sequences.tolist(), strict=True):
                new = row[len(prompt) :]
                assert list(text.tokens) == new[: len(text.tokens)]
                assert set(new[len(text.tokens) :]) <= {ENDS[0]}  # padding
                ended += text.tokens[-1] in ENDS
    assert ended  # some texts end before the limit


def random_case(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(3, 12, generator=generator)
    return logits, torch.randint(12, (3, 15), generator=generator)


@given(seeds, st.floats(0.5, 3.0))
@settings(max_examples=50)
def test_repetition_penalty(seed, penalty):
    logits, ids = random_case(seed)
    theirs = transformers.RepetitionPenaltyLogitsProcessor(penalty)
    expected = theirs(ids, logits.clone())
    same(repetition_penalty(logits, ids, penalty), expected, atol=1e-6, rtol=1e-6)


@given(seeds, st.integers(1, 4))
@settings(max_examples=50)
def test_no_repeat_ngram(seed, size):
    logits, ids = random_case(seed)
    expected = transformers.NoRepeatNGramLogitsProcessor(size)(ids, logits.clone())
    assert torch.equal(no_repeat_ngram(logits, ids, size), expected)
