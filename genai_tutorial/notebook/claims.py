"""Claims: statements of the book with the numbers measured for them. A claim that does
not hold stops the notebook.
"""

import hashlib
import html
import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Num
from torch import Tensor

from genai_tutorial.metrics import Interval, wilson_interval
from genai_tutorial.runtime import record

from .figures import put

_LINE = (
    "border-left: 3px solid {color}; padding: 0.1em 0 0.1em 0.75em; margin: 0.25em 0;"
)


Number = float | int | np.number | Num[np.ndarray, ""] | Num[Tensor, ""]
Measured = Number | Interval | Mapping[str, Number | Interval]


class ClaimError(AssertionError):
    """Raised when a claim does not hold."""

    def _render_traceback_(self) -> list[str]:
        # IPython calls this. Readers need the message, not a traceback through `claim`.
        return [f"{type(self).__name__}: {self}"]


def claim(
    statement: str,
    *,
    measured: Measured,
    holds: object,
    baseline: Measured | None = None,
    versus: Measured | None = None,
    recorded: str | None = None,
    exact: bool = False,
    seeds: int | None = None,
    items: int | None = None,
    share: bool = False,
) -> None:
    """State a result, show the number measured for it, and stop the notebook if the
    statement does not hold. The call is in a separate cell, tagged `claim`, whose code
    every viewer folds.

    Every claim in a chapter has a `baseline`, or is measured `versus` something, or is
    `recorded`, or is `exact`. All arguments are stored with the output, where the
    scoreboard page finds them.

    Args:
        statement: One sentence of at most 18 words, including the bound that `holds`
            tests.
        measured: A number, an interval, or a mapping from names to them.
        holds: The comparison that makes the statement true. It should also hold on
            other machines.
        baseline: Score of the strongest cheap rule on the same measure, computed in the
            same cell.
        versus: What `measured` is compared with, if the statement itself compares two
            settings: the number of the other one.
        recorded: Name of the results file that the number was read from, if it was not
            measured in this run.
        exact: True if the statement is an identity or an equality, with a library or
            with a calculation by hand, and so has nothing to beat.
        seeds: Number of random seeds behind the number.
        items: Number of test items behind the number.
        share: True if `measured` is a share of the `items`, or several such shares, and
            the items do not depend on each other. The claim then shows Wilson's
            interval.

    Raises:
        ClaimError: If the statement does not hold. The message contains the numbers.
        FileNotFoundError: If there is no record called `recorded`.
        TypeError: If `holds` is anything but true or false.
        ValueError: If the statement is empty, `seeds` or `items` is below 1, a claim
            that is `exact` has a baseline or a record, or a `share` is not a whole
            number of `items`.

    >>> claim("Two and two make four", measured=2 + 2, holds=2 + 2 == 4, exact=True)
    ✓ Two and two make four. Measured: 4.
    >>> claim("Most answers are right", measured=0.93, holds=0.93 > 0.5, baseline=0.1)
    ✓ Most answers are right. Measured: 0.930. Baseline: 0.100.
    >>> claim("Most are odd", measured=0.9, holds=True, items=20, share=True)
    ✓ Most are odd. Measured: 0.900 (95% interval 0.70 to 0.97). (20 items)
    """
    verdict = _as_bool(holds)
    statement = statement.strip().rstrip(".")
    if not statement:
        raise ValueError(
            "A claim needs a statement, got an empty one; state the result in one "
            "sentence."
        )
    figures = format_measured(measured)
    evidence = _evidence(baseline, versus, recorded, exact, seeds, items)
    if share:
        evidence["interval"] = _share_intervals(measured, items)
    interval = f" ({evidence['interval']})" if share else ""
    found = f"Measured: {figures}{interval}.{_spoken(evidence)}"
    if not verdict:
        raise ClaimError(f"this did not hold: {statement}. {found}")
    anchor = claim_anchor(statement)
    put(
        {
            "text/plain": f"✓ {statement}. {found}",
            "text/html": f'<p class="genai-claim" id="{anchor}" style="{_LINE.format(color="#009E73")}">'  # noqa: E501
            f"<strong>✓ {html.escape(statement)}.</strong> {html.escape(found)}</p>",
        },
        {
            "genai_tutorial": {
                "claim": {
                    "statement": statement,
                    "measured": figures,
                    "holds": True,
                    **evidence,
                }
            }
        },
    )


def _evidence(
    baseline: Measured | None,
    versus: Measured | None,
    recorded: str | None,
    exact: bool,
    seeds: int | None,
    items: int | None,
) -> dict[str, str | int | bool]:
    # Only arguments that were given: a new option leaves the outputs of other
    # claims unchanged.
    if exact and not (baseline is None and versus is None and recorded is None):
        raise ValueError(
            "A claim that is exact has nothing to beat and comes from this run, got a "
            "baseline, versus or a record as well; leave out exact, or the others."
        )
    for name, count in (("seeds", seeds), ("items", items)):
        if count is not None and count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}.")
    if recorded is not None:
        record(recorded)
    given = {
        "baseline": None if baseline is None else format_measured(baseline),
        "versus": None if versus is None else format_measured(versus),
        "recorded": recorded,
        "exact": exact or None,
        "seeds": seeds,
        "items": items,
    }
    return {name: value for name, value in given.items() if value is not None}


def _share_intervals(measured: Measured, items: int | None) -> str:
    shares = measured.values() if isinstance(measured, Mapping) else [measured]
    found = [_share_interval(share, items) for share in shares]
    return f"95% interval{'s' * (len(found) > 1)} {'; '.join(found)}"


def _share_interval(share: Number, items: int | None) -> str:
    number = not isinstance(share, Interval) and items is not None
    successes = float(share) * items if number else math.nan
    if not abs(successes - np.round(successes)) < 1e-3 or not 0 <= successes <= items:
        raise ValueError(
            "share=True needs items and whole numbers of them, divided by their "
            f"number, got {share!r} of {items!r} items."
        )
    interval = str(wilson_interval(round(successes), items))
    return interval.partition("interval ")[2].removesuffix(")")


def _spoken(evidence: Mapping[str, str | int | bool]) -> str:
    titles = {"baseline": "Baseline", "versus": "Compared with"}
    opponents = "".join(
        f" {title}: {evidence[name]}."
        for name, title in titles.items()
        if name in evidence
    )
    details = [
        f"{evidence[name]:,} {name if evidence[name] > 1 else name.removesuffix('s')}"
        for name in ("items", "seeds")
        if name in evidence
    ]
    details += ["recorded"] * ("recorded" in evidence)
    return opponents + (f" ({', '.join(details)})" if details else "")


def claim_anchor(statement: str) -> str:
    """Return the HTML anchor of a claim, which depends on its statement alone."""
    return "claim-" + hashlib.sha256(statement.encode()).hexdigest()[:8]


def format_measured(measured: Measured) -> str:
    """Format measured numbers with their significant digits."""
    if isinstance(measured, Mapping):
        if not measured:
            raise ValueError("measured is an empty mapping; give at least one number.")
        return "; ".join(
            f"{name}: {format_measured(value)}" for name, value in measured.items()
        )
    if isinstance(measured, Interval):
        return str(measured)
    return format_number(measured)


def format_number(number: Number) -> str:
    """Format an integer in full and any other number with three significant digits."""
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
    # A nonzero number counts as true, so `holds=accuracy` instead of
    # `accuracy > 0.9` would go unnoticed.
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
