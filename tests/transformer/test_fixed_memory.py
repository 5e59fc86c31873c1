"""The three forms of a memory of fixed size agree, and follow the rules by hand."""

import pytest
import torch
from torch.nn import functional

from genai_tutorial.transformer import (
    chunked_memory,
    parallel_memory,
    recurrent_memory,
)
from genai_tutorial.transformer.fixed_memory import CHUNK

GATES = {
    "add": (False, False),
    "decay": (True, False),
    "delta": (False, True),
    "gated delta": (True, True),
}


def drawn(kind, length=10, seed=0, with_state=True):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    query, key = functional.normalize(normal(2, 2, 3, length, 5), dim=-1)
    log_decay, beta = normal(2, 2, 3, length).sigmoid()
    decays, replaces = GATES[kind]
    return [
        query,
        key,
        normal(2, 3, length, 4),
        log_decay.log() if decays else None,
        2 * beta if replaces else None,
        normal(2, 3, 5, 4) if with_state else None,
    ]


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("with_state", [True, False])
def test_parallel_form_equals_the_loop(kind, with_state):
    inputs = drawn(kind, with_state=with_state)
    for ours, loop in zip(
        parallel_memory(*inputs), recurrent_memory(*inputs), strict=True
    ):
        torch.testing.assert_close(ours, loop, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", GATES)
def test_chunked_form_equals_the_loop_over_several_chunks(kind):
    inputs = drawn(kind, length=2 * CHUNK + 3)
    for ours, loop in zip(
        chunked_memory(*inputs), recurrent_memory(*inputs), strict=True
    ):
        torch.testing.assert_close(ours, loop, rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", GATES)
def test_gradients_of_the_chunks_equal_those_of_the_loop(kind):
    inputs = drawn(kind, length=CHUNK + 5)
    needed = [x.requires_grad_() for x in inputs if x is not None]
    gradients = [
        torch.autograd.grad(form(*inputs)[0].square().sum(), needed)
        for form in (recurrent_memory, chunked_memory)
    ]
    for loop, chunks in zip(*gradients, strict=True):
        torch.testing.assert_close(chunks, loop, rtol=1e-9, atol=1e-9)


def test_state_continues_a_text():
    inputs = drawn("gated delta", length=9)
    whole, end = recurrent_memory(*inputs)
    *streams, state = inputs
    parts = []
    for piece in (slice(0, 4), slice(4, 9)):
        read, state = chunked_memory(*(x[:, :, piece] for x in streams), state)
        parts.append(read)
    torch.testing.assert_close(torch.cat(parts, dim=2), whole)
    torch.testing.assert_close(state, end)


def test_strong_decay_gives_finite_gradients():
    query, key, value, log_decay, beta, _ = drawn("gated delta", length=40)
    log_decay = (60 * log_decay).requires_grad_()
    chunked_memory(query, key, value, log_decay, beta)[0].sum().backward()
    assert log_decay.grad.isfinite().all()


def test_delta_rule_with_orthonormal_keys_keeps_the_newest_value():
    key = torch.eye(3)[[0, 1, 2, 1]][None, None]
    value = torch.tensor([[1.0], [2.0], [3.0], [9.0]])[None, None]
    _, state = recurrent_memory(key, key, value, beta=torch.ones(1, 1, 4))
    assert state.flatten().tolist() == [1.0, 9.0, 3.0]


def test_beta_of_two_flips_the_sign():
    bits = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    key = torch.ones(1, 1, 6, 1)
    read, _ = recurrent_memory(
        key, key, 0 * key, beta=2 * bits[None, None], state=torch.ones(1, 1, 1, 1)
    )
    assert read.flatten().tolist() == [-1, -1, 1, -1, -1, 1]
