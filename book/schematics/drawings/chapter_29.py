"""The schematics of chapter 29."""

from book.schematics.kit import Schematic


def reinvent_loop() -> Schematic:
    """Return one step of REINVENT, with the numbers of one sampled molecule."""
    drawing = Schematic(
        "reinvent_loop",
        306,
        "REINVENT: steering a generator by a reward",
        """The agent samples a string. The frozen prior's log-likelihood, -15.6, plus 60
        times the score 0.72 gives the target 27.6. Its squared difference from the
        agent's log-likelihood is the loss, whose gradient trains the agent.""",
    )
    agent = drawing.box("agent", 10, 96, 100, 56, "train", note="trained copy")
    string = drawing.box("Cc1ccc(C)cc1C(=O)N1CCOCC1", 166, 106, 212, 36, face="c")
    prior = drawing.box("prior", 424, 20, 112, 52, "frozen", note="as it was")
    score = drawing.box("score", 424, 98, 112, 52, note="QED = 0.72")
    plus = drawing.operation("+", 612, 124)
    target = drawing.box("target", 560, 168, 104, 48, note="27.6")
    loss = drawing.box("loss", 424, 226, 112, 52, "loss", note="(27.6 + 15.6)²")
    drawing.arrow(agent.right, string.left, "sample")
    drawing.branch(401, 124)
    drawing.arrow((378, 124), score.left)
    drawing.arrow((401, 124), prior.left, via=[(401, 46)])
    drawing.arrow(
        prior.right,
        plus.top,
        "log-likelihood\n−15.6",
        via=[(612, 46)],
        at=0,
        shift=(12, -6),
        side="L",
    )
    drawing.arrow(score.right, plus.left, "× 60")
    drawing.arrow(plus.bottom, target.top)
    drawing.arrow(target.bottom, loss.right, via=[(612, 252)])
    drawing.arrow(
        (82, 152),
        (424, 242),
        "agent’s log-likelihood of the string: −15.6",
        via=[(82, 242)],
        at=0.53,
    )
    drawing.arrow(
        (424, 264), (38, 152), "gradient", "back", via=[(38, 264)], shift=(0, 16)
    )
    drawing.legend(10, 300, ("train", "trained"), ("frozen", "frozen"))
    return drawing


def equivariant_layer() -> Schematic:
    """Return an E(n)-equivariant layer, with the numbers of the example."""
    drawing = Schematic(
        "equivariant_layer",
        330,
        "An E(n)-equivariant layer",
        """The features of two atoms and their squared distance give a message. One
        network turns it into a step along the line between the atoms, which is added
        to the position; another adds up the messages and updates the features.""",
    )
    drawing.box("features h_{i}, h_{j}", 10, 20, 150, 50, note="unchanged by rotation")
    squared = drawing.box(
        "distance², here 1", 10, 118, 150, 50, note="unchanged by rotation"
    )
    difference = drawing.box(
        "x_{i} − x_{j} = (−1, 0)", 10, 228, 150, 50, note="rotates along"
    )
    message = drawing.box("network", 216, 66, 84, 60, "train", note="message m_{ij}")
    total = drawing.operation("Σ", 394, 96)
    update = drawing.box("network", 456, 72, 84, 48, "train", note="update")
    step = drawing.box("network", 352, 146, 84, 48, "train", note="step: 0.5")
    times = drawing.operation("×", 394, 253)
    sum_of = drawing.operation("Σ", 498, 253)
    new_features = drawing.box("new h_{i}", 590, 76, 82, 40)
    new_position = drawing.box("new x_{i}", 590, 228, 82, 50, note="(−0.5, −0.4)")
    drawing.arrow((160, 57), (216, 84), via=[(188, 57), (188, 84)])
    drawing.arrow(squared.right, (216, 108), via=[(188, 143), (188, 108)])
    drawing.branch(326, 96)
    drawing.arrow(message.right, total.left)
    drawing.arrow((326, 96), step.left, via=[(326, 170)])
    drawing.arrow(total.right, update.left)
    drawing.arrow(update.right, new_features.left)
    drawing.arrow((160, 34), update.top, kind="skip", via=[(498, 34)])
    drawing.text("h_{i}", 330, 27, "s")
    drawing.arrow(step.bottom, times.top)
    drawing.arrow(difference.right, times.left)
    drawing.arrow(times.right, sum_of.left, "(−0.5, 0)")
    drawing.arrow(sum_of.right, new_position.left)
    drawing.text("+ x_{i}", 547, 246, "s")
    for operation in (total, sum_of):
        drawing.text("over all j", operation.bottom[0], operation.bottom[1] + 16, "s")
    drawing.legend(10, 318, ("train", "trained"), ("data", "data"))
    return drawing


DRAWINGS = (reinvent_loop, equivariant_layer)
