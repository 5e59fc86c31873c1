"""The schematics of chapter 0."""

from collections.abc import Sequence
from itertools import pairwise

from book.schematics.kit import Node, Point, Schematic

RADIUS = 17


def network() -> Schematic:
    """Return the network with two inputs, three hidden units and one output."""
    drawing = Schematic(
        "small_network",
        262,
        "A network with two inputs, three hidden units and one output",
        """Three columns of circles: two inputs, three hidden units with tanh, one
        output; thick lines, the weights, connect each circle with all of the next
        column. Shapes: input (4, 2), W1 (3, 2), hidden (4, 3), W2 (1, 3), output
        (4, 1).""",
    )
    columns = (
        (110, (76, 136), ("x_{1}", "x_{2}")),
        (340, (46, 106, 166), ("tanh",) * 3),
        (570, (106,), ("ŷ",)),
    )
    for (x, heights, _), (end, ends, _) in pairwise(columns):
        for y in heights:
            for other in ends:
                drawing.arrow(
                    _towards((x, y), (end, other)),
                    _towards((end, other), (x, y)),
                    kind="train",
                )
    for x, heights, signs in columns:
        for y, sign in zip(heights, signs, strict=True):
            drawing.operation(sign, x, y, RADIUS + 3 * (sign == "tanh"))
    for x, name, shape in (
        (110, "input", "(4, 2)"),
        (340, "hidden units", "(4, 3)"),
        (570, "output", "(4, 1)"),
    ):
        drawing.text(name, x, 214, "b")
        drawing.text(shape, x, 234, "c")
    for x, names, count in (
        (225, "W_{1}: (3, 2), b_{1}: (3,)", "6 + 3 parameters"),
        (455, "W_{2}: (1, 3), b_{2}: (1,)", "3 + 1 parameters"),
    ):
        drawing.text(names, x, 214, "s")
        drawing.text(count, x, 234, "s")
    drawing.text("thick lines: trained weights", 340, 256, "s")
    return drawing


def _towards(start: Point, end: Point, distance: float = 22) -> Point:
    length = ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5
    return (
        start[0] + (end[0] - start[0]) * distance / length,
        start[1] + (end[1] - start[1]) * distance / length,
    )


def graph() -> Schematic:
    """Return the computation graph of a squared error, with its gradient."""
    drawing = Schematic(
        "computation_graph",
        232,
        "The computation graph of a squared error",
        """From left to right: w = 1 and x = 2 give the product 2, with b = 0.5 the
        prediction 2.5, with y = 4 the error -1.5, squared the loss 2.25. Dashed arrows
        back carry 1, -3, -3 and -3 to b, and -6 to w.""",
    )
    w = drawing.box("w = 1.0", 16, 34, 84, 40, "train")
    x = drawing.box("x = 2.0", 16, 146, 84, 40)
    product = drawing.box("w x", 152, 92, 84, 48, "op", note="2.0")
    prediction = drawing.box("w x + b", 292, 92, 92, 48, "op", note="2.5")
    error = drawing.box("error", 440, 92, 84, 48, "op", note="−1.5")
    loss = drawing.box("loss", 582, 92, 84, 48, "loss", note="2.25")
    b = drawing.box("b = 0.5", 296, 12, 84, 40, "train")
    y = drawing.box("y = 4.0", 440, 12, 84, 40)
    drawing.arrow(w.right, product.top, via=[(product.top[0], w.right[1])])
    drawing.arrow(x.right, product.bottom, via=[(product.bottom[0], x.right[1])])
    for left, right, sign, slope in (
        (product, prediction, "add", "−3"),
        (prediction, error, "subtract", "−3"),
        (error, loss, "square", "−3"),
    ):
        (start, _), (end, _) = left.right, right.left
        drawing.arrow((start, 107), (end, 107), sign)
        drawing.arrow((end, 126), (start, 126), slope, "back", shift=(0, 17))
    drawing.arrow((326, b.bottom[1]), (326, 92))
    drawing.arrow((352, 92), (352, b.bottom[1]), "−3", "back", shift=(7, 5), side="L")
    drawing.arrow(y.bottom, error.top)
    drawing.arrow(
        product.left,
        w.bottom,
        "−3 · 2 = −6",
        "back",
        via=[(w.bottom[0], product.left[1])],
        at=0.52,
        shift=(2, 17),
    )
    drawing.text("multiply", 202, 80, "s", "L")
    drawing.text("starts with 1", 624, 158, "s")
    drawing.arrow((150, 215), (182, 215))
    drawing.text("forward: the value", 190, 220, "s", "L")
    drawing.arrow((342, 215), (310, 215), kind="back")
    drawing.text(
        "backward: the derivative of the loss by the box at the tip", 350, 220, "s", "L"
    )
    return drawing


def gpt() -> Schematic:
    """Return one letter's way through the GPT in one file."""
    drawing = Schematic(
        "gpt_in_one_file",
        258,
        "One letter's way through the GPT in one file",
        """The letter i in "wisdom" and its position become 16 numbers. Attention, which
        also reads keys and values of the letters before, and a network of two layers
        each add to them. The head gives 27 logits; the loss compares them with s.""",
    )
    letter = drawing.box("letter i", 12, 106, 92, 44, "train", note="16 numbers")
    position = drawing.box("position 2", 12, 176, 92, 44, "train", note="16 numbers")
    plus = [drawing.operation("+", x, 128) for x in (142, 346, 520)]
    past = drawing.box("letters before", 40, 26, 104, 48, note="keys and values")
    attention = drawing.box("attention", 192, 26, 108, 48, "train", note="query i")
    layers = drawing.box("two layers", 386, 26, 96, 48, "train", note="up, relu, down")
    head = drawing.box("head", 590, 106, 82, 44, "train", note="16 to 27")
    logits = drawing.box("27 logits", 590, 190, 82, 40)
    loss = drawing.box("loss", 424, 190, 100, 40, "loss", note="")
    target = drawing.box("next letter s", 268, 190, 104, 40)
    drawing.arrow(letter.right, plus[0].left)
    drawing.arrow(position.right, plus[0].bottom, via=[(142, position.right[1])])
    for one, other, box in (
        (plus[0], plus[1], attention),
        (plus[1], plus[2], layers),
    ):
        drawing.arrow(one.right, other.left)
        middle = box.bottom[0]
        drawing.branch(middle, 128)
        drawing.arrow(
            (middle, 128), box.bottom, "normalize", shift=(8, 6), side="L", at=0.55
        )
        drawing.arrow(box.right, other.top, via=[(other.top[0], box.right[1])])
    drawing.arrow(past.right, attention.left)
    drawing.arrow(plus[2].right, head.left)
    drawing.arrow(head.bottom, logits.top)
    drawing.arrow(logits.left, loss.right)
    drawing.arrow(target.right, loss.left)
    drawing.text("cross-entropy", 474, 248, "s")
    drawing.text("normalize", 560, 121, "s")
    return drawing


def convolution() -> Schematic:
    """Return a convolution of an image of five by five numbers."""
    drawing = Schematic(
        "convolution",
        226,
        "A convolution of five by five numbers",
        """An image of five by five numbers with a column of ones in the middle, a
        kernel with columns -1, 0 and 1, and the three by three sums 3, 0 and -3. The
        first window, at the upper left, gives the first 3.""",
    )
    image = _grid(drawing, 20, 46, [list("00100")] * 5, window=3)
    kernel = _grid(drawing, 246, 76, [["−1", "0", "1"]] * 3, kind="train")
    sums = _grid(drawing, 420, 76, [["3", "0", "−3"]] * 3, window=1)
    for node, name in ((image, "image X"), (kernel, "kernel K"), (sums, "sums Y")):
        drawing.text(name, node.top[0], node.y - 12, "b")
    drawing.operation("∗", 208, 121)
    drawing.text("=", 378, 127, "b")
    drawing.text("first sum, row by row:", 540, 96, "s", "L")
    for row in range(3):
        drawing.text("0 + 0 + 1", 552, 116 + 18 * row, "c", "L")
    drawing.text("together 3", 540, 174, "s", "L")
    drawing.text("the shaded window moves to nine positions", 20, 218, "s", "L")
    return drawing


def _grid(
    drawing: Schematic,
    x: float,
    y: float,
    rows: Sequence[Sequence[str]],
    kind: str = "data",
    window: int = 0,
) -> Node:
    """Draw numbers in squares, of which the first few, a window, are shaded."""
    side = 30
    for i, row in enumerate(rows):
        for j in range(len(row)):
            inside = kind if max(i, j) >= window else "frozen"
            drawing.box("", x + side * j, y + side * i, side, side, inside, shape="map")
    for i, row in enumerate(rows):
        for j, number in enumerate(row):
            drawing.text(number, x + side * (j + 0.5), y + side * (i + 0.5) + 5)
    return Node(x, y, side * len(rows[0]), side * len(rows))


DRAWINGS = (network, graph, gpt, convolution)
