"""The schematics of chapter 17."""

from book.schematics.kit import Node, Schematic

FRAMES, POSITIONS = 3, 5


def space_time_attention() -> Schematic:
    """Return what one position attends to: full, factorized, along the motion."""
    drawing = Schematic(
        "space_time_attention",
        226,
        "Three kinds of attention over frames and positions",
        """Three grids of three frames with five positions; a point moves one position
        right per frame. From the point in frame 2, full attention reaches all cells,
        factorized its row and column, trajectory attention the point in each frame.""",
    )
    for x, title, note, reaches in (
        (64, "full", "15 positions", lambda frame, place: True),
        (
            278,
            "factorized",
            "5 in the frame, 3 over time",
            lambda frame, place: frame == 1 or place == 2,
        ),
        (
            492,
            "along the motion",
            "3, where the object is",
            lambda frame, place: place - frame == 1,
        ),
    ):
        width = 34 * POSITIONS - 4
        drawing.text(title, x + width / 2, 20, "b")
        for frame in range(FRAMES):
            y = 36 + 40 * frame
            if x == 64:
                drawing.text(f"frame {frame + 1}", x - 10, y + 19, "s", "R")
            for place in range(POSITIONS):
                kind = "data"
                if (frame, place) == (1, 2):
                    kind = "train"
                elif reaches(frame, place):
                    kind = "ok"
                drawing.box("", x + 34 * place, y, 30, 30, kind)
                if place - frame == 1:
                    drawing.branch(x + 34 * place + 15, y + 15)
        drawing.text("position", x - 10, 168, "s", "R") if x == 64 else None
        for place in range(POSITIONS):
            drawing.text(str(place + 1), x + 34 * place + 15, 168, "s")
        drawing.text(note, x + width / 2, 188, "s")
    drawing.legend(
        64, 216, ("train", "attends"), ("ok", "is attended to"), ("data", "is not")
    )
    drawing.branch(388, 213)
    drawing.text("the object", 398, 217, "s", "L")
    return drawing


def temporal_attention() -> Schematic:
    """Return a temporal attention layer behind a frozen image block."""
    drawing = Schematic(
        "temporal_attention",
        232,
        "A temporal attention layer in an inflated image model",
        """The frames pass a frozen image block one by one. Then, at each position, the
        features of all frames form a sequence; frame vectors are added, attention runs
        over the sequence, and an output matrix that starts at zero adds the result.""",
    )
    middle = 74
    stacks = {}
    for x, key in ((24, "in"), (228, "between"), (584, "out")):
        for frame in range(3):
            stacks[key] = _frame(drawing, x + 12 * frame, 30 + 12 * frame, frame == 2)
    drawing.text("frames", 61, 20, "s")
    drawing.text("features", 265, 20, "s")
    drawing.text("features", 621, 20, "s")
    image = drawing.box(
        "image block", 118, middle - 26, 92, 52, "frozen", note="frozen"
    )
    drawing.arrow((98, middle), image.left)
    drawing.arrow(image.right, (228, middle))
    sequence = []
    for frame in range(3):
        sequence.append(
            drawing.box(
                f"frame {frame + 1}", 340, 136 + 28 * frame, 66, 24, "ok", face="s"
            )
        )
    drawing.text("one position", 322, 152, "s", "R")
    drawing.text("in all frames,", 322, 170, "s", "R")
    drawing.text("plus frame vectors", 322, 188, "s", "R")
    drawing.arrow((294, 78), (373, 136), via=[(373, 78)])
    layer = drawing.box(
        "attention",
        440,
        136,
        108,
        80,
        "train",
        note="over the frames;\noutput starts\nat zero",
    )
    drawing.arrow((406, 176), layer.left)
    plus = drawing.operation("+", 494, 58)
    drawing.arrow((302, 58), plus.left, "residual connection", at=0.45)
    drawing.arrow(layer.top, plus.bottom)
    drawing.arrow(plus.right, (584, 58))
    drawing.legend(24, 222, ("frozen", "frozen"), ("train", "trained"))
    return drawing


def _frame(drawing: Schematic, x: float, y: float, front: bool) -> Node:
    """Draw a small feature map, with one position marked."""
    node = drawing.box("", x, y, 50, 50, "map", shape="map")
    drawing.box("", x + 30, y + 18, 12, 12, "ok", shape="map")
    return node


DRAWINGS = (space_time_attention, temporal_attention)
