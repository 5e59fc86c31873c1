"""The book's privacy accountant equals those of Opacus and of Google's dp-accounting.

Their results stand here as numbers, computed in an environment of their own. The wheel
of Opacus 1.6.0 installs folders named `benchmarks` and `examples` beside all packages,
which would hide this repository's own, and dp-accounting 0.6.0 needs an attrs older
than the one that Jupyter's packages bring.
"""

import pytest

from genai_tutorial.training import epsilon
from genai_tutorial.training.private import renyi_divergence_of_sampled_gaussian

# opacus.accountants.analysis.rdp of Opacus 1.6.0: get_privacy_spent for the orders from
# 2 to 64, and compute_rdp of one step at the orders 2, 4, 16 and 32.
OPACUS = [
    # (sampling rate, noise multiplier, steps, delta), epsilon, divergences
    (
        (0.02, 1, 300, 1e-5), 2.592219906156736,
        (
            0.0006870766401610405, 0.0015376088221859157, 3.827191452341558,
            11.961782704075913,
        ),
    ),
    (
        (0.02, 0.7, 300, 1e-5), 6.519129252707631,
        (
            0.0026751744519984575, 0.02035591417487208, 12.153706073124194,
            28.614843928563975,
        ),
    ),
    (
        (0.05, 2, 500, 1e-5), 2.7748724889959693,
        (
            0.0007098115658748468, 0.0014625632129495554, 0.0073473141031781776,
            0.9163696095615746,
        ),
    ),
    (
        (64 / 3000, 0.6, 80, 1 / 3000), 5.399418405177387,
        (0.006841096666985793, 0.52164929064776, 18.118238772312278, 40.47284755743482),
    ),
    (
        (64 / 3000, 1.0, 80, 1 / 3000), 1.2519663530366967,
        (
            0.0007817035423111209, 0.0017629119093935778, 3.8960315215136894,
            12.028403112992004,
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("run", "expected", "divergences"), OPACUS)
def test_accountant_equals_opacus(run, expected, divergences):
    assert epsilon(*run) == pytest.approx(expected, abs=1e-10)
    found = [
        renyi_divergence_of_sampled_gaussian(*run[:2], order)
        for order in (2, 4, 16, 32)
    ]
    assert found == pytest.approx(divergences, rel=1e-10)


# dp_accounting.rdp.RdpAccountant(range(2, 65)) of dp-accounting 0.6.0, and Opacus'
# RDPAccountant with its own orders, fractional ones among them, for the same runs.
DP_ACCOUNTING = (
    2.5922199061567444, 6.519129252707637, 2.7748724889960084, 5.399418405177385,
    1.2519663530366956,
)  # fmt: skip
FRACTIONAL_ORDERS = (
    2.563383192715754, 6.385379811987044, 2.768584530797209, 5.009787643331517,
    1.2450673851860399,
)  # fmt: skip


def test_accountant_equals_dp_accounting():
    found = [epsilon(*run) for run, _, _ in OPACUS]
    assert found == pytest.approx(DP_ACCOUNTING, abs=1e-10)


def test_fractional_orders_tighten_the_bound_by_less_than_a_tenth():
    for (run, _, _), tighter in zip(OPACUS, FRACTIONAL_ORDERS, strict=True):
        assert tighter <= epsilon(*run) < 1.1 * tighter
