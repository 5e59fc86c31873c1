"""What the recipes of models that draw scenes from captions have in common."""

import dataclasses

import pytest
import torch
from torch import nn


def check_drawing(recipe, trained):
    """Check that pictures repeat, and that other captions are refused; return the
    function that draws pictures of a prompt.
    """
    loaded = recipe.wrap(trained.model, trained.notes)

    def drawn(prompt, count=1):
        options = dataclasses.replace(recipe.options, prompt=prompt, steps=2)
        return recipe.sample(loaded, options, count, seed=4).items

    prompt = "a small red circle above a large blue square"
    images = drawn(prompt, 3)
    assert images.shape == (3, 3, 32, 32)
    assert images.min() >= 0
    assert images.max() <= 1
    assert torch.equal(images, drawn(prompt, 3))
    assert drawn("").shape == (1, 3, 32, 32)
    with pytest.raises(ValueError, match="Give a prompt"):
        drawn(None)
    with pytest.raises(ValueError, match="pink"):
        drawn("a pink circle")
    return drawn


class Listener(nn.Module):
    """Remembers the captions that it is given, and predicts zeros."""

    def forward(self, x, t, condition):
        self.heard = condition
        return torch.zeros_like(x)

    def check(self):
        """Check that a tenth of the captions is empty, and half of the rest is of each
        of two kinds: all 7, or all 8.
        """
        empty = (self.heard[:, 0] == 1) & (self.heard[:, 1:] == 0).all(dim=1)
        assert 0.06 < empty.float().mean() < 0.14
        kinds = self.heard[~empty].float()
        assert (kinds == kinds[:, :1]).all()
        assert 0.4 < (kinds[:, 0] == 7).float().mean() < 0.6
