"""The schematics of chapter 35."""

from book.schematics.kit import Schematic


def control_net() -> Schematic:
    """Return the frozen U-Net and the trained copy of its first half."""
    drawing = Schematic(
        "control_net",
        250,
        "ControlNet: a frozen U-Net and a trained copy of its first half",
        """Above, a frozen U-Net: stem, way down, bottleneck, way up. Below, a trained
        copy of the first three, which also reads an outline. Zero convolutions add its
        features to the skip connection and to the bottleneck.""",
    )
    kinds = ("frozen", "train")
    rows = []
    for y, kind in zip((40, 150), kinds, strict=True):
        stem = drawing.box("stem", 130, y, 64, 44, kind)
        down = drawing.box("way down", 236, y, 92, 44, kind)
        middle = drawing.box("bottleneck", 380, y, 96, 44, kind)
        drawing.arrow(stem.right, down.left)
        drawing.arrow(down.right, middle.left)
        rows.append((stem, down, middle))
    up = drawing.box("way up", 556, 40, 84, 44, "frozen")
    plus = drawing.operation("+", 516, 62)
    drawing.arrow(rows[0][2].right, plus.left)
    drawing.arrow(plus.right, up.left)
    drawing.arrow(up.right, (690, 62))
    drawing.arrow(rows[0][1].top, up.top, via=[(282, 14), (598, 14)])
    drawing.text("skip", 420, 10, "s", halo=True)
    drawing.arrow((60, 62), rows[0][0].left)
    drawing.text("noisy", 30, 58, "s")
    drawing.text("latents", 30, 73, "s")
    drawing.arrow((60, 84), rows[1][0].left, via=[(92, 84), (92, 172)])
    hint = drawing.box("outline", 14, 202, 70, 36, "data")
    drawing.arrow(hint.right, rows[1][0].bottom, "zero", via=[(162, 220)])
    drawing.arrow(rows[1][2].right, (516, 73), "zero", via=[(516, 172)], shift=(24, 4))
    drawing.arrow(rows[1][1].top, (282, 84), "zero, to the skip", shift=(58, 4))
    drawing.legend(
        300, 236, ("frozen", "frozen"), ("train", "trained copy"), ("data", "hint")
    )
    return drawing


def widened_stem() -> Schematic:
    """Return the editor's stem with its new channels."""
    drawing = Schematic(
        "widened_stem",
        176,
        "The editor: a stem with four more input channels",
        """Noisy latents with four channels and the source image's latents with four
        channels enter one convolution. Its weights for the first four are the
        painter's, for the others zero. The U-Net follows, with the instruction.""",
    )
    noisy = drawing.box("noisy latents", 14, 22, 140, 46, note="4 channels")
    source = drawing.box("source's latents", 14, 104, 140, 46, note="4 channels")
    old = drawing.box("painter's", 236, 22, 110, 46, "train", note="weights")
    new = drawing.box("zero", 236, 104, 110, 46, "train", note="at first")
    plus = drawing.operation("+", 402, 86)
    net = drawing.box("U-Net", 452, 60, 100, 52, "train")
    drawing.arrow(noisy.right, old.left)
    drawing.arrow(source.right, new.left)
    drawing.arrow(old.right, plus.top, via=[(402, 45)])
    drawing.arrow(new.right, plus.bottom, via=[(402, 127)])
    drawing.arrow(plus.right, net.left)
    drawing.arrow(net.right, (612, 86))
    drawing.text("velocity", 646, 90, "s")
    words = drawing.box('"circle red"', 452, 130, 100, 34, "data")
    drawing.arrow(words.top, net.bottom)
    drawing.text("one convolution: the stem", 291, 92, "s")
    return drawing


def new_word() -> Schematic:
    """Return what is trained for a new word: a row, or matrices beside frozen ones."""
    drawing = Schematic(
        "new_word",
        206,
        "A new word: one row of the embedding, and LoRA beside frozen matrices",
        """The words a pink circle enter an embedding table with one trained row for
        pink, then the frozen text encoder and the frozen U-Net. Beside the matrices of
        both, two narrow trained matrices, A and B, add a correction.""",
    )
    words = drawing.box("a pink circle", 14, 60, 108, 40, "data")
    table = drawing.box("embedding", 172, 46, 108, 68, "frozen", note="of 27 words")
    row = drawing.box("pink", 172, 122, 108, 30, "train")
    encoder = drawing.box("text encoder", 332, 46, 120, 68, "frozen")
    net = drawing.box("U-Net", 512, 46, 120, 68, "frozen")
    for node, after in ((words, table), (table, encoder), (encoder, net)):
        drawing.arrow(node.right, after.left)
    for node in (encoder, net):
        x = node.left[0]
        low = drawing.box("A", x, 138, 44, 30, "train")
        high = drawing.box("B", x + 76, 138, 44, 30, "train")
        drawing.arrow(low.right, high.left)
    drawing.text("textual inversion", row.bottom[0], 170, "s")
    drawing.text("64 numbers", row.bottom[0], 186, "s")
    drawing.text("LoRA: W x + 2 B A x", 482, 188, "s")
    drawing.legend(14, 22, ("frozen", "frozen"), ("train", "trained"))
    return drawing


DRAWINGS = (control_net, widened_stem, new_word)
