"""The book's privacy accountant equals Opacus' and Google's dp-accounting.

The wheel of Opacus 1.6.0 installs folders named `benchmarks` and `examples` beside all
packages, which would hide this repository's own. So its results stand here as numbers,
computed in an environment of its own; dp-accounting is called.
"""

import pytest

from genai_tutorial.training import epsilon, renyi_divergence_of_sampled_gaussian

ORDERS = list(range(2, 65))

# opacus.accountants.analysis.rdp of Opacus 1.6.0: get_privacy_spent for the orders from
# 2 to 64, and compute_rdp of one step at the orders 2, 4, 16 and 32.
OPACUS = [
    # sampling rate, noise multiplier, steps, delta, epsilon, divergences
    (
        (0.02, 1, 300, 1e-5),
        2.592219906156736,
        (
            0.0006870766401610405,
            0.0015376088221859157,
            3.827191452341558,
            11.961782704075913,
        ),
    ),
    (
        (0.02, 0.7, 300, 1e-5),
        6.519129252707631,
        (
            0.0026751744519984575,
            0.02035591417487208,
            12.153706073124194,
            28.614843928563975,
        ),
    ),
    (
        (0.05, 2, 500, 1e-5),
        2.7748724889959693,
        (
            0.0007098115658748468,
            0.0014625632129495554,
            0.0073473141031781776,
            0.9163696095615746,
        ),
    ),
    (
        (64 / 3000, 0.6, 80, 1 / 3000),
        5.399418405177387,
        (
            0.006841096666985793,
            0.52164929064776,
            18.118238772312278,
            40.47284755743482,
        ),
    ),
    (
        (64 / 3000, 1.0, 80, 1 / 3000),
        1.2519663530366967,
        (
            0.0007817035423111209,
            0.0017629119093935778,
            3.8960315215136894,
            12.028403112992004,
        ),
    ),
]


@pytest.mark.parametrize(("run", "expected", "divergences"), OPACUS)
def test_accountant_equals_opacus(run, expected, divergences):
    assert epsilon(*run) == pytest.approx(expected, abs=1e-10)
    found = [
        renyi_divergence_of_sampled_gaussian(*run[:2], order)
        for order in (2, 4, 16, 32)
    ]
    assert found == pytest.approx(divergences, rel=1e-10)


@pytest.mark.parametrize(("run", "expected", "divergences"), OPACUS)
def test_accountant_equals_dp_accounting(run, expected, divergences):
    dp_accounting = pytest.importorskip("dp_accounting")
    rate, noise, steps, delta = run
    accountant = dp_accounting.rdp.RdpAccountant(ORDERS)
    step = dp_accounting.PoissonSampledDpEvent(
        rate, dp_accounting.GaussianDpEvent(noise)
    )
    accountant.compose(step, steps)
    assert epsilon(*run) == pytest.approx(accountant.get_epsilon(delta), rel=1e-10)


def test_fractional_orders_tighten_the_bound_little():
    """Opacus tries fractional orders too; its bound is never above ours."""
    dp_accounting = pytest.importorskip("dp_accounting")
    for (rate, noise, steps, delta), expected, _ in OPACUS:
        accountant = dp_accounting.rdp.RdpAccountant()
        step = dp_accounting.PoissonSampledDpEvent(
            rate, dp_accounting.GaussianDpEvent(noise)
        )
        accountant.compose(step, steps)
        assert 0.9 * expected < accountant.get_epsilon(delta) <= expected + 1e-9
