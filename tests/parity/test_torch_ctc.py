"""The forward algorithm of CTC against torch's loss and against all paths."""

from itertools import product

import pytest
import torch
from torch.nn import functional

from genai_tutorial.audio import collapse, ctc_probability


@pytest.mark.parametrize("transcript", [[], [1], [1, 1], [2, 1, 3], [3, 3, 1, 1]])
def test_ctc_probability_is_torch_ctc_loss(transcript):
    generator = torch.Generator().manual_seed(len(transcript))
    logs = torch.randn(9, 4, generator=generator).log_softmax(1)
    loss = functional.ctc_loss(
        logs[:, None], torch.tensor([transcript]), (9,), (len(transcript),),
        reduction="sum",
    )  # fmt: skip
    assert -ctc_probability(logs.exp(), transcript).log() == pytest.approx(
        loss.item(), abs=1e-5
    )


def test_ctc_probability_is_the_sum_over_all_paths():
    probabilities = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))
    sums: dict[tuple, float] = {}
    for path in product(range(3), repeat=4):
        chance = torch.stack(
            [row[k] for row, k in zip(probabilities, path, strict=True)]
        )
        key = tuple(collapse(path))
        sums[key] = sums.get(key, 0.0) + chance.prod().item()
    for transcript, wanted in sums.items():
        assert ctc_probability(probabilities, list(transcript)).item() == pytest.approx(
            wanted, abs=1e-6
        )
