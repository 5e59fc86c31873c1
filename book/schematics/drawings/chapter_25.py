"""The schematics of chapter 25."""

from book.schematics.kit import Schematic


def membership_inference() -> Schematic:
    """Return a membership test, and two sets of non-members."""
    drawing = Schematic(
        "membership_inference",
        292,
        "Membership inference by the loss attack",
        """A text goes through the trained model; if its loss is below a threshold, it
        counts as a member. Below: members against unread pages of the same plays, 22%
        caught at 1% false alarms; against another play 92%, and 45% without the
        model.""",
    )
    drawing.group("the test", 6, 6, 668, 122)
    text = drawing.box("a text", 24, 46, 92, 56, note="member?")
    model = drawing.box("model", 176, 39, 100, 70, "train", note="trained on\nmembers")
    loss = drawing.box("loss", 338, 46, 100, 56, "data", note="per token")
    member = drawing.box("member", 554, 38, 104, 30, "ok")
    other = drawing.box("not a member", 554, 84, 104, 30, "no")
    drawing.arrow(text.right, model.left)
    drawing.arrow(model.right, loss.left)
    drawing.arrow(loss.right, member.left, "low", via=[(496, 74), (496, 53)], at=0.4)
    drawing.arrow(
        loss.right,
        other.left,
        "high",
        via=[(496, 74), (496, 99)],
        at=0.4,
        shift=(0, 17),
    )
    drawing.branch(496, 74)
    drawing.group("the same members, two sets of others", 6, 140, 668, 146)
    members = drawing.box("members", 24, 196, 118, 52, note="pages that it read")
    pages = drawing.box("unread pages", 236, 170, 150, 48, note="of the same plays")
    play = drawing.box("another play", 236, 228, 150, 48, note="other subject, names")
    drawing.arrow(members.right, pages.left, via=[(190, 222), (190, 194)])
    drawing.arrow(members.right, play.left, via=[(190, 222), (190, 252)])
    drawing.branch(190, 222)
    for y, share, note in (
        (194, "22% caught", "the difference is membership"),
        (252, "92% caught", "45% even without asking the model"),
    ):
        drawing.arrow((386, y), (430, y))
        drawing.text(share, 440, y - 3, "b", "L")
        drawing.text(note, 440, y + 15, "s", "L")
    drawing.text("at 1% false alarms", 536, 191, "s", "L")
    drawing.text("at 1% false alarms", 536, 249, "s", "L")
    return drawing


def dp_sgd() -> Schematic:
    """Return one step of DP-SGD on three records."""
    drawing = Schematic(
        "dp_sgd",
        272,
        "One step of DP-SGD",
        """Three records have gradients with norms 5.0, 0.5 and 0.6. Clipping to C = 1
        gives 1.0, 0.5 and 0.6. Their sum, plus Gaussian noise of standard deviation
        sigma times C, divided by the batch size, updates the model.""",
    )
    for x, title in (
        (54, "records drawn"),
        (190, "gradients"),
        (336, "clipped to C = 1"),
    ):
        drawing.text(title, x, 24, "b")
    total = drawing.operation("+", 426, 135)
    norms = zip(("5.0", "0.5", "0.6"), ("1.0", "0.5", "0.6"), strict=True)
    for number, (before, after) in enumerate(norms, start=1):
        y, changed = 44 + 66 * (number - 1), before != after
        record = drawing.box(f"record {number}", 12, y, 84, 50)
        gradient = drawing.box(f"norm {before}", 138, y, 104, 50, "loss")
        clipped = drawing.box(
            f"norm {after}",
            284,
            y,
            104,
            50,
            "no" if changed else "ok",
            note="shortened" if changed else "as it was",
        )
        drawing.arrow(record.right, gradient.left, kind="back")
        drawing.arrow(gradient.right, clipped.left)
        if number == 2:
            drawing.arrow(clipped.right, total.left)
        else:
            end = total.top if number == 1 else total.bottom
            drawing.arrow(clipped.right, end, via=[(426, y + 25)])
    noisy = drawing.operation("+", 500, 135)
    noise = drawing.box("noise", 454, 44, 92, 50, "data", note="normal, σC")
    divide = drawing.box("divide by B", 560, 110, 104, 50, "op", note="batch size")
    model = drawing.box("model", 560, 198, 104, 50, "train", note="update")
    drawing.arrow(total.right, noisy.left)
    drawing.arrow(noise.bottom, noisy.top)
    drawing.arrow(noisy.right, divide.left)
    drawing.arrow(divide.bottom, model.top)
    drawing.text("each record is drawn with probability q", 12, 256, "s", "L")
    drawing.text("no record moves the sum by more than C", 284, 256, "s", "L")
    return drawing


def green_list() -> Schematic:
    """Return how a green list is chosen, and how the detector counts."""
    drawing = Schematic(
        "green_list",
        318,
        "A watermark by green lists",
        """The previous word, sea, and a secret key choose four green words of eight.
        Their logits get a bonus before the next word is drawn. The detector repeats
        this with the key and counts: 16 of 16 green gives z = 4.""",
    )
    drawing.group("writing: one token", 6, 6, 668, 176)
    previous = drawing.box("previous", 24, 42, 96, 50, note="“sea”")
    key = drawing.box("secret key", 24, 116, 96, 44)
    chooser = drawing.box("hash", 168, 72, 76, 56, "op", note="shuffles")
    drawing.arrow(previous.right, (168, 90), via=[(146, 67), (146, 90)])
    drawing.arrow(key.right, (168, 112), via=[(146, 138), (146, 112)])
    green, red = ("the", "is", "was", "grey"), ("sea", "sky", "calm", "cold")
    for y, words, kind in ((66, green, "ok"), (106, red, "no")):
        for place, word in enumerate(words):
            drawing.box(word, 292 + 52 * place, y, 52, 28, kind, shape="map", face="c")
    drawing.text("green list", 292, 58, "s", "L")
    drawing.text("the rest", 292, 150, "s", "L")
    drawing.arrow(chooser.right, (292, 100))
    bonus = drawing.box(
        "logits + bonus", 552, 56, 108, 48, "train", note="of the model"
    )
    draw = drawing.box("next token", 552, 124, 108, 46, note="“is”")
    drawing.arrow((500, 80), bonus.left)
    drawing.arrow(bonus.bottom, draw.top)
    drawing.group("detecting: the same key, no model", 6, 194, 668, 118)
    row = (("the", "data"), ("sea", "no"), ("is", "ok"), ("calm", "no"))
    for place, (word, kind) in enumerate(row):
        drawing.box(word, 24 + 52 * place, 226, 52, 30, kind, shape="map", face="c")
    drawing.box("the", 24, 268, 52, 30, shape="map", face="c")
    drawing.box("sixteen green words", 76, 268, 314, 30, "ok", shape="map", face="s")
    for x, y, counted, verdict in (
        (232, 241, "1 of 3 green", "z = −0.58: chance"),
        (390, 283, "16 of 16 green", "z = 4.00: marked"),
    ):
        drawing.arrow((x, y), (426, y))
        drawing.text(counted, 436, y + 5, "b", "L")
        drawing.text(verdict, 548, y + 5, "s", "L")
    return drawing


DRAWINGS = (membership_inference, dp_sgd, green_list)
