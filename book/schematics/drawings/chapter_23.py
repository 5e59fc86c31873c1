"""The schematics of chapter 23."""

import random

from book.schematics.kit import Point, Schematic


def refusal_direction() -> Schematic:
    """Return how a direction is found, removed from a vector, and from a model."""
    drawing = Schematic(
        "refusal_direction",
        262,
        "The refusal direction: find it, remove it, everywhere",
        """Left: the arrow r leads from the mean state of 140 answered prompts to the
        mean of 100 private requests. Middle: from x = (5, 5), 7 units along r = (3, 4)
        are removed. Right: what each layer writes into the stream loses r.""",
    )
    drawing.group("find", 6, 6, 214, 250)
    drawing.group("remove", 232, 6, 214, 250)
    drawing.group("in every layer", 458, 6, 216, 250)
    draw = random.Random(3)

    def cloud(x: float, y: float, count: int) -> list[Point]:
        return [(x + draw.gauss(0, 17), y + draw.gauss(0, 15)) for _ in range(count)]

    drawing.points(cloud(66, 174, 28), "faint")
    drawing.points(cloud(150, 96, 20))
    drawing.arrow((66, 174), (146, 100), kind="train")
    drawing.branch(66, 174)
    drawing.branch(150, 96)
    drawing.text("r", 100, 128, "b", halo=True)
    drawing.text("100 private requests", 136, 52, "s")
    drawing.text("140 answered prompts", 86, 232, "s")

    def at(x: float, y: float) -> Point:
        """Return where a point of the plane is drawn."""
        return 264 + 25 * x, 210 - 25 * y

    (left, low), (right, high) = at(-0.7, -1.2), at(6.6, 6.4)
    (x0, y0) = at(0, 0)
    drawing.parts.append(
        f'<path class="line ghost" d="M{left:g} {y0:g}H{right:g}M{x0:g} {low:g}'
        f'V{high:g}"/>'
    )
    drawing.arrow(at(0, 0), at(3, 4), kind="train")
    drawing.arrow(at(5, 5), at(0.8, -0.6), kind="back")
    drawing.branch(*at(5, 5))
    drawing.branch(*at(0.8, -0.6))
    drawing.text("r = (3, 4)", at(3, 4)[0] - 26, at(3, 4)[1] - 9, "s", halo=True)
    drawing.text("x = (5, 5)", at(5, 5)[0] + 6, at(5, 5)[1] - 9, "s", halo=True)
    drawing.text("7 along r", at(3.1, 2.2)[0] + 6, at(3.1, 2.2)[1], "s", "L", halo=True)
    drawing.text("(0.8, −0.6) is left", at(1.1, -0.9)[0] + 4, y0 + 25, "s", "L")

    stream = 496
    source = drawing.box("embedding", 572, 192, 96, 38, "frozen")
    drawing.arrow(source.left, (stream, 34), via=[(stream, source.left[1])])
    drawing.text("without r", 536, source.left[1] - 6, "s")
    drawing.text("residual stream", stream + 12, 42, "s", "L")
    for y, name in ((66, "feed-forward"), (129, "attention")):
        layer = drawing.box(name, 572, y, 96, 38, "frozen")
        plus = drawing.operation("+", stream, y + 19)
        drawing.arrow(layer.left, plus.right, "without r", shift=(-3, -6))
    return drawing


def constitution() -> Schematic:
    """Return Constitutional AI in two stages, with the chapter's numbers."""
    drawing = Schematic(
        "constitution",
        366,
        "Constitutional AI: revisions, then AI feedback",
        """Stage 1: the critic applies a rule to 380 prompts. It keeps 287, whose own
        answers stay, flags 45, whose answers are revised, and leaves 48 out; the model
        is fine-tuned. Stage 2: the critic compares answers, and DPO trains on them.""",
    )
    drawing.group("stage 1: critique and revision", 6, 6, 668, 206)
    drawing.group("stage 2: AI feedback", 6, 222, 668, 138)
    prompts = drawing.box("prompts", 20, 96, 84, 46, note="380")
    helpful = drawing.box("helpful-only", 142, 36, 110, 44, "frozen")
    critic = drawing.box(
        "critic", 142, 130, 110, 62, "frozen", note="MiniLM and\nthe rule"
    )
    drawing.arrow(prompts.right, helpful.left, via=[(123, 119), (123, 58)])
    drawing.arrow(prompts.right, critic.left, via=[(123, 119), (123, 161)])
    drawing.branch(123, 119)
    kept = drawing.box("287 kept", 304, 82, 92, 32, "ok", face="")
    flagged = drawing.box("45 flagged", 304, 128, 92, 32, "no", face="")
    out = drawing.box("48 left out", 304, 172, 92, 32, face="")
    for verdict in (kept, flagged, out):
        y = verdict.left[1]
        corner = [(278, 161), (278, y)]
        drawing.arrow(critic.right, verdict.left, via=corner)
    drawing.branch(278, 161)
    own = drawing.box("own answer", 432, 46, 122, 62, note="stays as it is")
    revision = drawing.box("revision", 432, 120, 122, 48, note="“I cannot help …”")
    drawing.arrow(helpful.right, (432, 58))
    drawing.arrow(kept.right, (432, 98))
    drawing.arrow(flagged.right, revision.left)
    drawing.box("model", 592, 84, 72, 56, "train", note="revised")
    drawing.arrow(own.right, (592, 100), via=[(573, 77), (573, 100)])
    drawing.arrow(revision.right, (592, 124), via=[(573, 144), (573, 124)])
    pair = drawing.box("two answers", 20, 262, 104, 62, note="own, revised")
    judge = drawing.box(
        "critic", 168, 262, 100, 62, "frozen", note="which one\ndeclines?"
    )
    chosen = drawing.box(
        "comparisons", 312, 254, 138, 78, note="flagged: declining wins\nkept: it loses"
    )
    loss = drawing.box("DPO loss", 494, 270, 76, 46, "loss")
    policy = drawing.box("policy", 600, 270, 64, 46, "train")
    drawing.arrow(pair.right, judge.left)
    drawing.arrow(judge.right, chosen.left)
    drawing.arrow(chosen.right, loss.left)
    drawing.arrow(
        loss.bottom, policy.bottom, "gradient", "back", via=[(532, 346), (632, 346)]
    )
    drawing.arrow(policy.left, loss.right)
    drawing.legend(20, 350, ("train", "trained"), ("frozen", "frozen"))
    return drawing


def greedy_coordinate_gradient() -> Schematic:
    """Return one step of the suffix search, with the numbers of the first step."""
    drawing = Schematic(
        "gcg",
        258,
        "One step of greedy coordinate gradient",
        """Above: a request, a suffix of six commas and the wanted beginning of the
        answer, whose loss is 5.36 nats. Its gradient proposes 32 tokens per position;
        16 candidates are drawn, their losses computed; the best, 3.65, is the next.""",
    )
    request = drawing.box("request", 10, 36, 150, 46, note="Do you know the …")
    drawing.text("suffix of six tokens", 262, 26, "s")
    for index in range(6):
        drawing.box(",", 178 + 28 * index, 38, 28, 42, "train", shape="map", face="c")
    target = drawing.box("wanted answer", 364, 36, 146, 46, note="The world region of")
    loss = drawing.box("loss", 560, 36, 110, 46, "loss", note="5.36 nats")
    drawing.arrow(request.right, (178, 59))
    drawing.arrow((346, 59), target.left)
    drawing.arrow(target.right, loss.left, "model", shift=(-3, -6))
    best = drawing.box(
        "best of 16", 178, 146, 168, 66, "ok", note="“, markets,,,,”\n3.65 nats"
    )
    tried = drawing.box(
        "16 candidates", 388, 146, 122, 66, note="one token changed,\nreal loss of each"
    )
    slope = drawing.box(
        "gradient", 560, 146, 110, 66, note="32 tokens for\neach position"
    )
    drawing.arrow(loss.bottom, slope.top, "", "back")
    drawing.arrow(slope.left, tried.right, "draw", shift=(-3, -6))
    drawing.arrow(tried.left, best.right)
    drawing.arrow(best.top, (262, 82), "becomes the suffix", shift=(8, 3), side="L")
    drawing.text(
        "after ten such steps: 0.02 nats",
        340,
        246,
        "s",
    )
    return drawing


DRAWINGS = (refusal_direction, constitution, greedy_coordinate_gradient)
