"""The schematics of chapter 31."""

from book.schematics.kit import Schematic


def number() -> Schematic:
    """Return the life of a number and the eight places where it is bent."""
    drawing = Schematic(
        "evaluation_number",
        292,
        "The life of a number, and eight places where it is bent",
        """Two rows of four boxes. An exam: questions, prompt, answer, score. A
        comparison: mean, votes, rating, headline. Below each box a dashed one says what
        bends it, from leaked questions to the best of many variants.""",
    )
    rows = (
        (
            "an exam",
            (
                ("questions", "leaked into\nthe training data"),
                ("prompt", "one wording,\none order"),
                ("answer", "letter, likelihood\nor text?"),
                ("score", "per token or per\ncharacter, how strict"),
            ),
        ),
        (
            "a comparison",
            (
                ("mean", "too few questions,\nor in clusters"),
                ("votes", "position, length,\nself-preference"),
                ("rating", "the order\nof the votes"),
                ("headline", "the best of many\nvariants"),
            ),
        ),
    )
    previous = None
    for row, (heading, steps) in enumerate(rows):
        y = 34 + 142 * row
        drawing.text(heading, 16, y - 12, "h", "L")
        for column, (name, bent) in enumerate(steps):
            x = 16 + 168 * column
            box = drawing.box(name, x, y, 144, 34)
            drawing.box("", x, y + 48, 144, 48, "no", note=bent)
            if column:
                drawing.arrow(previous.right, box.left)
            elif row:
                start = (previous.right[0], previous.right[1])
                drawing.arrow(
                    start,
                    box.left,
                    via=[(672, start[1]), (672, y - 30), (8, y - 30), (8, y + 17)],
                )
            previous = box
    return drawing


def votes() -> Schematic:
    """Return how votes become ratings in two ways."""
    drawing = Schematic(
        "arena_votes",
        226,
        "From votes to ratings: Elo and Bradley-Terry",
        """A question goes to two systems; a rater prefers one of the two answers. 600
        such votes go to Elo, which reads them one after another and depends on their
        order, and to Bradley-Terry, which fits all at once and has intervals.""",
    )
    question = drawing.box("question", 16, 80, 80, 38)
    first = drawing.box("system A", 134, 30, 96, 42, "frozen", note="answers")
    second = drawing.box("system B", 134, 126, 96, 42, "frozen", note="answers")
    rater = drawing.box("rater", 268, 74, 86, 50, note="prefers one")
    pile = drawing.box("600 votes", 390, 78, 84, 42, note="A, B, A, A, ...")
    elo = drawing.box("Elo", 514, 18, 150, 42, "data", note="one vote after another")
    model = drawing.box(
        "Bradley-Terry", 514, 122, 150, 42, "data", note="all votes at once"
    )
    for system in (first, second):
        y = system.left[1]
        drawing.arrow(question.right, system.left, via=[(115, 99), (115, y)])
        drawing.arrow(system.right, rater.left, via=[(249, y), (249, 99)])
    drawing.arrow(rater.right, pile.left)
    drawing.arrow(pile.right, elo.left, via=[(494, 99), (494, elo.left[1])])
    drawing.arrow(pile.right, model.left, via=[(494, 99), (494, model.left[1])])
    drawing.text("the order decides", 589, 80, "s")
    drawing.text("any order: the same ratings,", 589, 184, "s")
    drawing.text("each with an interval", 589, 201, "s")
    return drawing


DRAWINGS = (number, votes)
