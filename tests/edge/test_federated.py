"""The average of clients' updates, and what one client sends."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.edge import adamw, federated_average, local_update
from genai_tutorial.training import TokenBatches
from tests.edge.models import CONFIGS, disturbed, tokens


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=5), st.integers(0, 1000))
@settings(max_examples=20)
def test_federated_average_does_not_depend_on_the_unit_or_order(weights, seed):
    generator = torch.Generator().manual_seed(seed)
    states = [{"w": torch.randn(3, generator=generator)} for _ in weights]
    expected = federated_average(states, weights)["w"]
    for other, values in (
        (weights, states),
        ([7 * weight for weight in weights], states),
        (weights[::-1], states[::-1]),
    ):
        torch.testing.assert_close(federated_average(values, other)["w"], expected)


@pytest.mark.parametrize(
    ("states", "weights", "message"),
    [
        ([], [], "at least one"),
        ([{"w": torch.ones(1)}], [1, 2], "as many weights"),
        ([{"w": torch.ones(1)}], [0], "not all 0"),
        ([{"w": torch.ones(1)}, {"w": torch.ones(2)}], [1, 1], "same parameters"),
    ],
)
def test_federated_average_checks_the_clients(states, weights, message):
    with pytest.raises(ValueError, match=message):
        federated_average(states, weights)


@torch.no_grad()
def test_local_update_leads_from_the_servers_model_to_the_clients():
    model = disturbed(CONFIGS["fast"])
    before = {name: value.clone() for name, value in model.named_parameters()}

    def sent():
        batches = TokenBatches(tokens(0, 60), 8, 4, 0)
        with torch.enable_grad():
            return local_update(model, batches, 3, adamw(1e-2))

    update, first = sent()
    for name, parameter in model.named_parameters():
        assert torch.equal(before[name], parameter)  # the server's model is unchanged
        parameter += update[name]
    _, later = sent()
    assert later < first
