"""The schematics of chapter 6."""

from book.schematics.kit import Schematic

SEVEN = ("0000000", "0899980", "0000790", "0001920", "0008600", "0039100", "0057000")
TOKENS = ("17", "203", "88", "4", "251", "61", "9", "130", "17")
INK = ("0000000", "0588750", "0001880", "0002820", "0007510", "0028200", "0036100")


def vae() -> Schematic:
    """Return the variational autoencoder with both parts of its loss."""
    drawing = Schematic(
        "vae",
        284,
        "A variational autoencoder",
        """The encoder turns an image into 20 means and 20 deviations. Code z is
        mean plus deviation times noise; the decoder turns it into ink probabilities.
        Loss: KL divergence and reconstruction. The gradient passes the sum.""",
    )
    row = 96
    image = drawing.picture(SEVEN, 14, row - 31.5, 63)
    drawing.text("image x", 45.5, row - 41, "b")
    drawing.text("784 pixels", 45.5, row + 48, "s")
    encoder = drawing.box("encoder", 104, row - 36, 84, 72, "train", shape="narrow")
    drawing.group("", 212, 34, 122, 122)
    drawing.text("q(z | x)", 273, 53, "i")
    means = drawing.box("20 means", 222, row - 34, 102, 30, face="")
    deviations = drawing.box("20 deviations", 222, row + 18, 102, 30, face="")
    plus = drawing.operation("+", 372, row - 19)
    times = drawing.operation("×", 372, row + 33)
    noise = drawing.box("noise", 329, 196, 86, 46, note="random")
    code = drawing.box("code z", 412, row - 42, 84, 46, note="20 numbers")
    decoder = drawing.box("decoder", 514, row - 55, 82, 72, "train", shape="widen")
    ink = drawing.picture(INK, 609, row - 50.5, 63)
    drawing.text("ink", 640.5, row - 60, "b")
    drawing.arrow(image.right, encoder.left)
    drawing.arrow(encoder.right, means.left, via=[(200, row), (200, row - 19)])
    drawing.arrow(encoder.right, deviations.left, via=[(200, row), (200, row + 33)])
    drawing.arrow(means.right, plus.left)
    drawing.arrow(deviations.right, times.left)
    drawing.arrow(times.top, plus.bottom)
    drawing.arrow(noise.top, times.bottom)
    drawing.arrow(plus.right, code.left)
    drawing.arrow(code.right, decoder.left)
    drawing.arrow(decoder.right, ink.left)
    divergence = drawing.box("KL divergence", 204, 192, 108, 50, "loss", note="cost")
    drawing.box("log p(x | z)", 556, 192, 104, 50, "loss", note="gain")
    drawing.arrow((269, 156), divergence.top)
    drawing.arrow((640.5, row + 12.5), (640.5, 192))
    drawing.arrow(
        (45.5, row + 56), (608, 242), "the image itself", via=[(45.5, 264), (608, 264)]
    )
    drawing.arrow(
        (572, 192), (572, row + 14), "gradient", "back", shift=(-7, 4), side="R"
    )
    drawing.arrow(
        (454, row - 42),
        encoder.top,
        "gradient: through the sum, not the noise",
        "back",
        via=[(454, 18), (146, 18)],
        at=0.42,
    )
    return drawing


def vq_vae() -> Schematic:
    """Return the vector-quantized autoencoder."""
    drawing = Schematic(
        "vq_vae",
        272,
        "A vector-quantized autoencoder",
        """The encoder turns an image into a grid of 7×7 vectors. Each is replaced by
        its nearest of 256 codebook entries, whose index is a token. The decoder reads
        them. The gradient skips the choice, from decoder to encoder.""",
    )
    row = 126
    image = drawing.picture(SEVEN, 14, row - 31.5, 63)
    drawing.text("image", 45.5, row - 41, "b")
    drawing.text("28×28 pixels", 50, row + 49, "s")
    encoder = drawing.box("encoder", 98, row - 36, 82, 72, "train", shape="narrow")
    side, left, right = 19, 206, 392
    for index in range(9):
        x, y = index % 3 * side, index // 3 * side + row - 1.5 * side
        drawing.box("", left + x, y, side, side, "map", shape="map")
    drawing.text("7×7 vectors", left + 28.5, row - 41, "b")
    drawing.text("of 8 numbers", left + 14, row + 47, "s", "L")
    nearest = drawing.box("nearest\nentry", 290, row - 26, 76, 52)
    for index, token in enumerate(TOKENS):
        x, y = index % 3 * 30, index // 3 * side + row - 1.5 * side
        drawing.box(token, right + x, y, 30, side, "map", shape="map", face="c")
    drawing.text("tokens", right + 45, row - 41, "b")
    drawing.text("49 indices", right + 45, row + 47, "s")
    decoder = drawing.box("decoder", 510, row - 36, 82, 72, "train", shape="widen")
    output = drawing.picture(INK, 608, row - 31.5, 63)
    drawing.text("output", 639.5, row - 41, "b")
    for index, name in enumerate(("0", "1", "2", "…", "255")):
        drawing.box(name, 258 + 36 * index, 30, 36, 24, "train", face="c")
    drawing.text("codebook: 256 entries of 8 numbers", 348, 20, "b")
    drawing.arrow(image.right, encoder.left)
    drawing.arrow(encoder.right, (left, row))
    drawing.arrow((left + 3 * side, row), nearest.left)
    drawing.arrow((328, 54), nearest.top)
    drawing.arrow(nearest.right, (right, row))
    drawing.arrow((right + 90, row), decoder.left)
    drawing.arrow((420, 54), (496, row - 10), kind="", via=[(420, 68), (496, 68)])
    drawing.text("look up", 486, 60, "s")
    drawing.arrow(decoder.right, output.left)
    distance = drawing.box(
        "distance", 278, row + 62, 100, 48, "loss", note="to the entry"
    )
    drawing.arrow(nearest.bottom, distance.top)
    error = drawing.box("loss", 588, row + 62, 88, 48, "loss", note="squared error")
    drawing.arrow(output.bottom, (639.5, row + 62))
    drawing.arrow(
        error.bottom,
        (left + 5, row + 30),
        "straight-through gradient: it skips the choice",
        "back",
        via=[(632, 258), (left + 5, 258)],
        at=0.5,
    )
    drawing.arrow((551, 258), (551, row + 30), kind="back")
    return drawing


DRAWINGS = (vae, vq_vae)
