import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from genai_tutorial.transformer import (
    MixtureOfExperts,
    Router,
    Routing,
    load_balancing_loss,
    routings,
    usage_entropy,
)
from genai_tutorial.transformer.mixture import expert_usage
from tests.drawn import normal


def mixture(seed=0, dtype=torch.float32, **sizes):
    """Return a layer with random weights, large enough that the router is certain about
    most tokens.
    """
    layer = MixtureOfExperts(
        **{"width": 6, "hidden_width": 5, "experts": 4, "per_token": 2, **sizes}
    ).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(
                torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            )
    return layer


def routed(chosen, experts):
    """Return a routing that sends tokens to the given experts, with probability 1 for
    the first.
    """
    chosen = torch.tensor(chosen)
    logits = torch.full((len(chosen), experts), -20.0).scatter(1, chosen[:, :1], 20.0)
    return Routing(
        logits,
        logits.softmax(-1),
        chosen,
        torch.full(chosen.shape, 1 / chosen.shape[1]),
    )


def token_by_token(layer, x):
    """Compute the definition, one token and one expert at a time."""
    rows = []
    for token in x.flatten(0, -2):
        probabilities = (layer.router.scores.weight @ token).softmax(-1)
        best = sorted(range(len(layer.experts)), key=lambda e: -probabilities[e])[
            : layer.router.per_token
        ]
        total = sum(probabilities[e] for e in best) if len(best) > 1 else 1
        row = sum(probabilities[e] / total * layer.experts[e](token) for e in best)
        rows.append(row if layer.shared is None else row + layer.shared(token))
    return torch.stack(rows).view(x.shape)


@given(
    st.integers(1, 6),
    st.data(),
    st.integers(0, 2),
    st.sampled_from(["swiglu", "squared_relu"]),
    st.booleans(),
)
@settings(max_examples=40)
def test_mixture_equals_loop_over_tokens_and_experts(
    experts, data, shared, activation, bias
):
    per_token = data.draw(st.integers(1, experts))
    batch, length = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 5))
    sizes = {
        "experts": experts,
        "per_token": per_token,
        "shared": shared,
        "activation": activation,
        "bias": bias,
    }
    layer = mixture(**sizes, dtype=torch.float64)
    x = normal(batch, length, 6, dtype=torch.float64).requires_grad_()
    output, expected = layer(x), token_by_token(layer, x)
    torch.testing.assert_close(output, expected)
    inputs = [x, *layer.parameters()]
    found = torch.autograd.grad(output.square().sum(), inputs)
    wanted = torch.autograd.grad(expected.square().sum(), inputs, allow_unused=True)
    for gradient, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(
            gradient, torch.zeros_like(gradient) if other is None else other
        )


def test_mixture_accepts_empty_input():
    assert mixture(shared=1)(torch.zeros(2, 0, 6)).shape == (2, 0, 6)


def test_shared_experts_equal_one_wider_layer():
    layer = mixture(shared=3)
    assert layer.shared.widen.weight.shape == (15, 6)
    x = normal(4, 6)
    with_shared = layer(x)
    shared, layer.shared = layer.shared, None
    torch.testing.assert_close(with_shared, layer(x) + shared(x))


def test_experts_run_once_per_forward_pass():
    layer, calls = mixture(), []
    for expert in layer.experts:
        expert.register_forward_hook(lambda _, inputs, __: calls.append(len(inputs[0])))
    layer(normal(5, 40, 6))
    assert len(calls) == 4
    assert sum(calls) == 5 * 40 * 2


def test_mixture_in_half_precision():
    x = normal(50, 6)
    exact, layer = mixture()(x), mixture(dtype=torch.bfloat16)
    output = layer(x.bfloat16())
    assert output.dtype == layer.routing.weights.dtype == torch.bfloat16
    assert layer.routing.probabilities.dtype == torch.float32
    # Rounding can reroute a token if two experts have nearly equal logits, so most rows
    # are compared, not all.
    close = (output.float() - exact).norm(dim=-1) < 0.05 * exact.norm(dim=-1)
    assert close.float().mean() > 0.9


def test_routing_is_not_copied_or_saved():
    layer = mixture()
    x = normal(3, 6)
    output = layer(x)
    twin = copy.deepcopy(layer)
    assert layer.routing is not None
    assert twin.routing is None
    assert torch.equal(twin(x), output)
    assert not any("routing" in name for name in layer.state_dict())


def test_routings_cover_all_layers_in_order():
    model = nn.Sequential(mixture(seed=1), nn.Identity(), mixture(seed=2))
    with pytest.raises(ValueError, match="2 MixtureOfExperts with 0 routings"):
        routings(model)
    model(normal(3, 6))
    assert [
        routing is layer.routing
        for routing, layer in zip(routings(model), model[::2], strict=True)
    ] == [True] * 2
    with pytest.raises(ValueError, match="0 MixtureOfExperts"):
        routings(nn.Linear(2, 2))


@pytest.mark.parametrize("per_token", [0, 5])
def test_mixture_rejects_more_choices_than_experts(per_token):
    with pytest.raises(ValueError, match=f"got per_token={per_token}, experts=4"):
        mixture(per_token=per_token)


def test_expert_usage_counts_choices():
    routing = routed([[0, 1], [0, 3], [0, 1], [1, 0]], experts=4)
    assert expert_usage(routing).tolist() == [0.5, 0.375, 0, 0.125]


def test_usage_entropy_is_zero_for_a_collapsed_router():
    balanced, collapsed = (
        routed([[0], [1], [2], [3]], experts=4),
        routed([[2]] * 4, experts=4),
    )
    assert usage_entropy(balanced).item() == pytest.approx(math.log(4))
    assert usage_entropy(collapsed).item() == 0


def test_load_balancing_loss_pooled_over_layers_hides_imbalance():
    layers = [routed([[0]] * 4, experts=2), routed([[1]] * 4, experts=2)]
    assert load_balancing_loss(Routing.joined(layers)).item() == pytest.approx(1)
    assert [load_balancing_loss(layer).item() for layer in layers] == pytest.approx(
        [2, 2]
    )


def test_load_balancing_loss_gradient_descent_balances():
    # All tokens lie near one direction, which the router maps to expert 0: the worst
    # start.
    tokens = normal(256, 8, seed=1) + 3 * torch.eye(8)[0]
    router = Router(8, 4, 1)
    with torch.no_grad():
        router.scores.weight.copy_(0.1 * normal(4, 8))
        router.scores.weight[0, 0] = 2.0
    assert expert_usage(router(tokens)).max() > 0.95
    optimizer = torch.optim.SGD(router.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        load_balancing_loss(router(tokens)).backward()
        optimizer.step()
    assert expert_usage(router(tokens)).max() < 0.4
