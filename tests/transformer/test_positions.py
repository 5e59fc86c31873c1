import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.transformer import LearnedPositions, RotaryEmbedding


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(st.sampled_from([2, 4, 6, 32]), st.integers(1, 20), st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_rotation_keeps_lengths_and_leaves_position_zero(head_width, length, seed):
    x = random(2, length, head_width, seed=seed)
    turned = RotaryEmbedding(head_width, 20)(x)
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    torch.testing.assert_close(turned[:, 0], x[:, 0])


def test_products_depend_on_the_distance_alone():
    rotary = RotaryEmbedding(8, 40)
    query, key = rotary(random(8).expand(40, 8)), rotary(random(8, seed=1).expand(40, 8))
    products = query @ key.T
    for distance in (-7, 0, 3):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-5, rtol=1e-5)
    assert products[5].std() > 0.1  # but they do depend on it


def test_the_first_pair_turns_by_one_radian_a_position():
    turned = RotaryEmbedding(4, 3)(torch.tensor([[1.0, 0.0, 0.0, 0.0]]).expand(3, 4))
    angle = torch.arange(3.0)
    torch.testing.assert_close(turned[:, 0], angle.cos())
    torch.testing.assert_close(turned[:, 2], angle.sin())


def test_odd_widths_are_refused():
    with pytest.raises(ValueError, match=r"head_width must be even.*got 5"):
        RotaryEmbedding(5, 10)


def test_angles_are_not_part_of_a_checkpoint():
    assert RotaryEmbedding(4, 3).state_dict() == {}


def test_learned_positions_add_their_row():
    positions = LearnedPositions(5, 2)
    torch.nn.init.normal_(positions.weight)
    torch.testing.assert_close(positions(torch.zeros(3, 4, 2)), positions.weight[:4].expand(3, 4, 2))
