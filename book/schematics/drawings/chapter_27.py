"""The schematics of chapter 27."""

from book.schematics.kit import Node, Schematic

PIXELS = 16


def _frame(
    drawing: Schematic, ball: tuple[int, int], paddle: int, x: float, y: float
) -> Node:
    """Draw a frame of the game, 68 pixels wide: a ball of 2×2 and a paddle of 4×1."""
    size = 68 / PIXELS
    drawing.box("", x, y, 68, 68, "ink", shape="map")
    for column, row, width, height in ((*ball, 2, 2), (paddle, PIXELS - 1, 4, 1)):
        drawing.box(
            "",
            x + column * size,
            y + row * size,
            width * size,
            height * size,
            "paper",
            shape="map",
        )
    return drawing.box("", x, y, 68, 68, "frame", shape="map")


def recurrent_model() -> Schematic:
    """Return one step of the recurrent state-space model, with its losses."""
    drawing = Schematic(
        "world_model",
        428,
        "One step of the recurrent state-space model",
        """An encoder turns the frame into a code. A GRU updates the memory with code
        and action. Heads predict the next code, reward and end, which losses compare
        with the real ones. In a dream the predicted code replaces the real one.""",
    )
    memory = drawing.box("GRU", 84, 40, 92, 54, "train", note="128 numbers")
    code = drawing.box("code z_{t}", 74, 140, 112, 46, note="8 groups of 16")
    encoder = drawing.box("encoder", 26, 220, 88, 38, "train")
    decoder = drawing.box("decoder", 146, 220, 88, 38, "train")
    frame = _frame(drawing, (4, 5), 4, 36, 292)
    restored = _frame(drawing, (4, 5), 4, 156, 292)
    drawing.text("x_{t}", 18, 330)
    same = drawing.box("reconstruction", 78, 386, 104, 32, "loss")
    drawing.arrow(frame.top, encoder.bottom)
    drawing.arrow((94, 220), (94, 186))
    drawing.arrow((166, 186), (166, 220))
    drawing.arrow(decoder.bottom, restored.top)
    drawing.arrow(frame.bottom, same.left, via=[(70, 402)])
    drawing.arrow(restored.bottom, same.right, via=[(190, 402)])
    drawing.arrow(code.top, memory.bottom)
    action = drawing.box("a_{t}", 8, 128, 48, 44, note="left")
    drawing.arrow(action.top, (84, 82), via=[(32, 82)])
    drawing.arrow((8, 56), (84, 56))
    drawing.text("h_{t}", 42, 46)
    drawing.box("GRU", 514, 40, 92, 54, "train", note="same weights")
    drawing.arrow((176, 56), (514, 56))
    drawing.text("h_{t+1}", 216, 46)
    heads = drawing.box("heads", 258, 104, 96, 42, "train")
    drawing.branch(306, 56)
    drawing.arrow((306, 56), heads.top)
    guess = drawing.box("predicted z_{t+1}", 378, 102, 112, 46, note="8 groups of 16")
    drawing.arrow(heads.right, guess.left)
    drawing.arrow(
        guess.top,
        (514, 82),
        "in a dream",
        "back",
        via=[(434, 82)],
        shift=(-4, -6),
    )
    after = drawing.box("code z_{t+1}", 526, 150, 84, 40)
    drawing.arrow(after.top, (568, 94))
    surprise = drawing.box("KL divergence", 384, 190, 100, 34, "loss")
    drawing.arrow(guess.bottom, surprise.top)
    drawing.arrow(after.left, surprise.right, via=[(505, 170), (505, 207)])
    other = drawing.box("encoder", 524, 226, 88, 38, "train")
    drawing.arrow(other.top, after.bottom)
    seen = _frame(drawing, (2, 6), 3, 534, 298)
    drawing.arrow(seen.top, other.bottom)
    drawing.text("x_{t+1}", 632, 336)
    press = drawing.box("a_{t+1}", 626, 128, 48, 44, note="stay")
    drawing.arrow(press.top, (606, 82), via=[(650, 82)])
    drawing.arrow((606, 56), (674, 56))
    drawing.text("h_{t+2}", 642, 46)
    drawing.box("reward", 248, 190, 62, 46, note="−1, 0, 1")
    drawing.box("end", 318, 190, 52, 46, note="0 or 1")
    drawing.arrow((279, 146), (279, 190))
    drawing.arrow((338, 146), (338, 190))
    drawing.box("cross-entropy", 260, 270, 98, 34, "loss")
    drawing.arrow((282, 236), (282, 270))
    drawing.arrow((338, 236), (338, 270))
    drawing.legend(270, 408, ("train", "trained"), ("loss", "loss"))
    return drawing


def imagination() -> Schematic:
    """Return actor and critic in a dream of three steps, with the example's numbers."""
    drawing = Schematic(
        "dream_training",
        408,
        "Actor and critic in a dream of three steps",
        """A dream of three steps: at each state the actor chooses an action and the
        frozen world model gives the next state and a reward, 0, 0 and 1. The critic
        gives values; λ-returns are computed from the last step backwards.""",
    )
    columns, values = (64, 242, 420, 598), ("0.2", "0.4", "0.6", "0")
    states, critics, worths = [], [], []
    for step, (x, value) in enumerate(zip(columns, values, strict=True)):
        states.append(drawing.box(f"s_{{{step}}}", x - 24, 72, 48, 44))
        critics.append(drawing.box("critic", x - 34, 226, 68, 36, "train"))
        worths.append(drawing.box(f"V = {value}", x - 34, 300, 68, 34))
        drawing.arrow(states[-1].bottom, critics[-1].top)
        drawing.arrow(critics[-1].bottom, worths[-1].top)
    returns = []
    for step, (reward, total) in enumerate((("0", "0.504"), ("0", "0.72"), ("1", "1"))):
        x = (columns[step] + columns[step + 1]) / 2
        world = drawing.box("model", x - 36, 68, 72, 52, "frozen", note="frozen")
        actor = drawing.box("actor", x - 32, 160, 64, 36, "train")
        paid = drawing.box(f"r = {reward}", x - 28, 10, 56, 32)
        returns.append(drawing.box(f"G = {total}", x - 38, 300, 76, 34))
        drawing.branch(columns[step], 178)
        drawing.arrow((columns[step], 178), actor.left)
        drawing.arrow(actor.top, world.bottom, "action", shift=(6, 4), side="L")
        drawing.arrow(world.top, paid.bottom)
        drawing.arrow(states[step].right, world.left)
        drawing.arrow(world.right, states[step + 1].left)
        drawing.arrow(worths[step + 1].left, returns[step].right)
    for step in (0, 1):
        start, end = returns[step + 1].bottom[0] - 20, returns[step].bottom[0] + 22
        drawing.arrow((start, 334), (end, 334), via=[(start, 354), (end, 354)])
    drawing.text("a recorded", 64, 36, "s")
    drawing.text("moment", 64, 52, "s")
    drawing.box("advantage 0.304", 44, 366, 118, 32, "loss")
    drawing.arrow((82, 334), (82, 366))
    drawing.arrow((130, 334), (130, 366))
    drawing.legend(
        206,
        386,
        ("train", "trained by G − V"),
        ("frozen", "trained before"),
        ("loss", "G − V"),
    )
    return drawing


def joint_embedding() -> Schematic:
    """Return a joint-embedding predictive architecture on two pairs of frames."""
    drawing = Schematic(
        "joint_embedding",
        300,
        "A joint-embedding predictive architecture",
        """Two frames go through the trained encoder; a predictor with the action
        predicts the next embedding. The next two frames go through a target encoder
        without gradient. The loss is the squared distance of the two embeddings.""",
    )
    _frame(drawing, (6, 4), 4, 10, 46)
    now = _frame(drawing, (4, 5), 4, 26, 62)
    _frame(drawing, (4, 5), 4, 10, 192)
    later = _frame(drawing, (2, 6), 3, 26, 208)
    drawing.text("now", 52, 150, "s")
    drawing.text("one step later", 52, 296, "s")
    encoder = drawing.box("encoder", 132, 70, 92, 52, "train")
    seen = drawing.box("embedding", 262, 70, 100, 52, note="32 numbers")
    predictor = drawing.box("predictor", 400, 70, 96, 52, "train")
    guess = drawing.box("predicted", 536, 70, 100, 52, note="32 numbers")
    target = drawing.box("encoder", 132, 216, 92, 52, "frozen", note="or its average")
    real = drawing.box("embedding", 262, 216, 100, 52, note="32 numbers")
    loss = drawing.box("squared distance", 524, 160, 124, 36, "loss")
    drawing.arrow(now.right, encoder.left)
    drawing.arrow(encoder.right, seen.left)
    drawing.arrow(seen.right, predictor.left)
    drawing.arrow(predictor.right, guess.left)
    drawing.arrow(guess.bottom, loss.top)
    drawing.arrow(later.right, target.left)
    drawing.arrow(target.right, real.left)
    drawing.arrow(real.right, loss.bottom, "no gradient", via=[(586, 242)], at=0.45)
    action = drawing.box("action", 414, 150, 68, 34)
    drawing.arrow(action.top, predictor.bottom)
    drawing.arrow(
        loss.right,
        encoder.top,
        "gradient",
        "back",
        via=[(664, 178), (664, 28), (178, 28)],
        shift=(0, -6),
    )
    drawing.arrow((448, 28), predictor.top, kind="back")
    drawing.legend(380, 290, ("train", "trained"), ("frozen", "not trained"))
    return drawing


DRAWINGS = (recurrent_model, imagination, joint_embedding)
