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


def coupling_layer() -> Schematic:
    """Return one affine coupling layer of a normalizing flow, in both directions."""
    drawing = Schematic(
        "coupling_layer",
        250,
        "An affine coupling layer and its inverse",
        """Of the two halves of x, the first is copied. A network reads it and outputs
        log-scales s and shifts t; the second half is multiplied by exp(s), and t is
        added. The inverse runs the same network on the copied half.""",
    )
    top, bottom = 62, 170
    kept = drawing.box("x_{a}", 76, top - 24, 86, 48, note="kept")
    changed = drawing.box("x_{b}", 76, bottom - 24, 86, 48, note="changed")
    network = drawing.box("network", 222, 92, 104, 48, "train", note="s and t")
    times = drawing.operation("×", 392, bottom)
    plus = drawing.operation("+", 468, bottom)
    copied = drawing.box("z_{a}", 540, top - 24, 86, 48, note="equal to x_{a}")
    moved = drawing.box("z_{b}", 540, bottom - 24, 86, 48, note="by one line")
    drawing.arrow(kept.right, copied.left, "copied", at=0.7)
    drawing.branch(274, top)
    drawing.arrow((274, top), network.top)
    drawing.arrow(changed.right, times.left)
    drawing.arrow(times.right, plus.left)
    drawing.arrow(plus.right, moved.left)
    drawing.arrow(
        (326, 106), times.top, "exp(s)", via=[(392, 106)], shift=(26, -6), side=""
    )
    drawing.arrow((326, 126), plus.top, "t", via=[(468, 126)], at=0.85)
    drawing.text("log-determinant: the sum of s", 200, 234, "s")
    drawing.arrow(
        (540, 226),
        (360, 226),
        "inverse: subtract t, divide by exp(s)",
        "back",
        at=0.5,
    )
    return drawing


def langevin_step() -> Schematic:
    """Return one step of Langevin sampling from an energy."""
    drawing = Schematic(
        "langevin_step",
        196,
        "One step of Langevin sampling",
        """A point x. The network outputs its energy E(x); backpropagation gives the
        gradient with respect to x. The next point is x minus step times the gradient,
        plus noise. The step is repeated.""",
    )
    middle = 84
    point = drawing.box("x", 24, middle - 24, 76, 48, note="a point")
    network = drawing.box("network", 148, middle - 30, 100, 60, "train")
    energy = drawing.box("E(x)", 296, middle - 24, 80, 48, "loss", note="energy")
    minus = drawing.operation("-", 460, middle)
    plus = drawing.operation("+", 530, middle)
    moved = drawing.box("next x", 582, middle - 24, 76, 48)
    drawing.arrow(point.right, network.left)
    drawing.arrow(network.right, energy.left)
    drawing.arrow(energy.right, minus.left, "step · ∇E", "back", at=0.5, shift=(-2, -8))
    drawing.arrow(minus.right, plus.left)
    drawing.arrow(plus.right, moved.left)
    drawing.arrow((530, 28), plus.top, "√(2 step) · noise", shift=(0, -24), side="")
    drawing.arrow(point.top, minus.top, "x", via=[(62, 34), (460, 34)], at=0.35)
    drawing.arrow(
        moved.bottom,
        point.bottom,
        "repeat: no step needs the constant Z",
        via=[(620, 176), (62, 176)],
    )
    return drawing


DRAWINGS = (pixel_transformer, coupling_layer, langevin_step)
