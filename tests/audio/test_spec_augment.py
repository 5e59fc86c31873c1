import pytest
import torch

from genai_tutorial.audio.recognizer import mask_spectrograms


def test_masks_hide_one_band_and_one_stretch_of_bounded_width():
    features, lengths = torch.ones(50, 10, 40), torch.full((50,), 40)
    generator = torch.Generator().manual_seed(0)
    masked = mask_spectrograms(features, lengths, generator, 3, 8)
    bands = (masked == 0).all(dim=2).sum(dim=1)
    stretches = (masked == 0).all(dim=1).sum(dim=1)
    assert set(bands.tolist()) == {0, 1, 2, 3}
    assert set(stretches.tolist()) == set(range(9))
    hidden = bands * 40 + stretches * 10 - bands * stretches
    assert torch.equal((masked == 0).sum(dim=(1, 2)), hidden)
    assert torch.equal(features, torch.ones(50, 10, 40))  # the input is left alone


def test_stretches_lie_in_the_sound_and_not_in_the_padding():
    lengths = torch.full((80,), 12)
    masked = mask_spectrograms(
        torch.ones(80, 4, 40), lengths, torch.Generator().manual_seed(0), 0, 5
    )
    assert (masked[:, :, 12:] == 1).all()
    assert (masked[:, :, :12] == 0).any()


def test_masks_are_those_of_the_generator():
    arguments = torch.ones(2, 6, 30), torch.full((2,), 30)
    a, b = (
        mask_spectrograms(*arguments, torch.Generator().manual_seed(3)) for _ in "ab"
    )
    assert torch.equal(a, b)


def test_negative_widths_are_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        mask_spectrograms(
            torch.ones(1, 4, 9), torch.tensor([9]), torch.Generator(), most_mels=-1
        )
