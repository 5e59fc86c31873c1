"""The schematics of chapter 16."""

from book.schematics.kit import Schematic


def sandbox() -> Schematic:
    """Return the way of a program through the sandbox."""
    drawing = Schematic(
        "sandbox",
        296,
        "A sandbox for programs that nobody has read",
        """A program and its tests go into a forked process, which gives up its rights
        first: Landlock for files, a system-call filter for network and processes,
        limits of 0.5 s and 256 MiB. Six verdicts come back; nothing else gets out.""",
    )
    program = drawing.box("program", 10, 87, 118, 52, note="and its tests")
    drawing.text("before it, a program", 69, 168, "s")
    drawing.text("that must pass and", 69, 184, "s")
    drawing.text("one that must fail", 69, 200, "s")
    drawing.group("a forked process", 160, 10, 346, 190)
    rights = (
        ("Landlock", "files"),
        ("system-call filter", "network, processes"),
        ("resource limits", "0.5 s, 256 MiB"),
    )
    gates = [
        drawing.box(name, 176, 42 + 50 * row, 152, 42, "op", note=note, face="")
        for row, (name, note) in enumerate(rights)
    ]
    run = drawing.box("run", 412, 78, 80, 70, "train", note="line by line")
    drawing.arrow(program.right, gates[1].left)
    drawing.arrow(gates[1].right, run.left, "rights are\ngiven up", shift=(0, -9))
    for row, (verdict, kind) in enumerate(
        (
            ("passed", "ok"),
            ("wrong", "no"),
            ("raised", "no"),
            ("out of time", "no"),
            ("out of memory", "no"),
            ("forbidden", "no"),
        )
    ):
        drawing.box(verdict, 558, 22 + 31 * row, 112, 26, kind, shape="map", face="")
    drawing.arrow(run.right, (556, run.right[1]))
    drawing.text("one verdict", 616, 222, "s")
    outside = [
        drawing.box(name, x, 250, width, 34, "data", face="")
        for name, x, width in (
            ("your files", 176, 96),
            ("the network", 288, 100),
            ("other processes", 404, 124),
        )
    ]
    drawing.text("your machine", 69, 272, "b")
    for node in outside:
        x = node.top[0]
        drawing.arrow((x, 200), (x, 226), kind="back")
        drawing.text("✗", x, 243, "b")
    return drawing


def fill_in_the_middle() -> Schematic:
    """Return a document, and the two orders of its pieces for training."""
    drawing = Schematic(
        "fill_in_the_middle",
        300,
        "Fill in the middle: PSM and SPM",
        """A document of three pieces: prefix def double(x), middle y = x + x, suffix
        return y. In PSM the order is prefix, suffix, middle, each behind its marker; in
        SPM the suffix comes first. The model generates the middle, at the end.""",
    )
    wide = {"p": 118, "m": 88, "s": 84, "P": 82, "S": 82, "M": 82}
    texts = {
        "p": "def double(x):",
        "m": "y = x + x",
        "s": "return y",
        "P": "<|prefix|>",
        "S": "<|suffix|>",
        "M": "<|middle|>",
    }
    kinds = {"p": "data", "s": "copy", "m": "ok"}

    def row(y: float, pieces: str, start: float) -> dict:
        nodes = {}
        for piece in pieces:
            nodes[piece] = drawing.box(
                texts[piece],
                start,
                y,
                wide[piece],
                34,
                kinds.get(piece, "op"),
                shape="map",
                face="c",
            )
            start += wide[piece]
        return nodes

    drawing.text("document", 10, 55, "b", "L")
    document = row(33, "pms", 120)
    for piece, name in (("p", "prefix"), ("m", "middle"), ("s", "suffix")):
        drawing.text(name, document[piece].top[0], 25, "s")
    drawing.text("PSM", 10, 141, "b", "L")
    psm = row(119, "PpSsMm", 120)
    drawing.text("SPM", 10, 227, "b", "L")
    spm = row(205, "PSsMpm", 120)
    x = psm["m"].top[0]
    drawing.arrow(
        document["m"].bottom,
        psm["m"].top,
        "the middle moves to the end",
        "train",
        via=[(document["m"].bottom[0], 92), (x, 92)],
        at=0.5,
    )
    for nodes in (psm, spm):
        y = nodes["m"].bottom[1]
        first, last = nodes["P"].x, nodes["m"].x
        drawing.arrow((first, y + 14), (last - 4, y + 14), kind="ghost")
        drawing.arrow((last + 2, y + 14), (last + wide["m"], y + 14), kind="train")
        drawing.text("generated", x, y + 31, "s")
    drawing.text("given", (120 + x - 44) / 2, psm["m"].bottom[1] + 31, "s")
    drawing.text(
        "given: the last part is an ordinary program up to its gap",
        (120 + x - 44) / 2,
        spm["m"].bottom[1] + 31,
        "s",
    )
    return drawing


DRAWINGS = (sandbox, fill_in_the_middle)
