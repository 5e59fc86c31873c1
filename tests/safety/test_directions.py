from dataclasses import replace

import pytest
import torch

from genai_tutorial.safety import (
    direction_ablated,
    last_token_states,
    mean_difference,
    orthogonalized,
)
from genai_tutorial.safety.directions import project_out, unit_direction
from genai_tutorial.transformer import (
    AttentionConfig,
    DecoderConfig,
    DecoderLM,
    LocalConfig,
    MixtureConfig,
)

GENERATOR = torch.Generator().manual_seed(0)


def test_project_out_is_orthogonal_and_idempotent():
    direction = torch.tensor([1.0, 2.0, 2.0])
    vectors = torch.randn(4, 2, 3, generator=GENERATOR)
    once = project_out(vectors, direction)
    torch.testing.assert_close(once @ direction, torch.zeros(4, 2))
    torch.testing.assert_close(project_out(once, direction * -5), once)


@pytest.mark.parametrize("direction", [torch.zeros(3), torch.tensor([1.0, torch.inf])])
def test_unit_direction_rejects_directions_without_length(direction):
    with pytest.raises(ValueError, match="finite length above 0"):
        unit_direction(direction)


IDS = torch.randint(1, 40, (3, 9), generator=torch.Generator().manual_seed(0))
DIRECTION = torch.randn(16, generator=torch.Generator().manual_seed(1)) * 3

LLAMA = DecoderConfig.llama(
    vocab_size=40,
    context_length=16,
    width=16,
    layers=2,
    heads=2,
    key_value_heads=None,
    feed_forward_width=24,
    rotary_base=10_000,
    tied_embeddings=True,
)
CONFIGS = {
    "llama, tied": LLAMA,
    "gpt2": DecoderConfig.gpt2(
        vocab_size=40, context_length=16, width=16, layers=2, heads=2
    ),
    "own output layer": replace(LLAMA, tied_embeddings=False),
    "n-grams and convolutions": DecoderConfig(
        vocab_size=40,
        context_length=16,
        width=16,
        layers=2,
        attention=AttentionConfig(heads=2),
        local=LocalConfig(
            convolution_size=2, pair_features=4, triple_features=4, ngram_rows=64
        ),
    ),
}


def decoder(name: str) -> DecoderLM:
    model = DecoderLM(CONFIGS[name], seed=0).eval()
    with torch.no_grad():  # far from zero, also where layers begin at zero
        for number, weight in enumerate(model.parameters()):
            generator = torch.Generator().manual_seed(number)
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator))
    return model


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_orthogonalized_weights_equal_hooks(name):
    model = decoder(name)
    plain = model(IDS)
    with direction_ablated(model, DIRECTION):
        hooked, stream = model(IDS), model.read(IDS)
    torch.testing.assert_close(
        orthogonalized(model, DIRECTION)(IDS), hooked, atol=1e-4, rtol=1e-4
    )
    torch.testing.assert_close(
        stream @ DIRECTION, torch.zeros(stream.shape[:2]), atol=1e-4, rtol=0
    )
    assert (hooked - plain).abs().max() > 0.1
    assert torch.equal(model(IDS), plain)  # neither the hooks nor the copy stay


@torch.no_grad()
def test_direction_ablated_by_halves_leaves_half_of_the_first_state():
    model = decoder("llama, tied")
    before = model.hidden_states(IDS)[0] @ DIRECTION
    with direction_ablated(model, DIRECTION, strength=0.5):
        after = model.hidden_states(IDS)[0] @ DIRECTION
    torch.testing.assert_close(after, before / 2)


def test_hooks_are_removed_after_an_error():
    model = decoder("gpt2")
    plain = model(IDS)
    with pytest.raises(RuntimeError), direction_ablated(model, DIRECTION):
        raise RuntimeError
    assert torch.equal(model(IDS), plain)


def test_last_token_states_do_not_depend_on_padding():
    model = decoder("llama, tied")
    prompts = [IDS[0, :4].tolist(), IDS[1].tolist()]
    states = last_token_states(model, prompts)
    alone = model.hidden_states(IDS[:1, :4])[:, 0, -1]
    torch.testing.assert_close(states[0], alone)
    difference = mean_difference(model, prompts[:1], prompts[1:])
    torch.testing.assert_close(difference, states[0] - states[1])


def test_refusal_direction_rejects_bad_arguments():
    model = decoder("gpt2")
    with pytest.raises(ValueError, match="finite length"):
        direction_ablated(model, torch.zeros(16)).__enter__()
    with pytest.raises(ValueError, match="at least one prompt"):
        last_token_states(model, [])
    experts = replace(
        CONFIGS["gpt2"], mixture=MixtureConfig(experts=2, experts_per_token=1)
    )
    with pytest.raises(ValueError, match="mixture of experts"):
        orthogonalized(DecoderLM(experts), DIRECTION)
