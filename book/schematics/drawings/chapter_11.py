"""The schematics of chapter 11."""

from book.schematics.kit import Schematic

SEVEN = (
    "0000000000000000",
    "0000000000000000",
    "0000000000000000",
    "0007999999998000",
    "0008888889999000",
    "0000000000898000",
    "0000000001981000",
    "0000000008930000",
)


def pixel_transformer() -> Schematic:
    """Return one step of the autoregressive model of pixels."""
    drawing = Schematic(
        "pixel_transformer",
        250,
        "One step of the autoregressive pixel model",
        """A digit whose upper patches are finished. A causal Transformer reads them; a
        small network reads its output and the pixels around the next one, and predicts
        256 probabilities. The level that is drawn is written into the image.""",
    )
    size, x, y = 11, 16, 40
    side = 16 * size
    drawing.picture((*SEVEN, *["0" * 16] * 8), x, y, side)
    for row in range(4):
        for column in range(4):
            finished = row < 2
            drawing.box(
                "" if finished else "?",
                x + 4 * size * column,
                y + 4 * size * row,
                4 * size,
                4 * size,
                "frame" if finished else "map",
                shape="map",
            )
    drawing.text("finished patches", x + side / 2, 28, "b")
    drawing.text("pixels not drawn yet", x + side / 2, y + side + 20, "s")
    transformer = drawing.box("Transformer", 252, 36, 112, 56, "train", note="causal")
    network = drawing.box(
        "small network", 400, 36, 112, 56, "train", note="pixel by pixel"
    )
    levels = drawing.box("256 probabilities", 548, 36, 120, 56, note="one per level")
    drawing.arrow((x + side, transformer.left[1]), transformer.left)
    drawing.arrow(transformer.right, network.left)
    drawing.arrow(network.right, levels.left)
    drawing.arrow(
        (x + side, 120),
        network.bottom,
        "known pixels around the next one",
        via=[(network.bottom[0], 120)],
        at=0.5,
    )
    drawing.arrow(
        levels.bottom,
        (x + side, 192),
        "draw a level, and write it into the image",
        "back",
        via=[(levels.bottom[0], 192)],
        at=0.5,
    )
    return drawing


DRAWINGS = (pixel_transformer,)
