"""A claim: a sentence of the book with the number measured for it, which stops the
notebook where it is not true.
"""

import hashlib
import html
import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Num
from torch import Tensor

from genai_tutorial.metrics import Interval
from genai_tutorial.notebook.output import put

_LINE = (
    "border-left: 3px solid {color}; padding: 0.1em 0 0.1em 0.75em; margin: 0.25em 0;"
)


Number = float | int | np.number | Num[np.ndarray, ""] | Num[Tensor, ""]
Measured = Number | Interval | Mapping[str, Number | Interval]


class ClaimError(AssertionError):
    """A claim of the book did not hold here."""

    def _render_traceback_(self) -> list[str]:
        # IPython calls this: the sentence is what the reader needs, not the inside of
        # `claim`.
        return [f"{type(self).__name__}: {self}"]


def claim(statement: str, *, measured: Measured, holds: object) -> None:
    """State what was found, show what was measured, and stop the notebook where it does
    not hold.

    The claim is kept with the output, from where the scoreboard page collects it.

    Args:
        statement: one sentence, with the bound that `holds` tests.
        measured: a number, an interval, or several of them by name.
        holds: a comparison: whether the statement is true of what was measured, on
            another machine too.

    Raises:
        ClaimError: If the statement does not hold; it says what was measured.
        TypeError: If `holds` is anything but true or false.

    >>> claim("Two and two make four", measured=2 + 2, holds=2 + 2 == 4)
    ✓ Two and two make four. Measured: 4.
    """
    verdict = _as_bool(holds)
    statement = statement.strip().rstrip(".")
    if not statement:
        raise ValueError(
            "A claim needs a statement, got an empty one; say in one sentence what was "
            "found."
        )
    figures = format_measured(measured)
    if not verdict:
        raise ClaimError(f"this did not hold: {statement}. Measured: {figures}.")
    anchor = claim_anchor(statement)
    put(
        {
            "text/plain": f"✓ {statement}. Measured: {figures}.",
            "text/html": f'<p class="genai-claim" id="{anchor}" style="{_LINE.format(color="#009E73")}">'  # noqa: E501
            f"<strong>✓ {html.escape(statement)}.</strong> Measured: "
            f"{html.escape(figures)}.</p>",
        },
        {
            "genai_tutorial": {
                "claim": {"statement": statement, "measured": figures, "holds": True}
            }
        },
    )


def claim_anchor(statement: str) -> str:
    """Return the name by which a page links to a claim: it depends on the statement
    alone.
    """
    return "claim-" + hashlib.sha256(statement.encode()).hexdigest()[:8]


def format_measured(measured: Measured) -> str:
    """Write what was measured with the digits that mean something.

    >>> format_measured({"loss": 1.87654, "parameters": 803_456})
    'loss 1.88, parameters 803,456'
    """
    if isinstance(measured, Mapping):
        if not measured:
            raise ValueError("measured is an empty mapping; give at least one number.")
        return ", ".join(
            f"{name} {format_measured(value)}" for name, value in measured.items()
        )
    if isinstance(measured, Interval):
        return str(measured)
    return format_number(measured)


def format_number(number: Number) -> str:
    """Write a whole number in full and any other with three significant digits.

    >>> [format_number(x) for x in (12345, 12345.6, 0.98765, 2.0, 3.14159e-7)]
    ['12,345', '12,346', '0.988', '2.00', '3.1e-07']
    """
    if hasattr(number, "item"):
        number = number.item()  # a scalar of NumPy or PyTorch
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError(
            "measured must be a number, an interval or a mapping of them, got "
            f"{number!r}."
        )
    if isinstance(number, int) or number == 0:
        return (
            f"{number:,.0f}"  # an exact zero is not 0.00, which could be anything small
        )
    if not math.isfinite(number):
        return str(number)
    if number != 0 and abs(number) < 1e-4:
        return f"{number:.1e}"
    return f"{number:,.0f}" if abs(number) >= 999.5 else f"{number:#.3g}".rstrip(".")


def _as_bool(holds: object) -> bool:
    # A number would pass for true: `holds=accuracy` where `accuracy > 0.9` was meant
    # must not go unnoticed.
    value = (
        holds.item()
        if hasattr(holds, "item") and getattr(holds, "ndim", None) == 0
        else holds
    )
    if not isinstance(value, bool):
        raise TypeError(
            f"holds must be true or false, got {holds!r}; write the comparison, such "
            "as loss < 2."
        )
    return value
