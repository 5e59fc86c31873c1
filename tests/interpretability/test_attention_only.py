"""Two attention layers: the model, its task, and its paths."""

import torch

from genai_tutorial.interpretability import (
    AttentionOnly,
    repeated_symbols,
    train_attention_only,
)


def rows(period=7, count=5):
    return repeated_symbols(count, period, torch.Generator().manual_seed(0))


def test_symbols_repeat_and_a_period_has_no_repetition():
    ids = rows()
    assert ids.shape == (5, 24)
    assert torch.equal(ids[:, 7:], ids[:, :-7])
    assert all(len(set(row[:7].tolist())) == 7 for row in ids)


def test_model_is_causal():
    model, ids = AttentionOnly(0), rows()
    changed = ids.clone()
    changed[:, 20:] = 0
    torch.testing.assert_close(model(changed)[:, :20], model(ids)[:, :20])


@torch.no_grad()
def test_with_frozen_patterns_the_logits_are_a_sum_over_paths():
    model, ids = AttentionOnly(1), rows()
    embedded, written = model.streams(ids)
    stream = embedded + written.sum(dim=1)
    pattern = model.second.pattern(stream, stream)
    paths = [embedded, *written.unbind(dim=1)]
    paths += [model.second.write(pattern, x).sum(dim=1) for x in tuple(paths)]
    total = sum(model.unembed(path) for path in paths)
    torch.testing.assert_close(total, model(ids), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_finish_takes_queries_keys_and_values_apart():
    model, ids = AttentionOnly(1), rows()
    embedded, written = model.streams(ids)
    stream = embedded + written.sum(dim=1)
    torch.testing.assert_close(model.finish(stream, stream, stream, stream), model(ids))
    with_keys = model.finish(stream, key=embedded)
    pattern = model.second.pattern(stream, embedded)
    expected = model.unembed(stream + model.second.write(pattern, stream).sum(dim=1))
    torch.testing.assert_close(with_keys, expected)


def test_training_lowers_the_loss_and_a_seed_gives_the_same_model():
    first, second = (train_attention_only(3, steps=12) for _ in range(2))
    assert torch.equal(first.unembed.weight, second.unembed.weight)
    assert not first.unembed.weight.requires_grad
    ids = rows()

    def loss(model):
        logits = model(ids)[:, 7:-1].flatten(0, 1)
        return torch.nn.functional.cross_entropy(logits, ids[:, 8:].flatten())

    assert loss(first) < loss(AttentionOnly(3))
