"""A quantized cache holds first and last tokens exactly, rounds the rest by less than a
step, and generates text like any other cache.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.efficiency import (
    QuantizedKVCache,
    prediction_divergence,
    quantize_affine,
    quantized,
    read_with_cache,
)
from genai_tutorial.efficiency.linear import PackedBlocks, pack, unpack
from genai_tutorial.generation import generate, stream
from genai_tutorial.transformer import (
    AttentionConfig,
    AttentionContext,
    DecoderConfig,
    KVCache,
    LocalConfig,
)
from tests.edge.models import disturbed

CONFIG = DecoderConfig.llama(23, 64, 32, 2, 4, 2, 64)


MODEL = disturbed(CONFIG, spread=0.2)


def texts(batch=2, length=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(CONFIG.vocab_size, (batch, length), generator=generator)


@settings(max_examples=40)
@given(
    bits=st.sampled_from([2, 4, 8]),
    count=st.integers(1, 6),
    batch=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_packed_levels_are_unpacked(bits, count, batch, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, count * 8 // bits)
    levels = torch.randint(2**bits, shape, generator=generator).to(torch.uint8)
    packed = pack(levels, bits)
    assert packed.shape == (batch, count)
    assert torch.equal(unpack(packed, bits), levels)


@pytest.mark.parametrize("per", ["channel", "token"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_packed_blocks_are_quantize_affine(per, bits):
    blocks = torch.randn(2, 3, 5, 8, 16, generator=torch.Generator().manual_seed(0))
    store = PackedBlocks((1, 2, 3, 7, 8, 16), bits, per)
    store.write(0, 1, blocks)
    found = store.read(0, 6, torch.float32)
    assert torch.equal(found[:, :, :8], torch.zeros(2, 3, 8, 16))  # block 0 is empty
    found = found[:, :, 8:].unflatten(2, (5, 8))
    rows = (blocks.transpose(3, 4) if per == "channel" else blocks).flatten(0, 3)
    matrix = quantize_affine(rows, bits, rows.shape[1]).dequantize()
    expected = matrix.view(2, 3, 5, *((16, 8) if per == "channel" else (8, 16)))
    expected = expected.transpose(3, 4) if per == "channel" else expected
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=4e-3)  # 16-bit scales


def test_packed_blocks_of_tiny_numbers():
    store = PackedBlocks((1, 1, 1, 1, 4, 4), 2, "token")
    store.write(0, 0, 1e-12 * torch.rand(1, 1, 1, 4, 4))
    assert store.read(0, 1, torch.float32).abs().max() < 1e-7


@pytest.mark.slow
@settings(max_examples=40)
@given(
    pieces=st.lists(st.integers(1, 20), min_size=1, max_size=12),
    sinks=st.integers(0, 5),
    bits=st.sampled_from([2, 4, 8]),
    keys_per=st.sampled_from(["channel", "token"]),
    block_size=st.sampled_from([4, 8, 16]),
)
def test_cache_with_all_tokens_in_the_residual_is_exact(
    pieces, sinks, bits, keys_per, block_size
):
    ids = texts(length=min(sum(pieces), 50))
    caches = (
        KVCache(*CONFIG.cache_sizes(2)),
        QuantizedKVCache(
            CONFIG,
            2,
            bits=bits,
            keys_per=keys_per,
            block_size=block_size,
            residual=50,
            sinks=sinks,
        ),
    )
    start = 0
    with torch.no_grad():
        for size in pieces:
            part = ids[:, start : start + size]
            if part.shape[1] == 0:
                break
            exact, found = (MODEL(part, AttentionContext.cached(c)) for c in caches)
            assert torch.equal(exact, found)
            start += size
    assert caches[1].blocks == 0


@pytest.mark.slow
@settings(max_examples=40)
@given(
    pieces=st.lists(st.integers(1, 20), min_size=1, max_size=12),
    sinks=st.integers(0, 5),
    residual=st.integers(0, 12),
    keys_per=st.sampled_from(["channel", "token"]),
    seed=st.integers(0, 2**31),
)
def test_cache_rounds_only_complete_blocks(pieces, sinks, residual, keys_per, seed):
    """Each new pass sees sinks and recent tokens exactly, and others within a step."""
    cache = QuantizedKVCache(
        CONFIG,
        1,
        bits=4,
        keys_per=keys_per,
        block_size=4,
        residual=residual,
        sinks=sinks,
    )
    generator = torch.Generator().manual_seed(seed)
    keys = torch.empty(1, 2, 0, 8)
    for size in pieces:
        if keys.shape[2] + size > 64:
            break
        before = keys.shape[2]
        new = torch.randn(1, 2, size, 8, generator=generator)
        keys = torch.cat((keys, new), dim=2)
        cache.begin(torch.zeros(1, size, dtype=torch.long))
        found = {
            layer: cache.append(layer, new + layer, new - layer) for layer in (0, 1)
        }
        cache.finish()
        ready = max(0, before - sinks - residual) // 4 * 4
        is_exact = torch.ones(keys.shape[2], dtype=torch.bool)
        is_exact[sinks : sinks + ready] = False
        for layer, pair in found.items():
            for one, shift in zip(pair, (layer, -layer), strict=True):
                assert one.shape == keys.shape
                moved = (one - keys - shift).abs()
                assert (moved[:, :, is_exact] < 1e-6).all()
                if ready:
                    # 8 steps of 15 on numbers within about ±4
                    assert 0 < moved[:, :, ~is_exact].mean() < 0.3
                    assert moved.max() < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("piece", [1, 7, 50])
def test_cache_loss_falls_with_bits_and_exact_tokens(piece):
    ids = texts(8, 50)

    def kl(**options):
        def read(ids):
            cache = QuantizedKVCache(CONFIG, len(ids), block_size=8, **options)
            return read_with_cache(MODEL, ids, cache, piece)

        return prediction_divergence(MODEL, read, ids).kl

    if piece == 50:  # a text in one pass is read before anything is quantized
        assert kl(bits=2, residual=0, sinks=0) == pytest.approx(0, abs=1e-6)
        return
    by_bits = [kl(bits=bits, residual=0, sinks=0) for bits in (2, 4, 8)]
    assert by_bits[0] > 5 * by_bits[1] > 25 * by_bits[2] > 0
    assert kl(bits=2, residual=16, sinks=4) < 0.8 * by_bits[0]


def test_cache_streams_text():
    prompt = texts(1, 30)[0].tolist()
    exact = list(stream(MODEL, prompt, 20, temperature=0))
    cache = QuantizedKVCache(CONFIG, bits=8, block_size=8, residual=8)
    found = list(stream(MODEL, prompt, 20, temperature=0, cache=cache))
    assert found == exact
    assert cache.blocks == (49 - 4 - 8) // 8
    # The same text again, longer: what the cache holds is not read again.
    longer = list(stream(MODEL, prompt + found, 5, temperature=0, cache=cache))
    ids = torch.tensor([prompt + found])
    assert longer == generate(MODEL, ids, 5, temperature=0)[0, 50:].tolist()


def test_cache_works_with_a_fused_model():
    model = quantized(MODEL, "float32")
    prompt = texts(1, 30)[0].tolist()
    cache = QuantizedKVCache(model.config, bits=8, block_size=8, residual=8)
    found = list(stream(model, prompt, 12, temperature=0, cache=cache))
    assert found == list(stream(model, prompt, 12, temperature=0))
    assert cache.blocks == 3


@pytest.mark.parametrize("common", [0, 3, 4, 11, 12, 13, 27, 28, 29, 40])
def test_cache_keep_reads_cut_blocks_again(common):
    cache = QuantizedKVCache(CONFIG, bits=8, block_size=8, residual=4)
    ids = texts(1, 41)
    read_with_cache(MODEL, ids[:, :40], cache)
    assert cache.blocks == 4
    other = torch.cat((ids[:, :common], (ids[:, common:] + 1) % 23), dim=1)
    cache.keep(other)
    kept = cache.lengths[0]
    blocks_end = 4 + 8 * cache.blocks
    assert kept == common if common >= 36 or common <= 4 else kept == blocks_end
    assert kept <= common < kept + 8 or kept == 4
    with torch.no_grad():
        found = MODEL(other[:, kept:], AttentionContext.cached(cache))
        exact = MODEL(other)[:, kept:]
    torch.testing.assert_close(found, exact, rtol=0.05, atol=0.05)
    assert cache.lengths == [41]


def test_cache_keep_after_interruption_empties_it():
    cache = QuantizedKVCache(CONFIG, bits=4, block_size=8, residual=4)
    ids = texts(1, 40)
    read_with_cache(MODEL, ids[:, :39], cache)
    cache.begin(ids[:, 39:])
    cache.keep(ids)
    assert cache.lengths == [0]
    assert cache.blocks == 0


def test_cache_rewind_within_the_residual_is_exact():
    ids = texts(1, 44)
    caches = [
        QuantizedKVCache(CONFIG, bits=4, block_size=8, residual=8) for _ in range(2)
    ]
    read_with_cache(MODEL, ids[:, :40], caches[0])
    read_with_cache(MODEL, ids[:, :36], caches[1])
    assert caches[0].blocks == caches[1].blocks == 3
    caches[0].rewind(36)
    found, expected = (
        read_with_cache(MODEL, ids[:, 36:], cache, 4) for cache in caches
    )
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert caches[0].lengths == [44]
    with pytest.raises(ValueError, match=r"cannot go back to 3.*use `keep`"):
        caches[0].rewind(3)


def test_cache_select_copies_rows():
    ids = texts(3, 40)
    cache = QuantizedKVCache(CONFIG, 3, bits=4, block_size=8, residual=4)
    read_with_cache(MODEL, ids[:, :39], cache)
    chosen = QuantizedKVCache(CONFIG, 2, bits=4, block_size=8, residual=4)
    read_with_cache(MODEL, ids[[2, 0], :39], chosen)
    cache.select([2, 0])
    with torch.no_grad():
        found, expected = (
            MODEL(ids[[2, 0], 39:], AttentionContext.cached(one))
            for one in (cache, chosen)
        )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("bits", "per_number"), [(8, 8), (4, 4), (2, 2)])
def test_cache_bytes_are_counted(bits, per_number):
    cache = QuantizedKVCache(
        CONFIG, 3, bits=bits, block_size=16, residual=8, sinks=4, length=64
    )
    tokens = (64 - 4 - 8) // 16 * 16
    numbers = 2 * 3 * 2 * tokens * 8  # layers, rows, heads, tokens, features
    key_scales = 2 * 3 * 2 * tokens // 16 * 8 * 2 * 2  # a scale and an offset, 2 bytes
    value_scales = 2 * 3 * 2 * tokens * 2 * 2
    exact = 2 * 3 * 2 * (4 + 8 + 15) * 8 * 4
    assert cache.nbytes == (
        2 * numbers * per_number // 8 + key_scales + value_scales + 2 * exact
    )


def test_cache_shorter_than_its_residual():
    cache = QuantizedKVCache(CONFIG, length=10)
    plain = KVCache(*CONFIG.cache_sizes(length=10))
    assert cache.nbytes == plain.keys.nbytes + plain.values.nbytes
    ids = texts(1, 10)
    found = read_with_cache(MODEL, ids, cache)
    torch.testing.assert_close(found, read_with_cache(MODEL, ids, plain))


@pytest.mark.parametrize(
    ("config", "options", "said"),
    [
        (CONFIG, {"bits": 3}, "bits must be 2, 4 or 8"),
        (CONFIG, {"keys_per": "layer"}, "per channel or token"),
        (CONFIG, {"bits": 2, "block_size": 6}, "multiple of 4"),
        (CONFIG, {"block_size": 0}, "block_size must be positive"),
        (CONFIG, {"residual": -1}, "residual and sinks not negative"),
        (CONFIG, {"sinks": -1}, "residual and sinks not negative"),
        (CONFIG, {"length": 65}, "from 1 to context_length=64"),
        (
            DecoderConfig(5, attention=AttentionConfig(sliding_window=8)),
            {},
            "sliding window",
        ),
    ],
)
def test_cache_rejects_invalid_arguments(config, options, said):
    with pytest.raises(ValueError, match=said):
        QuantizedKVCache(config, **options)


def test_cache_rejects_padded_rows():
    cache = QuantizedKVCache(CONFIG, 2)
    context = AttentionContext.cached(cache, torch.tensor([3, 2]))
    with pytest.raises(ValueError, match="equal lengths, unpadded"):
        MODEL(texts(2, 3), context)


def test_cache_with_convolutions():
    config = DecoderConfig(
        23,
        context_length=64,
        width=32,
        layers=2,
        attention=AttentionConfig(heads=2),
        local=LocalConfig(convolution_size=2),
    )
    model, ids = disturbed(config, spread=0.2), texts(1, 40)
    cache = QuantizedKVCache(config, bits=8, block_size=8, residual=4)
    with torch.no_grad():
        exact = model(ids)
    torch.testing.assert_close(
        read_with_cache(model, ids, cache), exact, rtol=0.1, atol=0.1
    )
    cache.keep(texts(1, 41, seed=5))
    assert cache.lengths == [0]
