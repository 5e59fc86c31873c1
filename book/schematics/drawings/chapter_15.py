"""The schematics of chapter 15."""

from book.schematics.kit import Schematic

QUESTION = "16+27+72+84="


def best_of_n() -> Schematic:
    """Return four ways to choose one of five sampled answers."""
    drawing = Schematic(
        "best_of_n",
        312,
        "Self-consistency and best-of-n",
        """The solver samples five answers: 199, 189, 199, none, 209, with probabilities
        0.1, 0.5, 0.1, 0.2, 0.1. A vote and a verifier choose 199, which is correct; a
        weighted vote and the best probability choose 189.""",
    )
    question = drawing.box(QUESTION, 6, 128.5, 108, 36, face="c")
    solver = drawing.box("solver", 136, 120.5, 84, 52, "frozen", note="T = 1")
    drawing.arrow(question.right, solver.left)
    drawing.group("five samples", 262, 6, 156, 252)
    drawing.text("answer", 304, 42, "s")
    drawing.text("probability", 374, 42, "s")
    samples = (("199", "0.1"), ("189", "0.5"), ("199", "0.1"), ("none", "0.2"))
    for row, (answer, probability) in enumerate((*samples, ("209", "0.1"))):
        y = 50 + 40 * row
        kind = "ok" if answer == "199" else "no"
        node = drawing.box(answer, 276, y, 56, 33, kind)
        drawing.text(probability, 374, y + 21)
        middle = node.left[1]
        corners = [] if row == 2 else [(242, 146.5), (242, middle)]
        drawing.arrow((220, 146.5), node.left, via=corners)
    drawing.branch(242, 146.5)
    rules = (
        ("vote", "2 of 4 votes", "199"),
        ("weighted vote", "0.5 against 0.2", "189"),
        ("best probability", "0.5", "189"),
        ("verifier", "knows the truth", "199"),
    )
    drawing.branch(440, 146.5)
    for row, (name, note, choice) in enumerate(rules):
        y = 40 + 55 * row
        rule = drawing.box(name, 462, y, 124, 48, "op", note=note)
        kind = "ok" if choice == "199" else "no"
        chosen = drawing.box(choice, 616, y + 7, 54, 34, kind)
        drawing.arrow((418, 146.5), rule.left, via=[(440, 146.5), (440, rule.left[1])])
        drawing.arrow(rule.right, chosen.left)
    drawing.legend(276, 294, ("ok", "correct"), ("no", "incorrect"))
    return drawing


def grpo_group() -> Schematic:
    """Return a group of four answers, from rewards to advantages to the update."""
    drawing = Schematic(
        "grpo_group",
        330,
        "A group of GRPO",
        """The policy samples four answers to one question. The verifier gives the
        rewards 1, 0, 0, 0, with mean 0.25 and deviation 0.5, so the advantages are 1.5
        and three times -0.5. The clipped loss sends its gradient to the policy.""",
    )
    question = drawing.box(QUESTION, 6, 30, 108, 36, face="c")
    policy = drawing.box("policy", 6, 104, 108, 56, "train", note="T = 1, 4 times")
    drawing.arrow(question.bottom, policy.top)
    answers = ("34,511;991", "991;34", "34,511;981", "702")
    for name, x in (("answers", 214), ("rewards", 436), ("advantages", 628)):
        drawing.text(name, x, 20, "s")
    verifier = drawing.box(
        "verifier", 302, 32, 84, 200, "op", note="is the\nanswer 991?"
    )
    group = drawing.box("group", 488, 32, 84, 200, "op", note="mean 0.25\nstd 0.5")
    for row, answer in enumerate(answers):
        y = 38 + 50 * row
        good = row == 0
        kind = "ok" if good else "no"
        node = drawing.box(answer, 160, y, 108, 38, kind, face="c")
        middle = node.left[1]
        drawing.arrow(policy.right, node.left, via=[(137, 132), (137, middle)])
        drawing.arrow(node.right, (verifier.x, middle))
        reward = drawing.box("1" if good else "0", 418, y, 36, 38)
        drawing.arrow((386, middle), reward.left)
        drawing.arrow(reward.right, (group.x, middle))
        value = drawing.box("+1.5" if good else "−0.5", 602, y, 54, 38)
        drawing.arrow((572, middle), value.left)
    drawing.branch(137, 132)
    loss = drawing.box("GRPO loss", 302, 262, 128, 52, "loss", note="clipped ratio")
    drawing.arrow((629, 226), loss.right, via=[(629, 288)])
    drawing.arrow(
        loss.left, policy.bottom, "gradient", "back", via=[(60, 288)], shift=(0, -6)
    )
    return drawing


def constrained_step() -> Schematic:
    """Return one step of constrained decoding."""
    drawing = Schematic(
        "constrained_step",
        336,
        "One step of constrained decoding",
        """SmolLM2 prefers a newline, 0.37. The expression allows 3 of 49,152 tokens, so
        the mask leaves space and brace, 0.24, which becomes 0.78. The drawn token is
        appended to the text, and the expression becomes its derivative.""",
    )
    text = drawing.box("… JSON:", 10, 94, 100, 40, face="c")
    drawing.text("text so far", 60, 150, "s")
    model = drawing.box("SmolLM2", 136, 86, 104, 56, "frozen", note="135 million")
    drawing.arrow(text.right, model.left)
    expression = drawing.box(
        '\\{[ ]?"name"[ ]?:…', 28, 232, 176, 40, face="c", shape="map"
    )
    drawing.text("what may still follow", 116, 224, "s")
    drawing.group("next token", 282, 30, 272, 242)
    columns = ((322, "token"), (390, "model"), (456, "mask"), (520, "result"))
    for x, name in columns:
        drawing.text(name, x, 68, "s")
    rows = (
        ("'\\n'", "0.37", False, "0"),
        ("' {'", "0.24", True, "0.78"),
        ("' ['", "0.08", False, "0"),
        ("' '", "0.05", True, "0.16"),
        ("' {\"'", "0.02", True, "0.06"),
    )
    for row, (token, share, allowed, result) in enumerate(rows):
        y = 78 + 34 * row
        kind = "ok" if allowed else "no"
        drawing.box(token, 296, y, 52, 28, kind, face="c", shape="map")
        drawing.text(share, 390, y + 19)
        drawing.text("1" if allowed else "0", 456, y + 19, "b")
        drawing.text(result, 520, y + 19)
    drawing.text("3 of 49,152 allowed", 456, 262, "s")
    drawing.arrow(model.right, (282, 114))
    drawing.arrow(expression.right, (282, 252), "trie", shift=(0, -6))
    drawn = drawing.box("' {'", 600, 129, 60, 44, "data", face="c")
    drawing.arrow((554, 151), drawn.left, "draw", shift=(-2, -7))
    drawing.arrow(
        drawn.bottom,
        expression.bottom,
        "derivative by the drawn token",
        via=[(630, 318), (116, 318)],
    )
    drawing.arrow(
        drawn.top, text.top, "append", via=[(630, 14), (60, 14)], at=0.7, shift=(0, 15)
    )
    return drawing


def process_reward() -> Schematic:
    """Return one answer with two rewards: for its end, and for each of its steps."""
    drawing = Schematic(
        "process_reward",
        252,
        "Outcome reward and process reward",
        """The policy answers 82×83 with two steps and a final number, of which only the
        first step is correct. The outcome reward reads the final number and is 0; the
        process reward reads all three and is one third.""",
    )
    question = drawing.box("82×83=", 6, 108, 84, 36, face="c")
    policy = drawing.box("policy", 112, 99, 88, 54, "train")
    drawing.arrow(question.right, policy.left)
    drawing.group("one answer, backwards", 226, 66, 244, 120)
    numbers = (("642", "82·3", "ok"), ("0646", "82·80", "no"), ("6096", "sum", "no"))
    for column, (number, note, kind) in enumerate(numbers):
        x = 238 + 76 * column
        node = drawing.box(number, x, 104, 66, 38, kind, face="c")
        drawing.text(note, x + 33, 164, "s")
    drawing.arrow(policy.right, (226, 126))
    outcome = drawing.box("outcome reward", 496, 12, 116, 52, "op", note="the end only")
    drawing.arrow(node.top, outcome.left, via=[(node.top[0], 38)])
    drawing.arrow(outcome.right, drawing.box("0", 636, 20, 36, 36).left)
    process = drawing.box(
        "process reward", 496, 188, 116, 52, "op", note="every number"
    )
    drawing.arrow((348, 186), process.left, via=[(348, 214)])
    drawing.arrow(process.right, drawing.box("1/3", 636, 196, 36, 36).left)
    drawing.legend(6, 240, ("ok", "correct"), ("no", "incorrect"))
    return drawing


DRAWINGS = (best_of_n, grpo_group, constrained_step, process_reward)
