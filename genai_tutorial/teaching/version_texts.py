"""The versions of each exercise that has some: text, stub, solution and tests, whose
numbers the solution computes. None is the book's own.
"""

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Version:
    """One version of an exercise; the solution is the body of the stub's function."""

    title: str
    text: str
    stub: str
    solution: str
    visible: str
    hidden: str

    @property
    def reference(self) -> str:
        """The cell with the solution."""
        marks = "    ### BEGIN SOLUTION\n", "    ### END SOLUTION"
        return f"{self.stub}{marks[0]}{self.solution}{marks[1]}"

    @property
    def tests(self) -> str:
        """The cell with the tests."""
        marks = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
        return f"{self.visible}\n{marks[0]}\n{self.hidden}\n{marks[1]}"


def _function(stub: str, solution: str) -> Callable:
    space: dict = {}
    exec(stub + solution, space)
    return space[stub.rpartition("def ")[2].partition("(")[0]]


# --- 4.1: what a position may see -----------------------------------------------------

_MASKS = {
    "range(max(0, i - 2), i + 1)": "sees itself and the two positions before it",
    "range(max(0, i - 3), i + 1)": "sees itself and the three positions before it",
    "sorted({0, max(0, i - 1), i})": (
        "sees itself, the position before it, and always position 0"
    ),
    "range(i % 2, i + 1, 2)": (
        "sees itself and every second position before it: i, i - 2, i - 4, and so on"
    ),
    "range(min(len(scores), max(2, i + 1)))": (
        "sees itself, all positions before it, and always positions 0 and 1, which are "
        "a prefix"
    ),
}


def _masks() -> list[Version]:
    versions = []
    stub = (
        "import math\n\n\ndef attention_weights(scores):\n"
        '    """Return the attention weights under this mask."""\n'
    )
    for seen, text in _MASKS.items():
        solution = f"""\
    table = []
    for i, row in enumerate(scores):
        seen = {seen}
        largest = max(row[j] for j in seen)
        powers = {{j: math.exp(row[j] - largest) for j in seen}}
        total = sum(powers.values())
        table.append([powers.get(j, 0.0) / total for j in range(len(row))])
    return table
"""
        function = _function(stub, solution)
        draw = random.Random(seen)
        equal = [[0.0] * 5 for _ in range(5)]
        levels = [0.0, math.log(2), math.log(3)]
        table = [[draw.choice(levels) for _ in range(6)] for _ in range(6)]
        large = [[float(draw.randint(-900, 900)) for _ in range(5)] for _ in range(5)]
        compare = (
            "assert all(\n"
            "    abs(weight - other) < 1e-6\n"
            "    for row, others in zip({got}, {wanted}, strict=True)\n"
            "    for weight, other in zip(row, others, strict=True)\n"
            '), "{message}"'
        )

        def case(scores, message, function=function, compare=compare):
            wanted = [[round(x, 9) for x in row] for row in function(scores)]
            got = f"attention_weights({scores})"
            return compare.format(got=got, wanted=wanted, message=message)

        versions.append(
            Version(
                "A mask",
                "Write `attention_weights(scores)`. Its argument is a square table of "
                "scores, as a list of lists: `scores[i][j]` says how well query `i` "
                f"matches key `j`. Position `i` {text}. Return a table of the same "
                "shape with the attention weights: each row is a softmax over the "
                "positions that it sees, and zero elsewhere. Scores can be in the high "
                "hundreds, where `math.exp` overflows.",
                stub,
                solution,
                case(equal, "Equal scores get equal weights where they are seen."),
                case(table, "The weights of six positions.")
                + "\n"
                + case(large, "Large scores must not overflow, nor matter unseen."),
            )
        )
    return versions


# --- 4.4: which parameters there are --------------------------------------------------


def _counts() -> list[Version]:
    versions = []
    stub = (
        "def parameters(vocabulary, context, width, inner, layers):\n"
        '    """Return the exact number of parameters."""\n'
    )
    for kinds in itertools.product((True, False), repeat=4):
        tied, biases, gated, learned = kinds
        # each of them differs from GPT-2 in two of four properties
        if (not tied) + (not biases) + gated + (not learned) != 2:
            continue
        matrices, extra = (3, "2 * inner + width") if gated else (2, "inner + width")
        solution = f"""\
    attention = 4 * width * width{" + 4 * width" if biases else ""}
    feed_forward = {matrices} * width * inner{f" + {extra}" if biases else ""}
    norm = {"2 * width" if biases else "width"}
    tables = {"(vocabulary + context)" if learned else "vocabulary"} * width
    head = {"0" if tied else "vocabulary * width"}
    return tables + layers * (attention + feed_forward + 2 * norm) + norm + head
"""
        function = _function(stub, solution)
        draw = random.Random(str(kinds))
        sizes = (64, 32_000, 50_257), (64, 1024), (128, 768), (512, 3072), (4, 12)
        cases = [(0, 0, 1, 1, 0), (10, 5, 1, 1, 0)]
        cases += [tuple(map(draw.choice, sizes)) for _ in range(4)]
        tests = [
            f'assert parameters{case} == {function(*case)}, "parameters{case}"'
            for case in cases
        ]
        sentences = [
            "Linear layers in a block have biases, and norms have a gain and a bias."
            if biases
            else "No layer has a bias, and norms have a gain only.",
            "The feed-forward network has three matrices: two from `width` to `inner` "
            "features and one back (SwiGLU)."
            if gated
            else "The feed-forward network has two matrices: from `width` to `inner` "
            "features and back.",
            "There is an embedding vector for every position."
            if learned
            else "Positions are rotary and have no parameters.",
            "The output layer shares the token embedding's weights."
            if tied
            else "The output layer has a matrix of its own, without a bias.",
        ]
        versions.append(
            Version(
                "All parameters of a decoder",
                "Write `parameters(vocabulary, context, width, inner, layers)`, which "
                "counts the parameters of a decoder. Attention has four matrices from "
                f"`width` to `width` features. {' '.join(sentences)} Every block has "
                "two norms, and the model one more at the end. There is an embedding "
                "vector for every token.",
                stub,
                solution,
                "\n".join(tests[:3]),
                "\n".join(tests[3:]),
            )
        )
    return versions


# --- 5.2: which features are a pair, and how they rotate ------------------------------


def _rotations() -> list[Version]:
    versions = []
    stub = (
        "import math\n\n\ndef rotate(vector, position, base=10_000):\n"
        '    """Return the vector with each pair rotated by its angle."""\n'
    )
    for halves, forward, first in itertools.product(
        (True, False), (True, False), (0, 1)
    ):
        if halves and forward and first == 0:  # the book's own
            continue
        one, two = ("i", "i + half") if halves else ("2 * i", "2 * i + 1")
        step = "(i + 1)" if first else "i"
        solution = f"""\
    half = len(vector) // 2
    rotated = [0.0] * len(vector)
    for i in range(half):
        angle = {"" if forward else "-"}position * base ** (-2 * {step} / len(vector))
        a, b = vector[{one}], vector[{two}]
        rotated[{one}] = a * math.cos(angle) - b * math.sin(angle)
        rotated[{two}] = a * math.sin(angle) + b * math.cos(angle)
    return rotated
"""
        function = _function(stub, solution)
        draw = random.Random(f"{halves}{forward}{first}")
        cases = [([1.0, 2.0, 3.0, 4.0], 0, 10_000), ([1.0, 0.0, 0.0, 2.0], 1, 100)]
        for size in (4, 6, 8):
            vector = [draw.randint(-3, 3) / 2 + 0.25 for _ in range(size)]
            cases.append((vector, draw.randint(1, 50), draw.choice([100, 1000])))

        def test(case, function=function):
            wanted = [round(x, 9) + 0.0 for x in function(*case)]
            return (
                "assert all(\n"
                "    abs(value - other) < 1e-6\n"
                f"    for value, other in zip(rotate{case}, {wanted}, strict=True)\n"
                f'), "rotate{case}"'
            )

        pair = "Feature i and feature i + d/2" if halves else "Features 2i and 2i + 1"
        versions.append(
            Version(
                "Rotary positions",
                "Write `rotate(vector, position, base)` for a list of an even number "
                f"d of features. {pair} are the two coordinates of a point; rotate it "
                f"{'counterclockwise' if forward else 'clockwise'} by the angle "
                f"`position` times `base` to the power of -2{step}/d, for each i from "
                "0 to d/2 - 1. Counterclockwise, a point (a, b) rotated by α is "
                "(a cos α - b sin α, a sin α + b cos α). Return a new list with each "
                "coordinate at its old index.",
                stub,
                solution,
                "\n".join(map(test, cases[:2])),
                "\n".join(map(test, cases[2:])),
            )
        )
    return versions


# --- 5.4: which experts, with which weights, in which order ---------------------------

_WEIGHTS = {
    "chosen": (
        "the softmax over the chosen logits",
        "    powers = {e: math.exp(scores[e] - max(scores)) for e in chosen}\n"
        "    total = sum(powers.values())\n",
    ),
    "all": (
        "the softmax over the logits of all experts, so that they sum to less than one",
        "    powers = {e: math.exp(scores[e] - max(scores)) for e in chosen}\n"
        "    total = sum(math.exp(score - max(scores)) for score in scores)\n",
    ),
    "sigmoid": (
        "the sigmoid of the logit, divided by the sum of the chosen experts' sigmoids",
        "    powers = {e: 1 / (1 + math.exp(-scores[e])) for e in chosen}\n"
        "    total = sum(powers.values())\n",
    ),
}


def _routers() -> list[Version]:
    versions = []
    stub = (
        "import math\n\n\ndef route(scores, k):\n"
        '    """Return the k chosen experts and the weight of each."""\n'
    )
    for lower, kind, best in itertools.product((True, False), _WEIGHTS, (True, False)):
        if lower and kind == "chosen" and best:  # the book's own
            continue
        told, weights = _WEIGHTS[kind]
        key = "(-scores[e], e)" if lower else "(-scores[e], -e)"
        solution = (
            f"    order = sorted(range(len(scores)), key=lambda e: {key})\n"
            f"    chosen = {'order[:k]' if best else 'sorted(order[:k])'}\n{weights}"
            "    return {e: power / total for e, power in powers.items()}\n"
        )
        function = _function(stub, solution)
        cases = [
            ([0.0, 1.5, 0.5, 2.0], 2),
            ([1.0, 5.0, 5.0, 5.0], 2),
            ([0.25, 0.75, -0.5], 3),
            ([900.0, 899.0, 0.0, 900.0, 900.0], 3),
            ([2.0, -1.0, 3.0, 2.0, 0.5], 2),
        ]

        def test(case, function=function):
            wanted = {e: round(weight, 9) for e, weight in function(*case).items()}
            return (
                f"got = route{case}\n"
                f'assert list(got) == {list(wanted)}, "the experts of route{case}"\n'
                f"for expert, weight in {wanted}.items():\n"
                "    assert abs(got[expert] - weight) < 1e-6, "
                f'"the weights of route{case}"'
            )

        versions.append(
            Version(
                "The router",
                "Write `route(scores, k)`. `scores` is a list with the router's logit "
                "for each expert. Return a dictionary that maps the indices of the `k` "
                "experts with the largest logits, counted from 0, to their weights: "
                f"{told}. List {'the best expert' if best else 'the lowest index'} "
                "first. Of equal logits, the expert with the "
                f"{'lower' if lower else 'higher'} index is the better one. Logits can "
                "be in the high hundreds.",
                stub,
                solution,
                "\n".join(map(test, cases[:2])),
                "\n".join(map(test, cases[2:])),
            )
        )
    return versions


VERSIONS: dict[str, Callable[[], list[Version]]] = {
    "4.1": _masks,
    "4.4": _counts,
    "5.2": _rotations,
    "5.4": _routers,
}
