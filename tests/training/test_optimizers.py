import copy

import pytest
import torch
from torch import nn

from genai_tutorial.training import (
    AdamW,
    Muon,
    OptimizerSettings,
    build_optimizer,
    clip_gradients,
    orthogonalize,
    parameter_groups,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM


@pytest.mark.parametrize("shape", [(16, 16), (64, 16), (16, 64), (3, 16, 24)])
@pytest.mark.parametrize("seed", range(5))
def test_orthogonalize_brings_singular_values_near_one(shape, seed):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 7
    values = torch.linalg.svdvals(orthogonalize(matrices, iterations=8))
    assert values.min() > 0.65
    assert values.max() < 1.25


def test_orthogonalize_keeps_the_directions():
    matrix = torch.randn(12, 20, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    # diagonal if and only if the singular vectors are the same
    core = u.T @ orthogonalize(matrix) @ v.T
    assert (core - core.diag().diag()).abs().max() < 1e-4


def test_orthogonalize_treats_a_stack_matrix_by_matrix():
    stack = torch.randn(4, 10, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        orthogonalize(stack), torch.stack([orthogonalize(matrix) for matrix in stack])
    )


def test_orthogonalize_keeps_zeros():
    assert not orthogonalize(torch.zeros(4, 4)).any()


def test_build_optimizer_covers_each_parameter_once():
    model = DecoderLM(DecoderConfig.fast(vocab_size=11, width=16, heads=2, layers=2))
    optimizer = build_optimizer(model)
    trained = [
        parameter for group in optimizer.param_groups for parameter in group["params"]
    ]
    assert (
        len(trained)
        == len({id(parameter) for parameter in trained})
        == len(list(model.parameters()))
    )
    muon, adamw = optimizer.optimizers
    assert isinstance(muon, Muon)
    assert isinstance(adamw, AdamW)
    inner = [
        p
        for name, p in model.named_parameters()
        if ".attention." in name or ".feed_forward." in name
    ]
    assert {id(p) for p in muon.param_groups[0]["params"]} == {
        id(p) for p in inner if p.dim() == 2
    }


def test_build_optimizer_sets_the_learning_rates():
    model = DecoderLM(DecoderConfig.fast(vocab_size=11, width=16, heads=2, layers=1))
    settings = OptimizerSettings(
        matrix_lr=1.0, embedding_lr=2.0, head_lr=3.0, vector_lr=4.0
    )
    groups = build_optimizer(model, settings).param_groups
    assert [group["lr"] for group in groups] == [1.0, 2.0, 3.0, 4.0]
    assert groups[1]["params"] == [model.token_embedding.weight]
    assert groups[2]["params"] == [model.head.weight]


def test_build_optimizer_ignores_frozen_parameters():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[0].requires_grad_(False)
    assert {name: len(group) for name, group in parameter_groups(model).items()} == {
        "matrices": 1,
        "kernels": 0,
        "embeddings": 0,
        "head": 0,
        "vectors": 1,
    }
    with pytest.raises(ValueError, match="nothing to train"):
        build_optimizer(model.requires_grad_(False))


def test_build_optimizer_gives_kernels_to_muon_only_with_kernel_lr():
    model = nn.Sequential(nn.Conv2d(4, 8, 3), nn.Linear(8, 8))
    (muon, adamw) = build_optimizer(
        model, OptimizerSettings(matrix_lr=1.0, kernel_lr=2.0)
    ).optimizers
    assert [(group["lr"], len(group["params"])) for group in muon.param_groups] == [
        (1.0, 1),
        (2.0, 1),
    ]
    assert muon.param_groups[1]["params"] == [model[0].weight]
    (muon, adamw) = build_optimizer(model).optimizers
    assert muon.param_groups[0]["params"] == [model[1].weight]
    assert any(
        parameter is model[0].weight for parameter in adamw.param_groups[0]["params"]
    )


def test_muon_flattens_kernels_to_one_row_per_output():
    generator = torch.Generator().manual_seed(0)
    start, slope = (
        torch.randn(8, 4, 3, 3, generator=generator),
        torch.randn(8, 4, 3, 3, generator=generator),
    )
    kernels = nn.Parameter(start.clone().to(memory_format=torch.channels_last))
    matrix = nn.Parameter(start.flatten(1).clone())
    kernels.grad, matrix.grad = slope.clone(), slope.flatten(1).clone()
    Muon([kernels], lr=0.1).step()
    Muon([matrix], lr=0.1).step()
    torch.testing.assert_close(kernels.detach().flatten(1), matrix.detach())
    assert (kernels - start).abs().max() > 1e-3


def test_combined_optimizer_restores_its_state():
    def make():
        model = DecoderLM(
            DecoderConfig.fast(vocab_size=11, width=16, heads=2, layers=1)
        )
        return model, build_optimizer(model)

    def move(model, optimizer, times):
        for step in range(times):
            optimizer.zero_grad()
            ids = torch.arange(step, step + 8).remainder(11)[None]
            model(ids).square().mean().add(model(ids).mean()).backward()
            optimizer.step()

    model, optimizer = make()
    move(model, optimizer, 3)
    restored, restored_optimizer = make()
    restored.load_state_dict(model.state_dict())
    restored_optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    move(model, optimizer, 2)
    move(restored, restored_optimizer, 2)
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.parameters(), restored.parameters(), strict=True)
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda w: Muon([w], lr=-1.0), "lr=-1.0"),
        (lambda w: Muon([w], momentum=1.0), "momentum from 0 to below 1"),
        (
            lambda w: Muon([nn.Parameter(torch.zeros(3))]),
            r"only matrices and kernels, got a parameter of shape \(3,\)",
        ),
        (lambda w: AdamW([w], lr=float("nan")), "lr=nan"),
        (
            lambda w: AdamW([w], betas=(0.9, 1.0)),
            r"betas must be two numbers from 0 to below 1, got \(0.9, 1.0\)",
        ),
        (lambda w: AdamW([w], epsilon=0.0), "epsilon=0.0"),
    ],
)
def test_optimizers_refuse_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make(nn.Parameter(torch.zeros(3, 3)))


@pytest.mark.parametrize("max_norm", [0.01, 1.0, 1e6])
def test_clip_gradients_equals_torch(max_norm):
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2))
    model(
        torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    ).square().sum().backward()
    model[2].bias.grad = None  # a parameter that took no part
    copied = copy.deepcopy(model)
    for ours, theirs in zip(model.parameters(), copied.parameters(), strict=True):
        theirs.grad = None if ours.grad is None else ours.grad.clone()
    norm = clip_gradients(list(model.parameters()), max_norm)
    expected = torch.nn.utils.clip_grad_norm_(copied.parameters(), max_norm)
    torch.testing.assert_close(norm, expected, rtol=1e-6, atol=0)
    for ours, theirs in zip(model.parameters(), copied.parameters(), strict=True):
        if theirs.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=0)


@pytest.mark.parametrize("count", [0, 2])
def test_clip_gradients_without_gradients_returns_zero(count):
    parameters = [nn.Parameter(torch.ones(3)) for _ in range(count)]
    norm = clip_gradients(parameters, 1.0)
    expected = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    torch.testing.assert_close(norm, expected)
    assert norm == 0
    assert all(parameter.grad is None for parameter in parameters)
