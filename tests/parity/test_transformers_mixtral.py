"""The book's mixture of experts equals transformers' Mixtral: same routing, outputs,
losses and gradients.
"""

import pytest
import torch

from genai_tutorial import transformer
from tests.decoders import mixtral
from tests.parity.weights import (
    gradients,
    llama_names,
    llama_settings,
    same,
    same_entries,
)

pytest.importorskip("transformers")

from transformers import MixtralConfig, MixtralForCausalLM
from transformers.models.mixtral.modeling_mixtral import (
    MixtralSparseMoeBlock,
    load_balancing_loss_func,
)

from tests.drawn import integers, normal, stirred

SIZES = [(4, 2), (8, 2), (5, 3), (3, 3)]  # experts, and how many a token uses


def their_config(ours):
    return MixtralConfig(
        **llama_settings(ours) | {"intermediate_size": ours.expert_hidden_width},
        num_local_experts=ours.mixture.experts,
        num_experts_per_tok=ours.mixture.experts_per_token,
        sliding_window=ours.attention.sliding_window, router_aux_loss_coef=0.02,
        attn_implementation="eager", experts_implementation="eager", bos_token_id=0,
        eos_token_id=0,
    )  # fmt: skip


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


def to_transformers(ours, config):
    names = llama_names(config.layers)
    theirs = {name: ours[mine] for name, mine in names.items() if mine in ours}
    for i in range(config.layers):
        start = f"blocks.{i}.feed_forward."
        layer = {
            name.removeprefix(start): value
            for name, value in ours.items()
            if name.startswith(start)
        }
        mixture = mixture_to_transformers(layer, config.mixture.experts)
        theirs |= {f"model.layers.{i}.mlp.{name}": mixture[name] for name in mixture}
    return theirs


def random_blocks(experts, per_token, seed):
    config = mixtral(
        11, 16, 24, 1, 2, 2, 20, experts=experts, experts_per_token=per_token
    )
    ours = transformer.MixtureOfExperts(
        config.width, config.expert_hidden_width, experts, per_token
    )
    stirred(ours, seed, 0.4)
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
    stirred(ours, seed + 1)
    theirs = MixtralForCausalLM(their_config(config))
    theirs.load_state_dict(to_transformers(ours.state_dict(), config))
    return ours, theirs


def random_ids(batch=4, length=32, seed=0):
    return integers(65, batch, length, seed=seed)


@pytest.mark.parametrize(("experts", "per_token"), SIZES)
@pytest.mark.parametrize("seed", range(3))
def test_mixture_blocks_and_gradients_are_equal(experts, per_token, seed):
    ours, theirs = random_blocks(experts, per_token, seed)
    x = normal(3, 7, 24, seed=seed)
    our_x, their_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    output, expected = ours(our_x), theirs(their_x)
    same(output, expected)
    output.square().mean().backward()
    expected.square().mean().backward()
    same(our_x.grad, their_x.grad)
    same_entries(mixture_to_transformers(gradients(ours), experts), gradients(theirs))


@pytest.mark.parametrize(("experts", "per_token"), SIZES)
def test_routing_is_equal(experts, per_token):
    ours, theirs = random_blocks(experts, per_token, seed=5)
    x = normal(40, 24, seed=5)
    ours(x)
    logits, weights, chosen = theirs.gate(x)
    same(ours.routing.logits, logits)
    same(ours.routing.weights, weights)
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
    same(ours, theirs)
    for gradient, expected in zip(
        torch.autograd.grad(ours, logits),
        torch.autograd.grad(theirs, logits),
        strict=True,
    ):
        same(gradient, expected)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "settings", [{}, {"rotary_base": 10_000, "norm_epsilon": 1e-6}]
)
def test_mixtral_logits_losses_and_gradients_are_equal(seed, settings):
    ours, theirs = random_models(seed=seed, **settings)
    ids = random_ids(seed=seed)
    result = theirs(ids, labels=ids, output_router_logits=True)
    same(ours(ids), result.logits)
    # The last position predicts nothing, but it is routed, and counts in the balancing
    # loss.
    our_loss = transformer.next_token_loss(ours(ids)[:, :-1], ids[:, 1:])
    balancing = transformer.load_balancing_loss(
        transformer.Routing.joined(transformer.routings(ours))
    )
    same(balancing, result.aux_loss)
    our_loss = our_loss + 0.02 * balancing
    same(our_loss, result.loss)
    our_loss.backward()
    result.loss.backward()
    same_entries(to_transformers(gradients(ours), ours.config), gradients(theirs))


def test_weight_names_are_complete():
    ours, theirs = random_models()
    mapped = to_transformers(ours.state_dict(), ours.config)
    assert mapped.keys() == theirs.state_dict().keys()
    assert sum(value.numel() for value in mapped.values()) == ours.parameter_count()
