"""k-means, and quantizers with their codebooks."""

import math

import pytest
import torch

from genai_tutorial.vae import (
    VQVAE,
    EMAVectorQuantizer,
    VectorQuantizer,
    codebook_usage,
    k_means,
    nearest_codes,
    random_codebook,
    straight_through,
    vq_vae_loss,
)
from tests.drawn import normal


def test_k_means_finds_separate_groups_and_fills_empty_entries():
    groups = normal(3, 40, 2) * 0.1 + 10 * torch.arange(3)[:, None, None]
    generator = torch.Generator().manual_seed(4)
    vectors = groups.flatten(0, 1)
    codebook = k_means(vectors, random_codebook(vectors, 3, generator), 10, generator)
    expected = groups.mean(dim=1)
    distances = torch.cdist(expected, codebook).amin(dim=1)
    assert distances.max() < 0.1
    with pytest.raises(ValueError, match="as many vectors as codes"):
        random_codebook(normal(2, 3), 4, torch.Generator())


def test_k_means_never_makes_the_squared_error_larger():
    points = normal(200, 3)
    centres, errors = points[:8], []
    for _ in range(6):
        errors.append(torch.cdist(points, centres).amin(dim=1).square().sum())
        centres = k_means(points, centres, steps=1)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.9 * errors[0]


def test_k_means_leaves_a_centre_without_points_where_it_is():
    points = torch.tensor([[0.0], [2.0]])
    centres = k_means(points, torch.tensor([[1.0], [99.0]]))
    assert centres.flatten().tolist() == [1.0, 99.0]


def test_k_means_restarts_an_entry_without_vectors_if_it_may_choose():
    points = torch.tensor([[0.0], [2.0]])
    generator = torch.Generator().manual_seed(0)
    centres = k_means(points, torch.tensor([[1.0], [99.0]]), generator=generator)
    assert sorted(centres.flatten().tolist()) == [0.0, 2.0]


def test_nearest_codes_finds_the_nearest_entry():
    vectors, codebook = normal(50, 3), normal(7, 3, seed=1)
    indices = nearest_codes(vectors, codebook)
    for vector, index in zip(vectors, indices, strict=True):
        distances = [(vector - entry).norm() for entry in codebook]
        assert index == min(range(7), key=distances.__getitem__)


def test_straight_through_has_the_replaced_value_and_the_original_gradient():
    vectors, replaced = (normal(4, seed=n).requires_grad_() for n in (0, 1))
    out = straight_through(vectors, replaced)
    torch.testing.assert_close(out, replaced)
    (out * torch.arange(4.0)).sum().backward()
    assert vectors.grad.tolist() == [0, 1, 2, 3]
    assert replaced.grad is None


def test_ema_quantizer_entries_converge_to_the_means_of_their_vectors():
    torch.manual_seed(0)
    quantizer = EMAVectorQuantizer(codes=2, dim=1, decay=0.9)
    quantizer.codebook.copy_(torch.tensor([[-1.0], [1.0]]))
    quantizer.sums.copy_(quantizer.codebook)
    vectors = torch.tensor([[-3.0], [-5.0], [4.0], [6.0], [8.0]])
    for _ in range(200):
        quantizer(vectors)
    torch.testing.assert_close(
        quantizer.codebook, torch.tensor([[-4.0], [6.0]]), rtol=0, atol=1e-4
    )
    torch.testing.assert_close(
        quantizer.counts, torch.tensor([2.0, 3.0]), rtol=0, atol=1e-4
    )


def test_ema_quantizer_one_step_by_hand():
    quantizer = EMAVectorQuantizer(codes=2, dim=1, decay=0.5)
    quantizer.codebook.copy_(torch.tensor([[0.0], [100.0]]))
    quantizer.sums.copy_(quantizer.codebook)
    out = quantizer(torch.tensor([[3.0], [6.0]]))
    # by the codebook before it moved
    assert out.loss.item() == pytest.approx(0.25 * (9 + 36) / 2)
    # Count (1 + 2) / 2, sum (0 + 9) / 2: entry 3. The other entry was not chosen and
    # stays.
    assert quantizer.codebook.flatten().tolist() == pytest.approx([3.0, 100.0])
    assert quantizer.counts.tolist() == pytest.approx([1.5, 0.5])


def test_ema_quantizer_learns_in_training_mode_only():
    quantizer = EMAVectorQuantizer(codes=4, dim=2).eval()
    before = quantizer.codebook.clone()
    quantizer(normal(10, 2))
    assert torch.equal(quantizer.codebook, before)
    quantizer.train()
    quantizer(normal(10, 2))
    assert not torch.equal(quantizer.codebook, before)
    assert not list(quantizer.parameters())


@pytest.mark.slow
def test_ema_quantizer_unused_entries_do_not_move():
    quantizer = EMAVectorQuantizer(codes=2, dim=1, decay=0.5)
    quantizer.codebook.copy_(torch.tensor([[0.0], [100.0]]))
    quantizer.sums.copy_(quantizer.codebook)
    for _ in range(3000):
        quantizer(torch.tensor([[1.0]]))
    assert quantizer.codebook[1].item() == 100


def test_ema_quantizer_restart_replaces_only_dead_entries():
    quantizer = EMAVectorQuantizer(codes=3, dim=2)
    quantizer.counts.copy_(torch.tensor([0.1, 5.0, 0.0]))
    kept, vectors = quantizer.codebook[1].clone(), normal(4, 5, 2)
    assert quantizer.restart(vectors, torch.Generator().manual_seed(0)) == 2
    assert torch.equal(quantizer.codebook[1], kept)
    rows = vectors.flatten(0, 1).tolist()
    assert quantizer.codebook[0].tolist() in rows
    assert quantizer.codebook[2].tolist() in rows
    torch.testing.assert_close(quantizer.sums[[0, 2]], quantizer.codebook[[0, 2]])
    assert quantizer.restart(vectors, torch.Generator().manual_seed(0)) == 0


def test_codebook_usage_counts_and_perplexity():
    usage = codebook_usage(torch.tensor([[0, 0, 1], [2, 2, 2]]), codes=5)
    assert usage.counts.tolist() == [2, 1, 3, 0, 0]
    assert usage.used == 3
    shares = [2 / 6, 1 / 6, 3 / 6]
    assert usage.perplexity == pytest.approx(
        math.exp(-sum(share * math.log(share) for share in shares))
    )
    for indices, perplexity in ((torch.arange(16), 16), (torch.zeros(9).long(), 1)):
        usage = codebook_usage(indices, codes=16)
        assert usage.perplexity == pytest.approx(perplexity)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [VectorQuantizer, EMAVectorQuantizer])
def test_vq_vae_learns_and_decodes_its_own_indices(kind):
    torch.manual_seed(0)
    model = VQVAE(kind(8, 4), width=8)
    squares = torch.zeros(16, 1, 8, 8)
    for index in range(16):
        squares[index, 0, index % 4 : index % 4 + 4, index // 4 : index // 4 + 4] = 1
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = vq_vae_loss(model, squares)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    model.eval()
    words = model.encode(squares)
    assert words.indices.shape == (16, 2, 2)
    torch.testing.assert_close(
        model.decode_indices(words.indices), model.decode(words.vectors)
    )


def test_codebook_usage_refuses_an_index_outside_the_codebook():
    with pytest.raises(ValueError, match="from 0 to 3"):
        codebook_usage(torch.tensor([4]), codes=4)
