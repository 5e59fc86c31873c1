"""The book's mixture of experts equals transformers' Mixtral: same routing, outputs,
losses and gradients.
"""

import pytest
import torch

from genai_tutorial import transformer
from tests.decoders import mixtral

pytest.importorskip("transformers")

from transformers import MixtralConfig, MixtralForCausalLM
from transformers.models.mixtral.modeling_mixtral import (
    MixtralSparseMoeBlock,
    load_balancing_loss_func,
)

SIZES = [(4, 2), (8, 2), (5, 3), (3, 3)]  # experts, and how many a token uses
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def their_config(ours):
    return MixtralConfig(
        vocab_size=ours.vocab_size,
        hidden_size=ours.width,
        intermediate_size=ours.expert_hidden_width,
        num_hidden_layers=ours.layers,
        num_attention_heads=ours.attention.heads,
        num_key_value_heads=ours.attention.key_value_heads,
        max_position_embeddings=ours.context_length,
        num_local_experts=ours.mixture.experts,
        num_experts_per_tok=ours.mixture.experts_per_token,
        rms_norm_eps=ours.norm.epsilon,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": float(ours.attention.rotary_base),
        },
        sliding_window=ours.attention.sliding_window,
        tie_word_embeddings=ours.tied_embeddings,
        router_aux_loss_coef=0.02,
        attn_implementation="eager",
        experts_implementation="eager",
        bos_token_id=0,
        eos_token_id=0,
    )


def mixture_to_transformers(ours, experts):
    """Convert our weights: their block stores all experts in one tensor, with gate and
    up projection stacked.
    """
    rows = [
        [ours[f"experts.{i}.{part}.weight"] for part in ("gate", "widen", "output")]
        for i in range(experts)
    ]
    return {
        "gate.weight": ours["router.scores.weight"],
        "experts.gate_up_proj": torch.stack(
            [torch.cat((gate, widen)) for gate, widen, _ in rows]
        ),
        "experts.down_proj": torch.stack([output for _, _, output in rows]),
    }


LAYER_NAMES = {
    "input_layernorm.weight": "attention_norm.weight",
    "self_attn.q_proj.weight": "attention.query.weight",
    "self_attn.k_proj.weight": "attention.key.weight",
    "self_attn.v_proj.weight": "attention.value.weight",
    "self_attn.o_proj.weight": "attention.output.weight",
    "post_attention_layernorm.weight": "feed_forward_norm.weight",
}


def to_transformers(ours, config):
    theirs = {
        "model.embed_tokens.weight": ours["token_embedding.weight"],
        "model.norm.weight": ours["final_norm.weight"],
        "lm_head.weight": ours["head.weight"],
    }
    for i in range(config.layers):
        for name, ours_name in LAYER_NAMES.items():
            theirs[f"model.layers.{i}.{name}"] = ours[f"blocks.{i}.{ours_name}"]
        start = f"blocks.{i}.feed_forward."
        layer = {
            name.removeprefix(start): value
            for name, value in ours.items()
            if name.startswith(start)
        }
        for name, value in mixture_to_transformers(
            layer, config.mixture.experts
        ).items():
            theirs[f"model.layers.{i}.mlp.{name}"] = value
    return theirs


def stir(model, seed, size):
    """Add noise to every weight, so that none is zero and routers are certain."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=generator))


def random_blocks(experts, per_token, seed):
    config = mixtral(
        11, 16, 24, 1, 2, 2, 20, experts=experts, experts_per_token=per_token
    )
    ours = transformer.MixtureOfExperts(
        config.width, config.expert_hidden_width, experts, per_token
    )
    stir(ours, seed, 0.4)
    theirs = MixtralSparseMoeBlock(their_config(config))
    theirs.load_state_dict(mixture_to_transformers(ours.state_dict(), experts))
    return ours, theirs


def random_models(experts=5, per_token=2, seed=0, **settings):
    config = mixtral(
        *(65, 32, 48, 3, 4, 2, 40),
        experts=experts,
        experts_per_token=per_token,
        **settings,
    )
    ours = transformer.DecoderLM(config, seed)
    stir(ours, seed + 1, 0.2)
    theirs = MixtralForCausalLM(their_config(config))
    theirs.load_state_dict(to_transformers(ours.state_dict(), config))
    return ours, theirs


def random_ids(batch=4, length=32, seed=0):
    return torch.randint(
        65, (batch, length), generator=torch.Generator().manual_seed(seed)
    )


def compare_gradients(ours, theirs, to_theirs):
    """Compare our gradients, under their names, with theirs."""
    found = to_theirs(
        {name: parameter.grad for name, parameter in ours.named_parameters()}
    )
    wanted = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    assert found.keys() == wanted.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(
            gradient, wanted[name], **CLOSE, msg=lambda text, n=name: f"{n}: {text}"
        )


@pytest.mark.parametrize(("experts", "per_token"), SIZES)
@pytest.mark.parametrize("seed", range(3))
def test_mixture_blocks_and_gradients_are_equal(experts, per_token, seed):
    ours, theirs = random_blocks(experts, per_token, seed)
    x = torch.randn(3, 7, 24, generator=torch.Generator().manual_seed(seed))
    our_x, their_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    output, expected = ours(our_x), theirs(their_x)
    torch.testing.assert_close(output, expected, **CLOSE)
    output.square().mean().backward()
    expected.square().mean().backward()
    torch.testing.assert_close(our_x.grad, their_x.grad, **CLOSE)
    compare_gradients(
        ours, theirs, lambda named: mixture_to_transformers(named, experts)
    )


@pytest.mark.parametrize(("experts", "per_token"), SIZES)
def test_routing_is_equal(experts, per_token):
    ours, theirs = random_blocks(experts, per_token, seed=5)
    x = torch.randn(40, 24, generator=torch.Generator().manual_seed(5))
    ours(x)
    logits, weights, chosen = theirs.gate(x)
    torch.testing.assert_close(ours.routing.logits, logits, **CLOSE)
    torch.testing.assert_close(ours.routing.weights, weights, **CLOSE)
    assert torch.equal(ours.routing.chosen, chosen)


@pytest.mark.parametrize(("experts", "per_token"), SIZES)
@pytest.mark.parametrize("layers", [1, 3])
def test_load_balancing_loss_and_gradient_are_equal(experts, per_token, layers):
    generator = torch.Generator().manual_seed(layers)
    logits = [
        torch.randn(50, experts, generator=generator).mul(3).requires_grad_()
        for _ in range(layers)
    ]
    found = []
    for one in logits:
        probabilities = one.softmax(-1)
        weights, chosen = probabilities.topk(per_token)
        found.append(transformer.Routing(one, probabilities, chosen, weights))
    ours = transformer.load_balancing_loss(transformer.Routing.joined(found))
    theirs = load_balancing_loss_func(tuple(logits), experts, per_token)
    torch.testing.assert_close(ours, theirs, **CLOSE)
    for gradient, expected in zip(
        torch.autograd.grad(ours, logits),
        torch.autograd.grad(theirs, logits),
        strict=True,
    ):
        torch.testing.assert_close(gradient, expected, **CLOSE)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "settings", [{}, {"rotary_base": 10_000, "norm_epsilon": 1e-6}]
)
def test_mixtral_logits_losses_and_gradients_are_equal(seed, settings):
    ours, theirs = random_models(seed=seed, **settings)
    ids = random_ids(seed=seed)
    result = theirs(ids, labels=ids, output_router_logits=True)
    torch.testing.assert_close(ours(ids), result.logits, **CLOSE)
    # The last position predicts nothing, but it is routed, and counts in the balancing
    # loss.
    our_loss = transformer.next_token_loss(ours(ids)[:, :-1], ids[:, 1:])
    balancing = transformer.load_balancing_loss(
        transformer.Routing.joined(transformer.routings(ours))
    )
    torch.testing.assert_close(balancing, result.aux_loss, **CLOSE)
    our_loss = our_loss + 0.02 * balancing
    torch.testing.assert_close(our_loss, result.loss, **CLOSE)
    our_loss.backward()
    result.loss.backward()
    compare_gradients(ours, theirs, lambda named: to_transformers(named, ours.config))


def test_weight_names_are_complete():
    ours, theirs = random_models()
    mapped = to_transformers(ours.state_dict(), ours.config)
    assert mapped.keys() == theirs.state_dict().keys()
    assert sum(value.numel() for value in mapped.values()) == ours.parameter_count()
