import pytest
import torch

from genai_tutorial.transformer import (
    AttentionConfig,
    AttentionContext,
    DecoderConfig,
    DecoderLM,
    LocalConfig,
    NGramEmbedding,
    ShortConvolution,
)
from tests.drawn import normal

IDS = torch.randint(10, (2, 12), generator=torch.Generator().manual_seed(0))


def embedding(rows=1000):
    return NGramEmbedding(10, 6, LocalConfig(0, 4, 3, rows))


@pytest.mark.parametrize("length", [1, 2, 7])
def test_short_convolution_adds_weighted_predecessors(length):
    layer = ShortConvolution(4, 3)
    torch.nn.init.normal_(layer.weight)
    x = normal(2, length, 4)
    expected = x.clone()
    for position in range(length):
        for distance in (1, 2, 3):
            if position >= distance:
                expected[:, position] += (
                    layer.weight[distance - 1] * x[:, position - distance]
                )
    torch.testing.assert_close(layer(x), expected)


def test_short_convolution_starts_as_identity():
    x = normal(2, 5, 4)
    assert torch.equal(ShortConvolution(4, 2)(x), x)


def test_ngram_embedding_looks_up_ngram_ending_at_each_position():
    layer = embedding()
    pairs, triples = (layer.tables[order].weight for order in ("2", "3"))
    output = layer(IDS)
    for row in range(2):
        for position in range(12):
            before, last = (
                [0, 0, *IDS[row].tolist()][position : position + 2],
                IDS[row, position].item(),
            )
            found = torch.cat(
                (
                    pairs[10 * before[1] + last],
                    triples[100 * before[0] + 10 * before[1] + last],
                )
            )
            torch.testing.assert_close(
                output[row, position], layer.project.weight @ found
            )


def test_ngram_table_has_one_row_per_ngram_if_they_fit():
    assert embedding(rows=1000).tables["2"].num_embeddings == 100
    assert embedding(rows=1000).tables["3"].num_embeddings == 1000
    assert embedding(rows=80).tables["2"].num_embeddings == 80


def test_ngram_hash_uses_rows_evenly():
    # All 64^3 triples of a text's alphabet, as many windows of three.
    layer = NGramEmbedding(64, 4, LocalConfig(triple_features=2))
    ids = torch.cartesian_prod(*[torch.arange(64)] * 3)
    rows = layer.row(ids, 3, AttentionContext())
    counts = rows[:, 0].bincount(minlength=8192)
    assert len(counts) == 8192
    assert counts.min() >= 16  # 32 each would be perfectly even
    assert counts.max() <= 64


@pytest.mark.parametrize(("pairs", "triples"), [(5, 0), (0, 5), (4, 3)])
def test_ngram_decoder_is_causal(pairs, triples):
    config = DecoderConfig(
        10,
        context_length=12,
        width=8,
        layers=1,
        attention=AttentionConfig(heads=2),
        local=LocalConfig(pair_features=pairs, triple_features=triples),
    )
    model = DecoderLM(config, seed=0)
    changed = IDS.clone()
    changed[:, 7] = (changed[:, 7] + 1) % 10
    difference = (model(changed) - model(IDS)).abs().amax(dim=(0, 2))
    assert not difference[:7].any()
    assert difference[7:].all()


def test_ngram_embedding_without_features_is_absent():
    assert DecoderLM(DecoderConfig(vocab_size=10)).ngram_embedding is None
