"""A phone's arithmetic: whether a model fits, how fast it can write, and how long the
battery lasts.

Nothing here is measured: it is computed from published constants, and the speed is an
upper bound.
"""

from dataclasses import dataclass

from genai_tutorial.efficiency import (
    MACHINES,
    Machine,
    ModelShape,
    attainable_rate,
    count,
)
from genai_tutorial.transformer import DecoderConfig

# Liu et al., MobileLLM, section 1: about 0.1 J per token and billion weights; a charged
# iPhone holds about 50 kJ; phones have 6 to 12 GB of memory, of which an app should use
# no more than a tenth. https://arxiv.org/abs/2402.14905
JOULES_PER_TOKEN_AND_WEIGHT = 0.1 / 1e9
"""The energy of a generated token, per weight of the model."""


@dataclass(frozen=True)
class Phone:
    """A phone: its speed, the memory that one app may use, and a full charge."""

    machine: Machine
    app_bytes: float
    battery_joules: float


PHONE = Phone(MACHINES["phone"], app_bytes=0.1 * 12e9, battery_joules=50e3)
"""A phone with the larger of the paper's memories, and an iPhone's battery."""


@dataclass(frozen=True)
class PhoneBudget:
    """A model's needs on a phone.

    Attributes:
        fits: True if they fit into the memory of one app.
        tokens_per_second: The most tokens per second that the memory's bandwidth and
            the arithmetic allow.
        tokens_per_charge: The number of tokens that empty the battery.
    """

    weight_bytes: float
    fits: bool
    tokens_per_second: float
    joules_per_token: float
    tokens_per_charge: float

    def hours_per_charge(self, tokens_per_second: float | int) -> float:
        """Return the hours of writing at this rate until the battery is empty.

        Raises:
            ValueError: If the rate is not positive.
        """
        if not tokens_per_second > 0:
            raise ValueError(
                f"tokens_per_second must be above 0, got {tokens_per_second}."
            )
        return self.tokens_per_charge / tokens_per_second / 3600


def phone_budget(model: ModelShape | DecoderConfig, bits: float | int) -> PhoneBudget:
    """Return what a model needs on `PHONE`.

    The energy per token is a rule of thumb, which does not depend on the number of bits
    per weight.

    Args:
        model: A model's shape, or the settings of one of the book's decoders.
        bits: Bits per weight, scales included.

    Raises:
        ValueError: If `bits` is not positive.

    Source: Liu et al., MobileLLM, section 1, https://arxiv.org/abs/2402.14905

    >>> from genai_tutorial.efficiency import model_sizes
    >>> budget = phone_budget(model_sizes.LLAMA_3_1_8B, bits=4)
    >>> budget.fits, round(budget.tokens_per_second), round(budget.joules_per_token, 2)
    (False, 20, 0.8)
    """
    if not bits > 0:
        raise ValueError(f"bits must be above 0, got {bits}.")
    weights = count(model).parameters
    joules = weights * JOULES_PER_TOKEN_AND_WEIGHT
    size = weights * bits / 8
    return PhoneBudget(
        weight_bytes=size,
        fits=size <= PHONE.app_bytes,
        tokens_per_second=attainable_rate(PHONE.machine, model, bits),
        joules_per_token=joules,
        tokens_per_charge=PHONE.battery_joules / joules,
    )
