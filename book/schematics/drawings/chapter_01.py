"""The schematics of chapter 1."""

from book.schematics.kit import Schematic

SEVEN = ("0000000", "0899980", "0000790", "0001920", "0008600", "0039100", "0057000")
THREE = ("0000000", "0289700", "0000390", "0029500", "0000490", "0388700", "0000000")
NEW = ("0000000", "0699960", "0100880", "0003810", "0017500", "0048000", "0056000")


def generator() -> Schematic:
    """Return the generator of this chapter."""
    drawing = Schematic(
        "code_generator",
        232,
        "A generator: compress, learn the distribution of the codes, draw and decode",
        """Above, fitting: a training digit of 784 pixels is encoded into a code of 60
        numbers, and a mixture is fitted to the codes. Below, sampling: the mixture
        draws a new code, and the decoder turns it into a new digit.""",
    )
    image = drawing.picture(SEVEN, 92, 30, 63)
    drawing.text("training digit", 123.5, 20, "b")
    drawing.text("784 pixels", 123.5, 108, "c")
    encoder = drawing.box("encoder", 220, 27, 92, 69, "train", shape="narrow")
    code = drawing.box("code", 366, 36, 96, 51, note="60 numbers")
    mixture = drawing.box(
        "mixture", 536, 92, 124, 58, "train", note="one for each digit"
    )
    drawing.arrow(image.right, encoder.left)
    drawing.arrow(encoder.right, code.left)
    drawing.arrow(code.right, mixture.top, "fit", via=[(598, 61.5)], at=0.45)
    new_code = drawing.box("new code", 366, 155, 96, 51, note="60 numbers")
    decoder = drawing.box("decoder", 220, 146, 92, 69, "train", shape="widen")
    new = drawing.picture(NEW, 92, 149, 63)
    drawing.text("new digit", 123.5, 139, "b")
    drawing.text("784 pixels", 123.5, 227, "c")
    drawing.arrow(mixture.bottom, new_code.right, "draw", via=[(598, 180.5)], at=0.55)
    drawing.arrow(new_code.left, decoder.right)
    drawing.arrow(decoder.left, new.right)
    drawing.text("fitting", 6, 66, "h", "L")
    drawing.text("sampling", 6, 185, "h", "L")
    return drawing


ZEROS = (
    (76, 118), (100, 96), (122, 112), (92, 136), (58, 134), (110, 160), (74, 152),
    (98, 116), (144, 122), (112, 128),
)  # fmt: skip
ONES = (
    (214, 66), (230, 88), (252, 74), (240, 108), (262, 100), (276, 126), (244, 54),
    (258, 86), (226, 106), (280, 92),
)  # fmt: skip


def two_questions() -> Schematic:
    """Return a discriminative and a generative model of the same points."""
    drawing = Schematic(
        "discriminative_generative",
        256,
        "A discriminative and a generative model of the same images",
        """The same images of zeros and ones, as two groups of points, twice. Left, a
        discriminative model has learned a line between them. Right, a generative model
        has learned an ellipse around each group, and draws a new point in one.""",
    )
    for left, heading, learned in (
        (6, "discriminative model", "learns p(y | x): on which side an image lies"),
        (346, "generative model", "learns p(x, y): where the images lie"),
    ):
        drawing.group(heading, left, 6, 328, 212)
        drawing.text(learned, left + 164, 242)
        for points, digit in ((ZEROS, "0"), (ONES, "1")):
            for x, y in points:
                drawing.text(digit, x + left, y + 25, "c")
    drawing.parts.append('<path class="line train" d="M120 48L246 208"/>')
    drawing.operation("?", 142, 166)
    drawing.text("p(0 | x) = 0.9", 124, 204, "s")
    for x, y, angle in ((454, 150, 20), (594, 110, 45)):
        drawing.parts.append(
            f'<ellipse class="line train" cx="{x}" cy="{y}" rx="62" ry="44" '
            f'transform="rotate({angle} {x} {y})"/>'
        )
    drawing.operation("0", 484, 166)
    drawing.text("drawn: a new 0", 540, 204, "s", "L")
    drawing.arrow((536, 200), (494, 174))
    return drawing


def em() -> Schematic:
    """Return the two steps of EM, with the numbers of the example."""
    drawing = Schematic(
        "em_loop",
        208,
        "Expectation–maximization alternates two steps",
        """Left, two components with means 0 and 4. The E step leads to the
        responsibilities, right: point 2 half and half, point 3 0.02 and 0.98. The M
        step leads back: the means move to 1.36 and 6.21. Repeat until convergence.""",
    )
    components = drawing.box(
        "components",
        20,
        62,
        190,
        84,
        "train",
        note="means 0 and 4,\nthen 1.36 and 6.21",
    )
    shares = drawing.box(
        "responsibilities",
        470,
        62,
        190,
        84,
        note="point 2: 0.50 and 0.50\npoint 3: 0.02 and 0.98",
    )
    drawing.arrow(
        components.top,
        shares.top,
        "E step: Bayes’ rule for each point",
        via=[(115, 34), (565, 34)],
        shift=(0, -10),
    )
    drawing.arrow(
        shares.bottom,
        components.bottom,
        "M step: weighted maximum likelihood",
        kind="train",
        via=[(565, 178), (115, 178)],
        shift=(0, 20),
    )
    drawing.text("repeat until", 340, 98, "s")
    drawing.text("convergence", 340, 115, "s")
    return drawing


DRAWINGS = (generator, two_questions, em)
