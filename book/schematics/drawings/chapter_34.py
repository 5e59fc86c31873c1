"""The schematics of chapter 34."""

from book.schematics.kit import Schematic


def averaging() -> Schematic:
    """Return two bundles of paths round a disc, and their mean."""
    drawing = Schematic(
        "mode_averaging",
        250,
        "Two ways round an obstacle, and their mean",
        """An obstacle in the middle. Half of the demonstrations pass on its left, half
        on its right. The mean of all of them goes straight through the obstacle.""",
    )
    start = drawing.box("start", 16, 102, 76, 46)
    goal = drawing.box("goal", 588, 102, 76, 46)
    left = drawing.box("pass on the left", 262, 20, 156, 44, "ok", note="50%")
    right = drawing.box("pass on the right", 262, 186, 156, 44, "ok", note="50%")
    block = drawing.box("obstacle", 290, 100, 100, 50, "data", shape="map")
    drawing.arrow(start.top, left.left, via=[(54, 42)])
    drawing.arrow(left.right, goal.top, via=[(626, 42)])
    drawing.arrow(start.bottom, right.left, via=[(54, 208)])
    drawing.arrow(right.right, goal.bottom, via=[(626, 208)])
    drawing.arrow(start.right, block.left, "regression: the mean", shift=(0, -7))
    return drawing


def policy() -> Schematic:
    """Return the instructed policy, and the moves that are executed."""
    drawing = Schematic(
        "pushing_policy",
        300,
        "One trunk, three heads, and a receding horizon",
        """Above: convolutions over the image, scaled and shifted by the words, a point
        per feature map, a trunk, and three heads. Below: of sixteen predicted moves
        four are executed and twelve discarded; then it looks again.""",
    )
    image = drawing.box("image", 14, 22, 70, 42, "data")
    words = drawing.box("instruction", 14, 100, 100, 42, "data")
    maps = drawing.box("convolutions", 150, 22, 116, 42, "train", note="FiLM")
    points = drawing.box("spatial softmax", 302, 22, 126, 42, note="points")
    trunk = drawing.box("trunk", 462, 22, 70, 42, "train")
    drawing.arrow(image.right, maps.left)
    drawing.arrow(words.right, maps.bottom, "scales, shifts", via=[(208, 121)])
    drawing.arrow(maps.right, points.left)
    drawing.arrow(points.right, trunk.left)
    for row, name in enumerate(("regression", "mixture", "flow")):
        y = 8 + 48 * row
        head = drawing.box(name, 572, y, 98, 36, "train")
        if row:
            drawing.arrow(trunk.bottom, head.left, via=[(497, y + 18)])
        else:
            drawing.arrow((532, 34), head.left, via=[(552, 34), (552, 26)])
    for look in range(2):
        y = 190 + 52 * look
        drawing.text(f"look {look + 1}", 20, y + 15, "s", "L")
        for move in range(16):
            x = 84 + 29 * (move + 4 * look)
            drawing.box("", x, y, 25, 22, "ok" if move < 4 else "data", shape="map")
    drawing.text("4 executed", 140, 180, "s")
    drawing.text("12 discarded", 380, 180, "s")
    return drawing


def tokens() -> Schematic:
    """Return the policy of page 34a, and what success does not see."""
    drawing = Schematic(
        "babyai_policy",
        272,
        "A policy for BabyAI, and two ways to count",
        """Above: layers read each cell of the image alone, scaled and shifted by the
        instruction, then all cells, and choose an action. Below: told to go to the red
        ball, an agent faces a green key first and the ball later: success.""",
    )
    image = drawing.box("image", 14, 22, 82, 44, "data", note="7×7 cells")
    words = drawing.box("instruction", 14, 98, 104, 42, "data")
    patches = drawing.box("patches", 128, 22, 88, 44, "train", note="per cell")
    cells = drawing.box("two layers", 250, 22, 116, 44, "train", note="each cell alone")
    whole = drawing.box("two layers", 400, 22, 116, 44, "train", note="all cells")
    token = drawing.box("action token", 556, 22, 114, 44, note="one of three")
    drawing.arrow(image.right, patches.left)
    drawing.arrow(patches.right, cells.left)
    drawing.arrow(cells.right, whole.left)
    drawing.arrow(whole.right, token.left)
    drawing.arrow(words.right, cells.bottom, "scales, shifts", via=[(308, 119)])
    drawing.group("told: go to the red ball", 14, 160, 656, 100)
    start = drawing.box("start", 30, 196, 76, 44)
    key = drawing.box(
        "faces the green key", 170, 196, 168, 44, "no", note="first: wrong"
    )
    ball = drawing.box("faces the red ball", 402, 196, 168, 44, "ok", note="success")
    drawing.arrow(start.right, key.left)
    drawing.arrow(key.right, ball.left)
    return drawing


DRAWINGS = (averaging, policy, tokens)
