import math

import numpy as np
import pytest
import torch

from genai_tutorial.metrics import Interval
from genai_tutorial.notebook import claim, claims
from tests.notebook.shown import displayed


def test_claim_displays_and_stores_statement_and_measurement():
    ((data, metadata),) = displayed(
        lambda: claim("The loss is below 2.", measured={"loss": 1.87654}, holds=True)
    )
    assert data["text/plain"] == "✓ The loss is below 2. Measured: loss: 1.88."
    assert "✓ The loss is below 2." in data["text/html"]
    fact = {"statement": "The loss is below 2", "measured": "loss: 1.88", "holds": True}
    assert metadata == {"genai_tutorial": {"claim": fact}}


def test_claim_displays_and_stores_all_evidence():
    ((data, metadata),) = displayed(
        lambda: claim(
            "Most digits are read right", measured=0.93, holds=True,
            baseline={"chance": 0.1}, recorded="diffusion_steps", seeds=5, items=1200,
        )
    )  # fmt: skip
    told = "Measured: 0.930. Baseline: chance: 0.100. (1,200 items, 5 seeds, recorded)"
    assert data["text/plain"] == f"✓ Most digits are read right. {told}"
    assert data["text/html"].endswith(f"</strong> {told}</p>")
    assert metadata["genai_tutorial"]["claim"] == {
        "statement": "Most digits are read right", "measured": "0.930", "holds": True,
        "baseline": "chance: 0.100", "recorded": "diffusion_steps", "seeds": 5,
        "items": 1200,
    }  # fmt: skip


def test_claim_without_evidence_keeps_its_output_format():
    """Otherwise, every committed output would have to be regenerated."""
    ((data, metadata),) = displayed(lambda: claim("So it is", measured=4, holds=True))
    line = "border-left: 3px solid #009E73; padding: 0.1em 0 0.1em 0.75em; margin: 0.25em 0;"  # noqa: E501
    assert data == {
        "text/plain": "✓ So it is. Measured: 4.",
        "text/html": f'<p class="genai-claim" id="{claims.claim_anchor("So it is")}" '
        f'style="{line}"><strong>✓ So it is.</strong> Measured: 4.</p>',
    }
    fact = {"statement": "So it is", "measured": "4", "holds": True}
    assert metadata == {"genai_tutorial": {"claim": fact}}


@pytest.mark.parametrize(
    ("evidence", "told"),
    [
        ({"baseline": 0.1}, ". Baseline: 0.100."),
        ({"baseline": 0}, ". Baseline: 0."),
        (
            {"baseline": Interval(mean=0.5, low=0.4, high=0.6)},
            f". Baseline: {Interval(mean=0.5, low=0.4, high=0.6)}.",
        ),
        ({"versus": {"without": 0}}, ". Compared with: without: 0."),
        ({"baseline": 2, "versus": 3}, ". Baseline: 2. Compared with: 3."),
        ({"exact": True}, "."),
        ({"exact": True, "items": 40}, ". (40 items)"),
        ({"recorded": "diffusion_steps"}, ". (recorded)"),
        ({"baseline": 1, "seeds": 1, "items": 1}, ". Baseline: 1. (1 item, 1 seed)"),
    ],
)
def test_claim_displays_given_evidence(
    evidence: dict, told: str, capsys: pytest.CaptureFixture
):
    claim("So it is", measured=4, holds=True, **evidence)
    assert capsys.readouterr().out == f"✓ So it is. Measured: 4{told}\n"


@pytest.mark.parametrize(
    ("evidence", "error", "reason"),
    [
        ({"recorded": "no_such_record"}, FileNotFoundError, "There are: "),
        ({"seeds": 0}, ValueError, "seeds must be at least 1, got 0"),
        ({"items": -1}, ValueError, "items must be at least 1, got -1"),
        ({"exact": True, "baseline": 1}, ValueError, "nothing to beat"),
        ({"exact": True, "recorded": "diffusion_steps"}, ValueError, "nothing to beat"),
        ({"exact": True, "versus": 1}, ValueError, "nothing to beat"),
        ({"share": True}, ValueError, "share=True needs items"),
        ({"share": True, "items": 3}, ValueError, "got 4 of 3 items"),
    ],
)
def test_claim_rejects_invalid_evidence(
    evidence: dict, error: type[Exception], reason: str
):
    with pytest.raises(error, match=reason):
        claim("So it is", measured=4, holds=True, **evidence)


@pytest.mark.parametrize("share", [0.9, np.float32(0.9), torch.tensor(0.9)])
def test_share_of_items_has_an_interval(share):
    ((data, metadata),) = displayed(
        lambda: claim("Most are odd", measured=share, holds=True, items=20, share=True)
    )
    interval = "95% interval 0.70 to 0.97"
    told = f"✓ Most are odd. Measured: 0.900 ({interval}). (20 items)"
    assert data["text/plain"] == told
    fact = metadata["genai_tutorial"]["claim"]
    assert fact["measured"] == "0.900"
    assert fact["interval"] == interval


def test_each_of_several_shares_has_an_interval(capsys: pytest.CaptureFixture):
    shares = {"odd": 0.9, "even": 0}
    claim("Most are odd", measured=shares, holds=True, items=20, share=True)
    told = "odd: 0.900; even: 0 (95% intervals 0.70 to 0.97; 0.00 to 0.16). (20 items)"
    assert capsys.readouterr().out == f"✓ Most are odd. Measured: {told}\n"


@pytest.mark.parametrize("measured", [0.91, {"odd": 0.9, "even": 0.01}, 1.05])
def test_share_must_be_a_whole_number_of_items(measured):
    with pytest.raises(ValueError, match="whole numbers of them"):
        claim("Most are odd", measured=measured, holds=True, items=20, share=True)


def test_claim_has_link_target():
    ((data, _),) = displayed(lambda: claim("A < B & C", measured=1, holds=True))
    assert f'id="{claims.claim_anchor("A < B & C")}"' in data["text/html"]
    assert "A &lt; B &amp; C" in data["text/html"]


def test_false_claim_raises_with_measured_value():
    with pytest.raises(
        claims.ClaimError,
        match=r"did not hold: The loss is below 1\. Measured: 1\.88\.",
    ):
        claim("The loss is below 1", measured=1.87654, holds=1.87654 < 1)


def test_false_claim_traceback_hides_claim_internals():
    assert claims.ClaimError("this did not hold")._render_traceback_() == [
        "ClaimError: this did not hold"
    ]


@pytest.mark.parametrize(
    "holds", [True, np.bool_(True), np.array(1) < 2, torch.tensor(1.0) < 2]
)
def test_claim_accepts_numpy_and_torch_true(
    holds: object, capsys: pytest.CaptureFixture
):
    claim("So it is", measured=1, holds=holds)
    assert capsys.readouterr().out == "✓ So it is. Measured: 1.\n"


@pytest.mark.parametrize("holds", [np.bool_(False), torch.tensor(1.0) > 2])
def test_claim_accepts_numpy_and_torch_false(holds: object):
    with pytest.raises(claims.ClaimError):
        claim("So it is", measured=1, holds=holds)


@pytest.mark.parametrize(
    "holds", [1, 0.97, "yes", None, torch.tensor(0.97), np.array([True, True])]
)
def test_claim_rejects_truthy_values(holds: object):
    with pytest.raises(TypeError, match="write the comparison"):
        claim("Accuracy is above 90%", measured=0.97, holds=holds)


@pytest.mark.parametrize(
    ("statement", "measured", "message"),
    [(" . ", 1, "state the result"), ("So it is", {}, "at least one number")],
)
def test_claim_rejects_what_is_empty(statement: str, measured: object, message: str):
    with pytest.raises(ValueError, match=message):
        claim(statement, measured=measured, holds=True)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (7, "7"), (1234567, "1,234,567"), (0.0, "0"), (0.5, "0.500"),
        (99.96, "100"), (999.4, "999"), (999.6, "1,000"), (-1234.5, "-1,234"),
        (0.00012345, "0.000123"), (0.0000123, "1.2e-05"), (math.inf, "inf"),
        (np.float32(0.25), "0.250"), (torch.tensor(3), "3"),
    ],
)  # fmt: skip
def test_claim_numbers_have_three_significant_digits(number: object, text: str):
    assert claims.format_number(number) == text


def test_claim_interval_uses_interval_format():
    interval = Interval(mean=0.924, low=0.916, high=0.932)
    assert (
        claims.format_measured({"accuracy": interval, "images": 5})
        == f"accuracy: {interval}; images: 5"
    )


@pytest.mark.parametrize("measured", ["fast", True, [1, 2], None])
def test_claim_rejects_measurements_that_are_not_numbers(measured: object):
    # If the shape checker is active, it rejects them first.
    with pytest.raises(TypeError, match=r"must be a number|Type-check error"):
        claim("So it is", measured=measured, holds=True)
