"""The schematics of chapter 4."""

from book.schematics.kit import Schematic


def block() -> Schematic:
    """Return the Transformer of the chapter with one of its blocks."""
    drawing = Schematic(
        "transformer_block",
        246,
        "The Transformer of this chapter",
        """Left to right: characters, embedding plus position, the residual stream with
        128 features per position, final norm, output layer, 64 logits. In a block, four
        heads of attention and a feed-forward network each read a norm and add.""",
    )
    stream = 186
    embedding = drawing.box(
        "embedding", 8, stream - 26, 104, 52, "train", note="+ position"
    )
    drawing.text("characters", 60, 240, "s")
    drawing.arrow((60, 228), embedding.bottom)
    drawing.group("one block of four", 128, 12, 388, 222)
    before = embedding.right
    for left, name, note, width in (
        (150, "attention", "4 heads", 92),
        (326, "feed-forward", "128 → 512 → 128", 112),
    ):
        norm = drawing.box("norm", left, 98, 52, 32, "train", face="")
        layer = drawing.box(name, left + 68, 40, width, 56, "train", note=note)
        middle = left + 26
        plus_x = layer.bottom[0]
        plus = drawing.operation("+", plus_x, stream)
        drawing.arrow(before, plus.left, kind="skip")
        drawing.branch(middle, stream)
        drawing.arrow((middle, stream), norm.bottom)
        drawing.arrow(norm.top, layer.left, via=[(middle, layer.left[1])])
        drawing.arrow(layer.bottom, plus.top)
        before = plus.right
    final = drawing.box("norm", 532, stream - 17, 52, 34, "train", face="")
    drawing.arrow(before, final.left, kind="skip")
    output = drawing.box("output", 602, stream - 20, 70, 40, "train")
    drawing.arrow(final.right, output.left)
    drawing.text("64 logits", 637, 124, "s")
    drawing.arrow(output.top, (637, 132))
    drawing.text("residual stream: 128 features per position", 322, 222, "s")
    return drawing


def step() -> Schematic:
    """Return one step of training."""
    drawing = Schematic(
        "training_step",
        262,
        "One training step of a language model",
        """1: a batch, eight windows of 64 characters; the targets are the same one
        character later. 2: the Transformer predicts logits, cross-entropy compares. 3:
        the gradient goes back. 4: it is clipped. 5: AdamW changes the parameters.""",
    )
    drawing.text("1  batch: 8 × 64 characters", 8, 20, "h", "L")
    drawing.text("targets", 8, 64, "b", "L")
    drawing.text("inputs", 8, 138, "b", "L")
    _letters(drawing, "o·be,…", 62, 45)
    _letters(drawing, "To·be…", 62, 119)
    model = drawing.box(
        "Transformer", 260, 103, 132, 60, "train", note="809,728 parameters"
    )
    drawing.box("logits", 474, 103, 84, 60, note="8 × 64 × 64")
    loss = drawing.box("cross-entropy", 546, 33, 126, 52, "loss", note="loss 4.20")
    drawing.arrow((230, 133), model.left)
    drawing.arrow((230, 59), loss.left, "true next characters")
    drawing.arrow((392, 120), (474, 120), "2  forward", shift=(-3, -7))
    drawing.arrow((558, 120), (590, 85), via=[(590, 120)])
    drawing.arrow((640, 85), (558, 147), kind="back", via=[(640, 147)])
    drawing.arrow((474, 147), (392, 147), "3  backward", "back", shift=(3, 17))
    clip = drawing.box("4  clip", 328, 206, 104, 48, note="norm at most 1")
    adamw = drawing.box("5  AdamW", 170, 206, 122, 48, note="optimizer step")
    drawing.arrow((380, 163), clip.top, "gradient", "back", shift=(8, 5), side="L")
    drawing.arrow(clip.left, adamw.right, kind="back")
    drawing.arrow(
        (276, 206), (276, 163), "new parameters", "train", shift=(-8, 5), side="R"
    )
    return drawing


def _letters(drawing: Schematic, text: str, x: float, y: float) -> None:
    """Draw a window of text, one cell per character."""
    for index, letter in enumerate(text):
        drawing.box(letter, x + 28 * index, y, 28, 28, shape="map", face="c")


DRAWINGS = (block, step)
