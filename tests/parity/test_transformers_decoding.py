"""The book's beam search and repetition penalties are transformers'."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.generation import beam_search, no_repeat_ngram, repetition_penalty
from genai_tutorial.transformer import DecoderLM
from tests.parity.test_transformers_gpt2 import CONFIG, to_transformers

transformers = pytest.importorskip("transformers")

ENDS = [1, 2]
seeds = st.integers(0, 100_000)


@pytest.fixture(scope="module")
def models():
    """Two tiny GPT-2 with large random weights, ours and theirs."""
    pairs = []
    for seed in range(2):
        ours = DecoderLM(CONFIG, seed).eval()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in ours.parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(0.15 * noise)
            ours.token_embedding.weight[ENDS] *= 3  # so that texts end
        settings = transformers.GPT2Config(
            vocab_size=CONFIG.vocab_size,
            n_positions=CONFIG.context_length,
            n_embd=CONFIG.width,
            n_layer=CONFIG.layers,
            n_head=CONFIG.attention.heads,
            bos_token_id=0,
            eos_token_id=ENDS,
            pad_token_id=0,
        )
        theirs = transformers.GPT2LMHeadModel(settings).eval()
        theirs.load_state_dict(
            to_transformers(ours.state_dict(), CONFIG.layers), strict=False
        )
        pairs.append((ours, theirs))
    return pairs


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, -1.0, 2.0])
@pytest.mark.parametrize("beams", [2, 4])
def test_beam_search(models, beams, length_penalty):
    ended = 0
    for ours, theirs in models:
        for prompt in ([3, 4, 5], [10], [7, 7, 30, 12]):
            answer = theirs.generate(
                torch.tensor([prompt]),
                attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                max_new_tokens=12,
                num_beams=beams,
                num_return_sequences=beams,
                length_penalty=length_penalty,
                early_stopping=False,
                do_sample=False,
                return_dict_in_generate=True,
                output_scores=True,
            )
            found = beam_search(
                ours,
                prompt,
                12,
                beams=beams,
                length_penalty=length_penalty,
                end_tokens=ENDS,
            )
            scores = torch.tensor([text.score for text in found])
            torch.testing.assert_close(
                scores, answer.sequences_scores, atol=1e-5, rtol=1e-5
            )
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
    expected = transformers.RepetitionPenaltyLogitsProcessor(penalty)(
        ids, logits.clone()
    )
    torch.testing.assert_close(
        repetition_penalty(logits, ids, penalty), expected, atol=1e-6, rtol=1e-6
    )


@given(seeds, st.integers(1, 4))
@settings(max_examples=50)
def test_no_repeat_ngram(seed, size):
    logits, ids = random_case(seed)
    expected = transformers.NoRepeatNGramLogitsProcessor(size)(ids, logits.clone())
    assert torch.equal(no_repeat_ngram(logits, ids, size), expected)
