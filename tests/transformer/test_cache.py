"""Reading with a cache, in any pieces and with rows of any lengths, gives the scores of reading all at once."""

from itertools import accumulate

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.transformer import DecoderConfig, DecoderLM, Llama3Scaling, YarnScaling

VOCAB = 11
LLAMA = DecoderConfig.llama(VOCAB, context_length=24, width=16, layers=2, heads=4, key_value_heads=2,
                            feed_forward_width=24, sliding_window=None)  # fmt: skip
GPT2 = DecoderConfig.gpt2(VOCAB, context_length=24, width=16, layers=2, heads=2)


def awake(config, seed=0):
    """A model whose layers all do something, whatever they start with."""
    model = DecoderLM(config, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model


def tokens(batch, length, seed=0):
    return torch.randint(VOCAB, (batch, length), generator=torch.Generator().manual_seed(seed))


def pieces_of(ids, sizes):
    """Cuts ids into pieces of these sizes, as far as they go."""
    starts = accumulate(sizes[:-1], initial=0)
    return [ids[:, start:][:, :size] for start, size in zip(starts, sizes, strict=True) if start < ids.shape[1]]


configs = st.builds(
    lambda positions, scaling, norm, activation, groups, window, neighbours, tables, qk, bias, tied: DecoderConfig(
        VOCAB,
        context_length=24,
        width=16,
        layers=2,
        heads=4,
        positions=positions,
        rotary_scaling=scaling if positions == "rotary" else None,
        norm=norm,
        activation=activation,
        key_value_heads=groups,
        sliding_window=window,
        neighbours=neighbours,
        pair_features=tables,
        query_key_norm=qk,
        bias=bias,
        tied_embeddings=tied,
    ),
    st.sampled_from(["learned", "sinusoidal", "rotary", "alibi", "none"]),
    st.sampled_from([None, Llama3Scaling(original_context_length=8), YarnScaling(original_context_length=8)]),
    st.sampled_from(["layer", "rms"]),
    st.sampled_from(["gelu", "swiglu", "squared_relu"]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, 1, 3, 8, 40]),
    st.integers(0, 3),
    st.sampled_from([0, 4]),
    *[st.booleans()] * 3,
)


@given(configs, st.lists(st.integers(1, 7), min_size=1, max_size=7), st.integers(1, 2), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
@torch.no_grad()
def test_any_model_read_in_any_pieces(config, pieces, batch, seed):
    model, ids = awake(config, seed), tokens(batch, min(sum(pieces), 24), seed)
    cache, found = model.make_cache(batch), []
    for piece in pieces_of(ids, pieces):
        found.append(model(piece, cache))
    torch.testing.assert_close(torch.cat(found, dim=1), model(ids), atol=1e-5, rtol=1e-5)


@given(configs, st.data(), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
@torch.no_grad()
def test_rows_of_different_lengths_are_each_as_if_alone(config, data, seed):
    model, batch = awake(config, seed), 3
    cache, texts = model.make_cache(batch), [tokens(1, 24, seed + row) for row in range(batch)]
    read = [0] * batch
    for _ in range(data.draw(st.integers(1, 4))):
        new = data.draw(st.integers(1, 6))
        if max(read) + new > 24:
            break
        lengths = [data.draw(st.integers(0, new)) for _ in range(batch)]
        filled = torch.full((batch, new), VOCAB - 1)
        for row, length in enumerate(lengths):
            filled[row, :length] = texts[row][0, read[row] : read[row] + length]
        found = model(filled, cache, torch.tensor(lengths))
        assert found.isfinite().all()
        for row, length in enumerate(lengths):
            expected = model(texts[row][:, : read[row] + length])[0, read[row] :] if read[row] + length else None
            if length:
                torch.testing.assert_close(found[row, :length], expected, atol=1e-5, rtol=1e-5)
            read[row] += length
    assert cache.lengths == read
