"""Prices by hand, and as ratios."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.efficiency import (
    dollars_per_million_tokens,
    watt_hours_per_million_tokens,
)


def test_price_of_a_laptop_by_hand():
    """A million tokens at 250 per second take 4,000 s; at 45 W that is 50 Wh."""
    assert watt_hours_per_million_tokens(250, watts=45) == pytest.approx(50)
    assert dollars_per_million_tokens(250, dollars_per_hour=0.9) == pytest.approx(1)


@given(st.floats(0.1, 1e6), st.floats(0, 1e3), st.floats(1, 100))
def test_price_falls_with_the_rate(rate, hourly, times):
    faster = dollars_per_million_tokens(rate * times, hourly)
    assert faster * times == pytest.approx(dollars_per_million_tokens(rate, hourly))


@pytest.mark.parametrize(
    "price", [dollars_per_million_tokens, watt_hours_per_million_tokens]
)
def test_price_rejects_invalid_arguments(price):
    with pytest.raises(ValueError, match="rate must be above 0"):
        price(0, 1)
    with pytest.raises(ValueError, match="must be at least 0, got -1"):
        price(1, -1)
