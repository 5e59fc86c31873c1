"""The schematics of chapter 2."""

from book.schematics.kit import Node, Schematic


def pipeline() -> Schematic:
    """Return the way from a text to token IDs and back."""
    drawing = Schematic(
        "tokenizer",
        268,
        "A tokenizer: from text to token IDs, and back",
        """The text “ reads tokens.” is split into the words “ reads”, “ tokens”, “.”.
        Merges make tokens of them: “ tokens” becomes “ to”, “k” and “ens”. Each token
        has an ID for the model; decoding goes back.""",
    )
    words = (("·reads", 190, 80), ("·tokens", 282, 168), (".", 462, 48))
    tokens = (("·reads", 190, 80), ("·to", 282, 48), ("k", 342, 48), ("ens", 402, 48))
    numbers = ("15787", "294", "77", "634", "16")

    def row(y: float, parts: tuple, kind: str) -> list[Node]:
        return [
            drawing.box(text, x, y, width, 32, kind, face="c")
            for text, x, width in parts
        ]

    text = drawing.box("·reads·tokens.", 190, 12, 320, 32, "data", face="c")
    first = row(82, words, "data")
    second = row(152, (*tokens, (".", 462, 48)), "map")
    ids = row(
        222,
        tuple(
            (number, x, width)
            for number, (_, x, width) in zip(
                numbers, (*tokens, (".", 462, 48)), strict=True
            )
        ),
        "train",
    )
    for node in first:
        drawing.arrow((node.top[0], text.bottom[1]), node.top)
    for node in second:
        drawing.arrow((node.top[0], first[0].bottom[1]), node.top)
    for above, below in zip(second, ids, strict=True):
        drawing.arrow(above.bottom, below.top)
    for y, name in ((33, "text"), (103, "words"), (173, "tokens"), (243, "token IDs")):
        drawing.text(name, 172, y, "b", "R")
    for y, step in (
        (68, "pre-tokenization"),
        (138, "merges, by rank"),
        (208, "vocabulary"),
    ):
        drawing.text(step, 172, y, "s", "R")
    model = drawing.box("model", 566, 218, 92, 40)
    drawing.arrow((510, 238), model.left)
    drawing.arrow(
        model.top, text.right, "decode", via=[(612, 28)], shift=(9, 4), side="L"
    )
    return drawing


def merges() -> Schematic:
    """Return the merges of "banana bandana" as trees."""
    drawing = Schematic(
        "merges_as_a_tree",
        236,
        "Three merges of byte-pair encoding, as trees",
        """The letters of banana and bandana in a row. Above them, merge 1 joins a and n
        four times, merge 2 joins b and an to ban, merge 3 joins an and a to
        ana. banana ends as ban ana, bandana as ban, d, ana.""",
    )
    top = 188

    def leaf(letter: str, x: float) -> Node:
        return drawing.box(letter, x - 13, top, 26, 28, "data", face="c")

    def join(text: str, left: Node, right: Node, y: float) -> Node:
        x = (left.top[0] + right.top[0]) / 2
        node = drawing.box(text, x - 24, y, 48, 28, "train", face="c")
        for child in (left, right):
            drawing.parts.append(
                f'<path class="line" d="M{child.top[0]:g} {child.top[1]:g}'
                f'L{node.bottom[0]:g} {node.bottom[1]:g}"/>'
            )
        return node

    for word, start in (("banana", 140), ("bandana", 400)):
        letters = [leaf(letter, start + 40 * i) for i, letter in enumerate(word)]
        first = join("an", letters[1], letters[2], 132)
        end = len(word) - 3
        last = join("an", letters[end], letters[end + 1], 132)
        join("ban", letters[0], first, 76)
        join("ana", last, letters[end + 2], 20)
    for y, text in (
        (206, "bytes"),
        (150, "merge 1: an"),
        (94, "merge 2: ban"),
        (38, "merge 3: ana"),
    ):
        drawing.text(text, 8, y, "s", "L")
    return drawing


DRAWINGS = (pipeline, merges)
