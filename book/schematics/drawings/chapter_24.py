"""The schematics of chapter 24."""

from itertools import pairwise

from book.schematics.kit import Node, Schematic


def speculative() -> Schematic:
    """Return one round of speculative decoding, and the rule at one position."""
    drawing = Schematic(
        "speculative",
        358,
        "One round of speculative decoding",
        """Left: a draft proposes four tokens; the target reads all in one pass. Two are
        accepted, the third is rejected and replaced, the fourth discarded. Right: at
        the rejected position, draft, target, their overlap 0.7, and the residual.""",
    )
    drawing.group("one round", 6, 6, 420, 346)
    drawing.group("at the rejected position", 438, 6, 236, 346)
    start, width = 126, 48

    def row(y: float, texts: tuple[str, ...], kinds: tuple[str, ...]) -> list[Node]:
        return [
            drawing.box(
                text, start + i * width, y, width, 26, kind, shape="map", face="c"
            )
            for i, (text, kind) in enumerate(zip(texts, kinds, strict=True))
        ]

    for y, name, note in (
        (66, "draft model", "4 small passes"),
        (138, "target model", "1 large pass"),
        (222, "kept with", "min(1, p / q)"),
        (294, "result", "3 new tokens"),
    ):
        drawing.text(name, 20, y, "b", "L")
        drawing.text(note, 20, y + 17, "s", "L")
    proposed = row(
        56, ("…", "is", "Nai", "robi", "and", "its"), ("data",) * 2 + ("frozen",) * 4
    )
    for before, after in pairwise(proposed[1:]):
        (x, y), (end, _) = before.top, after.top
        drawing.arrow(
            (x + 5, y), (end - 5, y), via=[(x + 5, y - 15), (end - 5, y - 15)]
        )
    one_pass = drawing.box(
        "one pass over all positions", start, 118, 6 * width, 40, "train", face=""
    )
    for token in proposed:
        drawing.arrow(token.bottom, (token.bottom[0], one_pass.y))
    result = row(
        290,
        ("…", "is", "Nai", "robi", ",", "its"),
        ("data",) * 2 + ("ok",) * 2 + ("loss", "no"),
    )
    for index, (chance, kind, word) in enumerate(
        (("1", "ok", "yes"), ("0.9", "ok", "yes"), ("0.5", "no", "no"))
    ):
        x = result[index + 2].top[0]
        drawing.arrow((x - width, 158), (x, 194), via=[(x - width, 176), (x, 176)])
        drawing.text(chance, x, 209, "c")
        verdict = drawing.box(word, x - 19, 215, 38, 25, kind, face="")
        drawing.arrow(verdict.bottom, result[index + 2].top)
    x = result[4].top[0] + 8
    drawing.text("drawn from", x, 258, "s", "L")
    drawing.text("the residual", x, 274, "s", "L")
    for token, word, shift in (
        (result[2], "accepted", width / 2),
        (result[4], "replaced", -3),
        (result[5], "discarded", 5),
    ):
        drawing.text(word, token.bottom[0] + shift, 334, "s")
    base, tall, p, q = 178, 190, (0.5, 0.3, 0.2), (0.2, 0.6, 0.2)
    for index, token in enumerate((",", "and", "in")):
        middle = 492 + 66 * index
        for side, share, kind in ((-25, q[index], "frozen"), (3, p[index], "train")):
            height = tall * share
            drawing.box("", middle + side, base - height, 22, height, kind, shape="map")
            drawing.text(f"{share:g}", middle + side + 11, base - height - 6, "c")
        drawing.text(f"{index}: {token}", middle, base + 18, "c")
    drawing.legend(458, 222, ("frozen", "draft, q"), ("train", "target, p"))
    for index, (name, numbers) in enumerate(
        (
            ("kept, min(p, q)", (0.2, 0.3, 0.2)),
            ("residual, max(p − q, 0)", (0.3, 0, 0)),
            ("together, p", p),
        )
    ):
        drawing.text(name, 452, 250 + 36 * index, "s", "L")
        for column, number in enumerate(numbers):
            drawing.text(f"{number:g}", 492 + 66 * column, 267 + 36 * index, "c")
    return drawing


def continuous_batching() -> Schematic:
    """Return static and continuous batching of four answers."""
    drawing = Schematic(
        "continuous_batching",
        286,
        "Static and continuous batching",
        """Two rows of a batch over time, for answers A to D of 2, 8, 3 and 7 tokens.
        Static: A and B, then C and D; rows of finished answers stay empty; 15 passes.
        Continuous: C follows A at once, then D; 12 passes.""",
    )
    left, step = 84, 38.5

    def bar(text: str, y: float, begin: int, length: int, kind: str = "data") -> Node:
        return drawing.box(
            text, left + begin * step, y, length * step, 30, kind, shape="map", face="s"
        )

    def timeline(y: float, title: str, passes: int) -> None:
        drawing.text(title, 10, y, "b", "L")
        for number in range(1, 16):
            if number <= passes:
                drawing.text(str(number), left + (number - 0.5) * step, y + 98, "s")
        drawing.text("pass", left - 12, y + 98, "s", "R")
        for row in (1, 2):
            drawing.text(f"row {row}", left - 12, y + 33 + 34 * (row - 1), "s", "R")

    timeline(22, "Static batches: 15 passes", 15)
    bar("A, 2 tokens", 36, 0, 2)
    bar("finished: 6 passes for nothing", 36, 2, 6, "no")
    bar("B, 8 tokens", 70, 0, 8)
    bar("C, 3 tokens", 36, 8, 3)
    bar("4 for nothing", 36, 11, 4, "no")
    bar("D, 7 tokens", 70, 8, 7)
    timeline(166, "Continuous batching: 12 passes", 12)
    bar("A, 2 tokens", 180, 0, 2)
    bar("C, 3 tokens", 180, 2, 3)
    bar("D, 7 tokens", 180, 5, 7)
    bar("B, 8 tokens", 214, 0, 8)
    bar("free for the next request", 214, 8, 4, "group")
    return drawing


def paged_cache() -> Schematic:
    """Return two texts, their tables of blocks, and the blocks in memory."""
    drawing = Schematic(
        "paged_cache",
        330,
        "A paged cache with a shared prefix",
        """Two requests begin with the same 64 tokens. Each has a table of blocks:
        7, 2, 9, 4, 0, 5, 11 and 7, 2, 9, 4, 3, 8. In memory, blocks 7, 2, 9 and 4 are
        stored once; the last block of each request is partly empty.""",
    )
    drawing.group("tables of block numbers", 6, 6, 396, 318)
    drawing.group("memory: 12 blocks of 16 tokens", 414, 6, 260, 318)
    side = 34
    tables = {}
    for top, name, note, private in (
        (70, "request 1", "64 + 38 tokens", (0, 5, 11)),
        (200, "request 2", "64 + 24 tokens", (3, 8)),
    ):
        drawing.text(name, 20, top + 16, "b", "L")
        drawing.text(note, 20, top + 34, "s", "L")
        numbers = (7, 2, 9, 4, *private)
        for place, number in enumerate(numbers):
            kind = "copy" if place < 4 else "train" if top < 100 else "ok"
            tables[top, number] = drawing.box(
                str(number),
                124 + place * 38,
                top,
                side,
                side,
                kind,
                shape="map",
                face="c",
            )
    drawing.text("the same prefix, 64 tokens", 198, 155, "s")
    drawing.arrow((198, 141), (198, 110), kind="skip")
    drawing.arrow((198, 163), (198, 194), kind="skip")
    drawing.text("question and answer", 338, 60, "s")
    drawing.text("question and answer", 326, 254, "s")
    note = "7, 2, 9 and 4 are in both tables, and in memory once"
    drawing.text(note, 20, 300, "s", "L")
    held = {7: "copy", 2: "copy", 9: "copy", 4: "copy", 0: "train", 5: "train"}
    held |= {11: "train", 3: "ok", 8: "ok"}
    filled = {11: "6 of 16", 8: "8 of 16"}
    memory = {}
    for number in range(12):
        x, y = 432 + (number % 3) * 78, 40 + (number // 3) * 68
        kind = held.get(number, "group")
        note = filled.get(number, "free" if kind == "group" else "full")
        memory[number] = drawing.box(
            str(number), x, y, 68, 52, kind, shape="map", note=note, face="c"
        )
    return drawing


def kernel_lanes() -> Schematic:
    """Return a matrix in memory row by row, and with sixteen rows side by side."""
    drawing = Schematic(
        "kernel_lanes",
        300,
        "Sixteen rows side by side",
        """Above: words in the order of the file, all words of row 0, then of row 1; one
        sum at a time. Below: word 0 of rows 0 to 15, then word 1 of all rows; one load
        fills sixteen lanes, and each lane has a row and a sum of its own.""",
    )

    def strip(y: float, words: tuple[str, ...], kinds: tuple[str, ...]) -> list[Node]:
        return [
            drawing.box(word, 16 + 72 * place, y, 72, 34, kind, shape="map", face="s")
            for place, (word, kind) in enumerate(zip(words, kinds, strict=True))
        ]

    drawing.text("In the file: row by row", 16, 24, "b", "L")
    strip(
        36,
        (
            "row 0, w0",
            "row 0, w1",
            "row 0, w2",
            "…",
            "row 1, w0",
            "row 1, w1",
            "row 1, w2",
            "…",
            "…",
        ),
        ("train", "data", "data", "data", "train", "data", "data", "data", "data"),
    )
    drawing.text("one word at a time, one sum: 15 of 16 lanes idle", 16, 90, "s", "L")
    drawing.text("For the kernel: sixteen rows side by side", 16, 130, "b", "L")
    words = strip(
        142,
        (
            "row 0, w0",
            "row 1, w0",
            "row 2, w0",
            "…",
            "row 15, w0",
            "row 0, w1",
            "row 1, w1",
            "row 2, w1",
            "…",
        ),
        ("train",) * 5 + ("data",) * 4,
    )
    drawing.text("one load", 396, 200, "s", "L")
    names = ("lane 0", "lane 1", "lane 2", "…", "lane 15")
    for word, name in zip(words[:5], names, strict=True):
        note = "" if name == "…" else "sum " + name.removeprefix("lane ")
        lane = drawing.box(name, word.x + 3, 220, 66, 52, "op", note=note, face="")
        drawing.arrow(word.bottom, lane.top)
    drawing.text("each lane works on its own row;", 396, 242, "s", "L")
    drawing.text("nothing is summed across lanes", 396, 260, "s", "L")
    return drawing


DRAWINGS = (speculative, continuous_batching, paged_cache, kernel_lanes)
