"""The schematics of chapter 28."""

from book.schematics.kit import Schematic


def federated_round() -> Schematic:
    """Return one round of federated averaging, with the numbers of the example."""
    drawing = Schematic(
        "federated_round",
        280,
        "One round of federated averaging",
        """The server sends w = 0 to two clients. Each trains two steps on examples that
        stay with it: 1 example gives 1.08, 3 examples give 0.747. The server averages
        them with the weights 1 and 3 to 0.83, where the next round starts.""",
    )
    start = drawing.box("server", 10, 98, 92, 52, note="w = 0")
    drawing.group("client 1", 170, 8, 288, 104)
    drawing.group("client 2", 170, 136, 288, 104)
    average = drawing.box(
        "server", 530, 80, 142, 88, note="(1 · 1.08 + 3 · 0.747) / 4\nw = 0.83"
    )
    for y, examples, after, entry in (
        (8, "1 example", "w_{1} = 1.08", 106),
        (136, "3 examples", "w_{2} = 0.747", 142),
    ):
        middle = y + 78
        local = drawing.box(
            "2 local steps", 186, middle - 24, 112, 46, "train", note="gradient descent"
        )
        data = drawing.box(examples, 336, y + 12, 106, 28, face="s")
        drawing.arrow(data.left, (242, middle - 24), via=[(242, y + 26)], kind="")
        drawing.arrow((102, entry), local.left, via=[(136, entry), (136, middle - 1)])
        exit_y = 106 if y == 8 else 142
        drawing.arrow(
            local.right,
            (530, exit_y),
            via=[(494, middle - 1), (494, exit_y)],
        )
        drawing.text(after, 388, middle - 8, "s", halo=True)
    drawing.arrow(
        average.bottom, start.bottom, "next round", "back", via=[(601, 268), (56, 268)]
    )
    return drawing


def secure_aggregation() -> Schematic:
    """Return three masked updates and their sum, with the numbers of the example."""
    drawing = Schematic(
        "secure_aggregation",
        254,
        "Secure aggregation of three updates",
        """Three clients hold 12, 7 and -10. Each pair shares a mask, which one adds and
        the other subtracts, modulo 1000. The server receives 270, 919 and 820, which
        look random; their sum modulo 1000 is 9, the sum of the updates.""",
    )
    for x, text in ((62, "update"), (268, "masks shared in pairs"), (470, "sent")):
        drawing.text(text, x, 20, "s")
    server = drawing.box("server", 556, 94, 114, 76, note="sum = 2009\nmod 1000 = 9")
    rows = (
        ("client a", "12", "+ 864  + 394", "270"),
        ("client b", "7", "− 864  + 776", "919"),
        ("client c", "−10", "− 394  − 776", "820"),
    )
    for index, (client, secret, masks, sent) in enumerate(rows):
        y = 34 + 74 * index
        update = drawing.box(client, 10, y, 104, 48, note=secret)
        mask = drawing.box(masks, 186, y + 5, 164, 38, face="c")
        masked = drawing.box(sent, 432, y + 7, 76, 34, "op")
        drawing.arrow(update.right, mask.left)
        drawing.arrow(mask.right, masked.left, "mod 1000")
        if index == 1:
            drawing.arrow(masked.right, server.left, via=[])
        else:
            target = server.top if index == 0 else server.bottom
            drawing.arrow(masked.right, target, via=[(target[0], masked.right[1])])
    drawing.text(
        "12 + 7 − 10 = 9: every mask was added once and subtracted once", 340, 248, "s"
    )
    return drawing


DRAWINGS = (federated_round, secure_aggregation)
