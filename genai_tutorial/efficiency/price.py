"""The price of generated text: from tokens per second to dollars and watt-hours."""

SECONDS_PER_HOUR = 3600
MILLION = 1_000_000


def dollars_per_million_tokens(
    rate: float | int, dollars_per_hour: float | int
) -> float:
    """Return what a million tokens cost on a machine that is rented by the hour and
    always busy.

    Args:
        rate: Tokens per second, of all users together.
        dollars_per_hour: The machine's rent.

    Raises:
        ValueError: If the rate is not positive, or the rent is negative.

    >>> dollars_per_million_tokens(rate=1000, dollars_per_hour=3.6)
    1.0
    """
    _check(rate, "dollars_per_hour", dollars_per_hour)
    return dollars_per_hour / SECONDS_PER_HOUR / rate * MILLION


def watt_hours_per_million_tokens(rate: float | int, watts: float | int) -> float:
    """Return the energy of a million tokens in watt-hours.

    Args:
        rate: Tokens per second, of all users together.
        watts: The power that the machine draws meanwhile. Measure it at the socket: a
            virtual machine has no energy counter, and on a laptop only an administrator
            may read it.

    Raises:
        ValueError: If the rate is not positive, or the power is negative.

    >>> watt_hours_per_million_tokens(rate=100, watts=36)
    100.0
    """
    _check(rate, "watts", watts)
    return watts / SECONDS_PER_HOUR / rate * MILLION


def _check(rate: float | int, name: str, value: float | int) -> None:
    if not rate > 0:
        raise ValueError(f"rate must be above 0 tokens per second, got {rate}.")
    if not value >= 0:
        raise ValueError(f"{name} must be at least 0, got {value}.")
