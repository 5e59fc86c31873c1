import pytest
import torch

from genai_tutorial.vae import ResidualVectorQuantizer, bits_per_second, codebook_usage
from tests.drawn import normal


@pytest.fixture
def quantizer():
    """Two codebooks of two numbers: coarse steps of ten, then of one."""
    quantizer = ResidualVectorQuantizer(books=2, codes=2, dim=1).eval()
    quantizer.books[0].set_codebook(torch.tensor([[0.0], [10.0]]))
    quantizer.books[1].set_codebook(torch.tensor([[-1.0], [1.0]]))
    return quantizer


def test_residual_quantizer_sums_one_entry_of_each_book(quantizer):
    out = quantizer(torch.tensor([[0.4], [9.2], [12.0]]))
    assert out.indices.tolist() == [[0, 1], [1, 0], [1, 1]]
    assert out.vectors.flatten().tolist() == pytest.approx([1.0, 9.0, 11.0])
    torch.testing.assert_close(quantizer.decode(out.indices), out.vectors)


def test_residual_quantizer_with_fewer_books_is_coarser(quantizer):
    vectors = torch.tensor([[0.4], [9.2]])
    coarse = quantizer(vectors, books=1)
    assert coarse.vectors.flatten().tolist() == pytest.approx([0.0, 10.0])
    assert coarse.indices.shape == (2, 1)
    for books in (0, 3):
        with pytest.raises(ValueError, match="2 codebooks"):
            quantizer(vectors, books=books)


def test_residual_quantizer_passes_the_gradient_straight_through(quantizer):
    vectors = normal(5, 1).requires_grad_()
    quantizer(vectors).vectors.sum().backward()
    torch.testing.assert_close(vectors.grad, torch.ones(5, 1))


def test_residual_quantizer_loss_is_the_mean_commitment_of_the_books(quantizer):
    out = quantizer(torch.tensor([[0.5]]))
    assert out.loss.item() == pytest.approx(0.25 * (0.5**2 + 0.5**2) / 2)


def test_k_means_start_lowers_the_error_with_each_book():
    vectors, generator = normal(600, 4), torch.Generator().manual_seed(0)
    quantizer = ResidualVectorQuantizer(books=4, codes=16, dim=4).eval()
    quantizer.start(vectors, generator, steps=5)
    errors = [
        (quantizer(vectors, books).vectors - vectors).square().mean().item()
        for books in (1, 2, 3, 4)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < vectors.square().mean()
    assert errors[3] < 0.2 * errors[0]


def test_training_mode_moves_the_books_it_uses_only():
    vectors, generator = normal(200, 2), torch.Generator().manual_seed(0)
    quantizer = ResidualVectorQuantizer(books=2, codes=8, dim=2)
    quantizer.start(vectors, generator)
    before = [book.codebook.clone() for book in quantizer.books]
    quantizer(vectors + 0.5, books=1)
    assert not torch.equal(before[0], quantizer.books[0].codebook)
    assert torch.equal(before[1], quantizer.books[1].codebook)


def test_restart_brings_dead_entries_back():
    vectors, generator = normal(500, 3), torch.Generator().manual_seed(0)
    quantizer = ResidualVectorQuantizer(books=2, codes=16, dim=3)
    for book in quantizer.books:
        far = torch.full((16, 3), 100.0)
        far[0] = 0
        book.set_codebook(far)
        book.counts[1:] = 0
    assert codebook_usage(quantizer(vectors).indices[:, 0], 16).used == 1
    assert quantizer.restart(vectors, generator) == 30
    assert codebook_usage(quantizer(vectors).indices[:, 0], 16).used > 10


def test_bits_per_second_counts_every_book():
    assert bits_per_second(125, books=4, codes=256) == 4000
