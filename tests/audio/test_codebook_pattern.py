"""Codebook patterns: layouts by hand, and that `undelay` undoes `delay`."""

import pytest
import torch

from genai_tutorial.audio import CodebookPattern, delay
from genai_tutorial.audio.codebook_pattern import undelay

PATTERNS = [
    CodebookPattern.parallel(4),
    CodebookPattern.delayed(4),
    CodebookPattern.flattened(4),
    CodebookPattern((0, 8, 9, 10)),
    CodebookPattern((2, 0, 1, 5), stride=3),
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_undelay_undoes_delay_for_every_pattern(pattern):
    codes = torch.randint(100, (3, 4, 7), generator=torch.Generator().manual_seed(0))
    columns = delay(codes, pattern, filler=-7)
    assert columns.shape == (3, 4, pattern.columns(7))
    assert (columns != -7).sum() == codes.numel()
    assert torch.equal(undelay(columns, pattern), codes)


def test_undelay_leaves_out_incomplete_steps():
    pattern = CodebookPattern.delayed(2)
    columns = delay(torch.tensor([[1, 2, 3], [4, 5, 6]]), pattern, filler=0)
    assert undelay(columns[:, :3], pattern).tolist() == [[1, 2], [4, 5]]


def test_codebook_pattern_rejects_wrong_arguments():
    for delays in ((0, -1), ()):
        with pytest.raises(ValueError, match="delay of 0 or more"):
            CodebookPattern(delays)
    with pytest.raises(ValueError, match="2 delays, but there are 3 streams"):
        delay(torch.zeros(3, 4, dtype=torch.long), CodebookPattern((0, 1)), 9)
