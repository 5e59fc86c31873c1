"""The schematics of chapter 13."""

from book.schematics.kit import Schematic

TOKENS = (
    "user",
    "↵",
    "capital",
    "Cuba",
    "?",
    "‹end›",
    "assistant",
    "↵",
    "Havana",
    "‹end›",
)


def loss_mask() -> Schematic:
    """Return a conversation, what is predicted at each position, and the mask."""
    drawing = Schematic(
        "loss_mask",
        258,
        "The loss mask of a conversation",
        """Ten tokens of a conversation, prompt and answer. Each position predicts the
        next token. Only two predictions count for the loss: Havana, made at the line
        break before it, and the end token, made at Havana.""",
    )
    side, left, gap = 62, 20, 2
    drawing.text("read", left, 24, "h", "L")
    drawing.text("predict", left + 9.5 * (side + gap), 219, "h")
    cells = []
    for index, token in enumerate(TOKENS):
        kind = "ok" if index >= 8 else "data"
        cells.append(
            drawing.box(
                token,
                left + (side + gap) * index,
                34,
                side,
                36,
                kind,
                shape="map",
                face="s",
            )
        )
    model = drawing.box(
        "language model", left, 100, 10 * (side + gap) - gap, 40, "train"
    )
    for index, cell in enumerate(cells[:-1]):
        x = cell.bottom[0]
        drawing.arrow((x, 70), (x, model.y))
        counts = index >= 7
        box = drawing.box(
            TOKENS[index + 1],
            left + (side + gap) * index,
            196,
            side,
            36,
            "loss" if counts else "data",
            shape="map",
            face="s",
        )
        drawing.arrow((x, 140), box.top, kind="" if counts else "ghost")
    drawing.text("prompt: no loss", left + 3.5 * (side + gap), 251, "s")
    drawing.text("answer: loss", left + 8 * (side + gap), 251, "b")
    return drawing


def lora() -> Schematic:
    """Return a matrix with its low-rank correction."""
    drawing = Schematic(
        "lora",
        276,
        "A matrix with a LoRA correction",
        """The input of 160 numbers goes two ways: through the frozen matrix W, 160 by
        160, and through A, which makes 2 numbers of it, and B, which makes 160 again.
        Both results are added. Gradients reach only A and B.""",
    )
    x = drawing.box("x", 20, 66, 92, 56, note="160 numbers")
    weight = drawing.box(
        "W", 270, 34, 150, 120, "frozen", note="160×160, frozen\n25,600 parameters"
    )
    plus = drawing.operation("+", 530, 94)
    y = drawing.box("y", 574, 66, 92, 56, note="160 numbers")
    down = drawing.box("A", 160, 190, 112, 52, "train", note="2×160, random")
    middle = drawing.box("2 numbers", 296, 200, 78, 32, face="s")
    up = drawing.box("B", 396, 190, 112, 52, "train", note="160×2, zeros")
    drawing.arrow(x.right, weight.left)
    drawing.branch(136, 94)
    drawing.arrow((136, 94), down.left, via=[(136, 216)])
    drawing.arrow(down.right, middle.left)
    drawing.arrow(middle.right, up.left)
    drawing.arrow(weight.right, plus.left)
    drawing.arrow(
        up.right,
        plus.bottom,
        "× α/r",
        via=[(530, 216)],
        at=0.45,
        shift=(8, 4),
        side="L",
    )
    drawing.arrow(plus.right, y.left)
    drawing.legend(20, 266, ("train", "trained: 640 parameters"), ("frozen", "frozen"))
    return drawing


DRAWINGS = (loss_mask, lora)
