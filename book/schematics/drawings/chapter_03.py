"""The schematics of chapter 3."""

from itertools import pairwise

from book.schematics.kit import Schematic


def head() -> Schematic:
    """Return attention in one head, with the chapter's numbers."""
    drawing = Schematic(
        "attention_head",
        348,
        "Attention in one head: the word bank reads the river bank",
        """The query of bank is multiplied with the keys of the, river and bank. The
        scores 0, ln 3 and 0 become the weights 0.2, 0.6 and 0.2. The values (0, 0),
        (10, 0) and (5, 5), so weighted, add up to (7, 1), the new vector of bank.""",
    )
    columns = (
        ("the", "0", "0.2", "(0, 0)"),
        ("river", "ln 3", "0.6", "(10, 0)"),
        ("bank", "0", "0.2", "(5, 5)"),
    )
    query = drawing.box("query of bank", 16, 84, 120, 36, "train")
    products = []
    for index, (word, score, weight, value) in enumerate(columns):
        x = 200 + 164 * index
        middle = x + 60
        key = drawing.box("key", x, 26, 120, 32, "train")
        drawing.text(word, middle, 18, "b")
        product = drawing.operation("·", middle, 102)
        products.append(product)
        number = drawing.box(score, x, 140, 120, 32, face="c")
        share = drawing.box(weight, x, 204, 120, 32, face="c")
        offered = drawing.box(f"value {value}", x, 262, 120, 32, "train")
        drawing.arrow(key.bottom, product.top)
        drawing.arrow(product.bottom, number.top)
        drawing.arrow(number.bottom, share.top)
        drawing.arrow(share.bottom, offered.top, "×", shift=(10, 5), side="L")
        drawing.arrow(offered.bottom, (middle, 318))
    drawing.arrow(query.right, products[0].left)
    for one, other in pairwise(products):
        drawing.arrow(one.right, other.left)
    drawing.box("(7, 1): the new vector of bank", 200, 318, 448, 28, "map")
    for y, text in ((160, "score: product / 2"), (224, "weight: softmax")):
        drawing.text(text, 184, y, "s", "R")
    drawing.text("weighted sum", 184, 337, "s", "R")
    return drawing


def multi_head() -> Schematic:
    """Return multi-head attention with SmolLM2's numbers."""
    drawing = Schematic(
        "multi_head",
        232,
        "Multi-head attention with the sizes of SmolLM2",
        """The vector of a position, 576 numbers, goes through linear layers to queries,
        keys and values. They are split into nine heads of 64 features; each runs
        attention by itself. The results are joined and mixed by an output layer.""",
    )
    vector = drawing.box("vector", 10, 90, 84, 52, note="576")
    linear = drawing.box(
        "linear layers", 126, 84, 112, 64, "train", note="queries, keys\nand values"
    )
    joined = drawing.box("joined", 470, 90, 76, 52, note="576")
    output = drawing.box("output", 582, 90, 84, 52, "train", note="linear layer")
    drawing.arrow(vector.right, linear.left)
    for index, name in enumerate(("head 1", "head 2", "head 9")):
        y = (12, 70, 172)[index]
        node = drawing.box(name, 296, y, 106, 46, "data", note="64 features")
        drawing.arrow(linear.right, node.left, via=[(262, 116), (262, node.left[1])])
        drawing.arrow(node.right, joined.left, via=[(436, node.right[1]), (436, 116)])
    drawing.text("⋮", 349, 150, "b")
    drawing.arrow(joined.right, output.left)
    drawing.text("split", 262, 226, "s")
    drawing.text("concatenate", 436, 226, "s")
    return drawing


def induction() -> Schematic:
    """Return the two steps of induction."""
    drawing = Schematic(
        "induction_circuit",
        192,
        "Two heads in two blocks copy a repeated text",
        """Tokens A, B, some others, then A again. First, a previous-token head notes at
        B that A came before. Later, an induction head at the second A looks for a
        position that noted A, finds B, and predicts B as the next token.""",
    )
    tokens = ("A", "B", "C", "…", "A", "?")
    nodes = [
        drawing.box(token, 40 + 104 * i, 86, 64, 36, "map" if token == "?" else "data")
        for i, token in enumerate(tokens)
    ]
    first, second, again, following = nodes[0], nodes[1], nodes[4], nodes[5]
    drawing.arrow(
        second.bottom,
        first.bottom,
        kind="skip",
        via=[(second.bottom[0], 156), (first.bottom[0], 156)],
    )
    drawing.text("1. previous-token head: “A came before me”", 60, 178, "s", "L")
    drawing.arrow(
        again.top,
        second.top,
        "2. induction head: who noted A?",
        "train",
        via=[(again.top[0], 44), (second.top[0], 44)],
    )
    drawing.arrow(again.right, following.left)
    drawing.text("predicts B", following.bottom[0], 142, "s")
    return drawing


DRAWINGS = (head, multi_head, induction)
