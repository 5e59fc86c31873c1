"""The book's watermarks are transformers': the same green lists, the same z-scores, and
the same update of the probabilities in a tournament.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.generation import GreenListWatermark, tournament

transformers = pytest.importorskip("transformers")

VOCAB = 1000
seeds = st.integers(0, 100_000)


def processor(gamma=0.25, delta=2.0, key=15_485_863):
    return transformers.WatermarkLogitsProcessor(
        VOCAB, "cpu", greenlist_ratio=gamma, bias=delta, hashing_key=key
    )


def detector(gamma, key, once):
    config = transformers.WatermarkingConfig(greenlist_ratio=gamma, hashing_key=key)
    model = transformers.GPT2Config(vocab_size=VOCAB, bos_token_id=VOCAB + 1)
    return transformers.WatermarkDetector(
        model, "cpu", config, ignore_repeated_ngrams=once
    )


@pytest.mark.slow
@given(st.integers(0, VOCAB - 1), st.floats(0.01, 0.9), st.integers(1, 2**40))
@settings(max_examples=50)
def test_green_list(previous, gamma, key):
    expected = processor(gamma, key=key)._get_greenlist_ids(torch.tensor([previous]))
    watermark = GreenListWatermark(VOCAB, gamma, key=key)
    assert torch.equal(watermark.green_list(previous), expected)


@given(seeds)
@settings(max_examples=20)
def test_marked_logits(seed):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(VOCAB, (3, 5), generator=generator)
    logits = torch.randn(3, VOCAB, generator=generator)
    found = GreenListWatermark(VOCAB, delta=1.5)(logits, ids)
    torch.testing.assert_close(found, processor(delta=1.5)(ids, logits.clone()))
    assert not torch.equal(found, logits)


@pytest.mark.slow
@given(seeds)
@settings(max_examples=20)
def test_z_score(seed):
    generator = torch.Generator().manual_seed(seed)
    # Six different tokens only, so that pairs repeat.
    texts = torch.randint(6, (4, 60), generator=generator)
    result = detector(0.25, 7919, True)(texts, return_dict=True)
    watermark = GreenListWatermark(VOCAB, key=7919)
    found = [watermark.detect(text) for text in texts]
    assert [d.scored for d in found] == result.num_tokens_scored.tolist()
    assert [d.hits for d in found] == result.num_green_tokens.tolist()
    assert [d.z_score for d in found] == pytest.approx(result.z_score.tolist())


@given(seeds, st.integers(1, 30))
@settings(max_examples=30)
def test_tournament_updates_probabilities_as_synthid_does(seed, layers):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(3, 50, generator=generator)
    synthid = transformers.SynthIDTextWatermarkLogitsProcessor(
        ngram_len=5, keys=list(range(1, layers + 1)), sampling_table_size=2**16,
        sampling_table_seed=seed, context_history_size=64, device=torch.device("cpu"),
    )  # fmt: skip
    contexts = torch.randint(50, (3, 4), generator=generator)
    keys, _ = synthid._compute_keys(contexts, torch.arange(50).expand(3, -1))
    g_values = synthid.sample_g_values(keys)
    expected = synthid.update_scores(logits, g_values).softmax(dim=-1)
    found = tournament(logits.softmax(dim=-1), g_values)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)
    assert not torch.allclose(found, logits.softmax(dim=-1), atol=1e-3)
