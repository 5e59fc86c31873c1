"""The model of several streams: causality, its loss, and sampling with a cache."""

from dataclasses import replace

import pytest
import torch

from genai_tutorial.audio import (
    UNKNOWN,
    CodebookPattern,
    MultiStreamConfig,
    MultiStreamLM,
    multi_stream_loss,
    sample_streams,
    stream_losses,
)
from genai_tutorial.audio.multi_stream import stream_targets
from genai_tutorial.training import AdamW
from genai_tutorial.transformer import DecoderConfig

DELAYED = CodebookPattern.delayed(3)


def make_model(pattern=DELAYED, features=(), prefix_vocab=0) -> MultiStreamLM:
    decoder = DecoderConfig(vocab_size=7, context_length=40, width=16, layers=2)
    model = MultiStreamLM(MultiStreamConfig(decoder, pattern, features, prefix_vocab))
    with torch.no_grad():  # large enough that each input changes the logits
        generator = torch.Generator().manual_seed(1)
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.normal_(0, 0.5, generator=generator)
    return model.eval()


def random_codes(*shape) -> torch.Tensor:
    return torch.randint(7, shape, generator=torch.Generator().manual_seed(0))


def test_multi_stream_model_sees_earlier_columns_only():
    model, columns = make_model(), random_codes(1, 3, 6)
    changed = columns.clone()
    changed[0, 1, 3] = (changed[0, 1, 3] + 1) % 7
    before, after = model(columns), model(changed)
    assert torch.allclose(before[:, :, :3], after[:, :, :3])
    for column in range(3, 6):
        assert not torch.allclose(before[:, :, column], after[:, :, column])


def test_stream_losses_of_untrained_model_are_uniform_for_every_pattern():
    codes = random_codes(2, 3, 5)
    for pattern in (DELAYED, CodebookPattern.parallel(3), CodebookPattern.flattened(3)):
        model = make_model(pattern)
        with torch.no_grad():
            model.head.weight.zero_()
        losses = stream_losses(model, codes)
        assert torch.allclose(losses, torch.full((2, 3), 7.0).log())
        assert torch.allclose(multi_stream_loss(model, codes), torch.tensor(7.0).log())


def test_multi_stream_loss_is_the_mean_of_the_stream_losses():
    model, codes = make_model(features=(4,)), random_codes(2, 3, 5)
    features = torch.randint(4, (2, 1, 5), generator=torch.Generator().manual_seed(3))
    loss = multi_stream_loss(model, codes, features)
    assert torch.allclose(loss, stream_losses(model, codes, features).mean())


def test_stream_targets_leave_fillers_out():
    config = make_model().config
    read, targets = stream_targets(random_codes(2, 3, 5), config)
    assert (read[:, :, 0] == config.filler).all()
    assert int((targets >= 0).sum()) == 2 * 3 * 5
    assert torch.equal(
        read[:, :, 1:][targets[:, :, :-1] >= 0],
        targets[targets >= 0][
            torch.isin(
                (targets >= 0).nonzero()[:, 2], torch.arange(targets.shape[-1] - 1)
            )
        ],
    )


@pytest.mark.parametrize("prefix_vocab", [0, 5])
def test_sample_streams_with_cache_equals_greedy_decoding_without(prefix_vocab):
    model = make_model(features=(4,), prefix_vocab=prefix_vocab)
    features = torch.arange(6).remainder(4).expand(2, 1, 6)
    prefix = torch.tensor([[1, 2], [3, 4]]) if prefix_vocab else None
    drawn = sample_streams(
        model, torch.full((2, 3, 6), UNKNOWN), features, prefix, temperature=0
    )
    read, targets = stream_targets(drawn, model.config)
    columns = torch.arange(read.shape[-1]).clamp(max=5).remainder(4)
    with torch.no_grad():
        best = model(read, columns.expand(2, 1, -1), prefix).argmax(dim=-1)
    assert torch.equal(best[targets >= 0], targets[targets >= 0])


def test_sample_streams_keeps_known_tokens_and_reacts_to_them():
    model = make_model()
    known = torch.full((1, 3, 6), UNKNOWN)
    known[0, 0] = torch.tensor([1, 2, 3, 4, 5, 6])
    first = sample_streams(model, known, temperature=0)
    assert torch.equal(first[0, 0], known[0, 0])
    known[0, 0, 2] = 0
    second = sample_streams(model, known, temperature=0)
    assert not torch.equal(first[0, 1:], second[0, 1:])
    # In the delay pattern stream 2 is two columns late, so it sees two steps ahead.
    assert torch.equal(first[:, 1, :2], second[:, 1, :2])
    assert torch.equal(first[:, 2, :1], second[:, 2, :1])


def test_guidance_of_zero_ignores_the_prefix_and_one_is_none():
    model = make_model(prefix_vocab=5)
    known = torch.full((1, 3, 6), UNKNOWN)
    nothing, word = torch.tensor([0]), torch.tensor([[3]])

    def draw(prefix, guidance):
        choice = {"temperature": 0, "guidance": guidance, "no_prefix": nothing}
        return sample_streams(model, known, prefix=prefix, **choice)

    assert torch.equal(draw(word, 0), draw(nothing[None], 1))
    assert torch.equal(draw(word, 1.0), draw(word, 1))
    assert not torch.equal(draw(word, 1), draw(nothing[None], 1))
    with pytest.raises(ValueError, match="give both prefix and no_prefix"):
        sample_streams(model, known, guidance=2)


def test_multi_stream_model_learns_what_the_stream_before_says():
    """The second stream copies the first: free with a delay, impossible in parallel."""
    codes = random_codes(64, 1, 6).repeat(1, 2, 1)
    losses = {}
    for name, pattern in (
        ("delay", CodebookPattern.delayed(2)),
        ("parallel", CodebookPattern.parallel(2)),
    ):
        config = replace(make_model().config, pattern=pattern)
        model = MultiStreamLM(config)
        optimizer = AdamW(model.parameters(), lr=0.02)
        for _ in range(25):
            optimizer.zero_grad()
            multi_stream_loss(model, codes).backward()
            optimizer.step()
        losses[name] = stream_losses(model, codes).mean(dim=0).tolist()
    assert losses["delay"][1] < 0.6 < 1.0 < losses["parallel"][1]


def test_multi_stream_model_rejects_wrong_inputs():
    model, prefix = make_model(), torch.tensor([[1]])
    for wrong, columns, given in (
        ("has 3 streams, got columns of 4", random_codes(1, 4, 2), ()),
        ("no prefix", random_codes(1, 3, 6), (None, prefix)),
        ("window is 40 columns, got 41", random_codes(1, 3, 41), ()),
        (
            "needs 0 features of each column, got 1",
            random_codes(1, 3, 1),
            [prefix[None]],
        ),
    ):
        with pytest.raises(ValueError, match=wrong):
            model(columns, *given)
