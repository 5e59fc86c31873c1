import torch

from genai_tutorial.alignment import (
    kto_losses,
)
from tests.alignment.models import normal


def test_kto_takes_a_negative_estimate_of_the_divergence_for_zero():
    numbers = normal(4, 5)
    found = kto_losses(*numbers, torch.tensor(-2.0), 0.3)
    assert torch.equal(found, kto_losses(*numbers, torch.tensor(0.0), 0.3))
