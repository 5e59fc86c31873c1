"""The schematics of chapter 32."""

from collections.abc import Sequence

from book.schematics.kit import Schematic

WORDS = ("to", "be", "or", "not", "to", "be")


def row(
    drawing: Schematic,
    words: Sequence[str],
    visible: Sequence[int],
    x: float,
    y: float,
    width: float = 46,
) -> None:
    """Draw a row of tokens; the others are masked."""
    for place, word in enumerate(words):
        shown = place in visible
        drawing.box(
            word if shown else "?",
            x + width * place,
            y,
            width - 6,
            28,
            "ok" if shown else "group",
            face="" if shown else "s",
            shape="map",
        )


def masking() -> Schematic:
    """Return the forward process, and the one network that inverts it."""
    drawing = Schematic(
        "masked_diffusion",
        236,
        "Masked diffusion: the forward process and its inversion",
        """Three rows of six tokens. At t = 0 all are visible, at one half three are
        masked, at 1 all. Downwards tokens are masked at random, without learning.
        Upwards one Transformer predicts all masked tokens, and a rule keeps some.""",
    )
    for time, visible, y in (
        ("t = 0", range(6), 36),
        ("t = ½", (0, 2, 5), 102),
        ("t = 1", (), 168),
    ):
        drawing.text(time, 196, y + 19, "b", "R")
        row(drawing, WORDS, visible, 212, y)
    drawing.arrow((118, 36), (118, 196), "")
    drawing.text("mask tokens", 66, 104, "b")
    drawing.text("at random:", 66, 122, "s")
    drawing.text("nothing to learn", 62, 138, "s")
    network = drawing.box(
        "Transformer",
        530,
        78,
        132,
        76,
        "train",
        note="no causal mask,\nall tokens at once",
    )
    drawing.arrow((490, 182), (596, 154), via=[(596, 182)])
    drawing.arrow(network.top, (492, 50), via=[(596, 50)])
    drawing.text("all masked tokens", 586, 206, "s")
    drawing.text("in one call", 586, 222, "s")
    drawing.text("a rule keeps some", 586, 38, "s")
    drawing.legend(212, 222, ("ok", "visible"), ("group", "masked"))
    return drawing


def orders() -> Schematic:
    """Return three orders of filling a row, with the call that fills each token."""
    drawing = Schematic(
        "unmasking_orders",
        218,
        "Three orders of filling eight tokens",
        """Eight tokens, with the call that fills each. Left to right: 1 to
        8. Masked, the surest first: 2 1 3 1 2 1 3 2, three calls. In two blocks of
        four, with a cache of the finished block: 1 2 1 2, then 3 4 3 3.""",
    )
    for line, (name, note, calls, total) in enumerate(
        (
            (
                "left to right",
                "each sees what is before it",
                "12345678",
                "8 calls of 1 token, cached",
            ),
            (
                "surest first",
                "each sees all that is filled",
                "21312132",
                "3 calls of 8 tokens",
            ),
            (
                "in blocks",
                "surest first within a block",
                "12123433",
                "4 calls of 4 tokens, cached",
            ),
        )
    ):
        y = 30 + 62 * line
        drawing.text(name, 14, y + 13, "b", "L")
        drawing.text(note, 14, y + 30, "s", "L")
        for place, call in enumerate(calls):
            x = 190 + 36 * place + (14 if line == 2 and place > 3 else 0)
            drawing.box(
                call, x, y, 32, 32, "train" if call == "1" else "data", shape="map"
            )
        drawing.text(total, 500, y + 21, "s", "L")
    drawing.text(
        "the number of the call that fills a token; thick: the first call",
        334,
        212,
        "s",
    )
    return drawing


DRAWINGS = (masking, orders)
