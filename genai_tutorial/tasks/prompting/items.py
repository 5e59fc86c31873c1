"""Twelve formats of the same question: the past tense of a verb."""

import json
import random
from collections.abc import Callable
from itertools import islice

from .task import (
    MARKER,
    PromptExample,
    PromptTask,
    judge_json,
    judge_label,
    judge_letter,
    judge_number,
    judge_text,
    split_words,
)

COSMETIC_FORMATS = (
    "Verb: {question}\nPast tense: {answer}",
    "verb: {question}\npast tense: {answer}",
    "VERB: {question}\nPAST TENSE: {answer}",
    "Verb:: {question}\nPast tense:: {answer}",
    "Verb - {question}\nPast tense - {answer}",
    "Verb: {question} || Past tense: {answer}",
)
"""Six formats with the same words, which differ in case and punctuation only."""

PAST_TENSE_FORMATS = (
    *COSMETIC_FORMATS,
    "Q: What is the past tense of {question}?\nA: {answer}",
    "Input: {question}\nOutput: {answer}",
    "{question} -> {answer}",
    "{question} => {answer}",
    "{question}, {answer}",
    "<verb>{question}</verb><past>{answer}</past>",
)
"""The cosmetic formats, and six that say more or less about the task."""


def _pairs(text: str) -> tuple[PromptExample, ...]:
    """Return examples from text such as "go: went, open: shut/close"."""
    examples = []
    for line in text.strip().splitlines():
        for pair in line.split(","):
            question, _, answers = pair.partition(":")
            first, *also = (answer.strip() for answer in answers.split("/"))
            examples.append(PromptExample(question.strip(), first, also=tuple(also)))
    return tuple(examples)


PAST_TENSE = PromptTask(
    name="past tense",
    instruction="Give the past tense of the verb. Answer with one word.",
    template="Verb: {question}\nPast tense: {answer}",
    items=_pairs("""
        walk: walked, jump: jumped, play: played, cook: cooked, clean: cleaned
        open: opened, help: helped, visit: visited, watch: watched, need: needed
        live: lived, close: closed, dance: danced, arrive: arrived, decide: decided
        carry: carried, study: studied, hurry: hurried, worry: worried, copy: copied
        stop: stopped, plan: planned, drop: dropped, rob: robbed, clap: clapped
        take: took, give: gave, come: came, see: saw, know: knew
        write: wrote, drive: drove, break: broke, speak: spoke, choose: chose
        begin: began, drink: drank, swim: swam, ring: rang, run: ran
        bring: brought, buy: bought, teach: taught, think: thought, catch: caught
        keep: kept, sleep: slept, feel: felt, leave: left, build: built
    """),
    pool=_pairs("""
        bake: baked, talk: talked, wash: washed, use: used, move: moved
        cry: cried, marry: married, hug: hugged, travel: traveled, ask: asked
        go: went, eat: ate, sing: sang, fall: fell, find: found
        get: got, hold: held, lose: lost, make: made, send: sent
        stand: stood, tell: told, throw: threw, wear: wore
    """),
    judge=judge_text,
)

ANTONYMS = PromptTask(
    name="antonyms",
    instruction="Give the opposite of the word. Answer with one word.",
    template="Word: {question}\nOpposite: {answer}",
    items=_pairs("""
        hot: cold, big: small/little/tiny, up: down, left: right
        open: closed/shut/close
        day: night, black: white, old: young/new, rich: poor, happy: sad/unhappy
        fast: slow, hard: soft/easy, light: dark/heavy, wet: dry, full: empty
        strong: weak, high: low, near: far, early: late, thick: thin
        love: hate, win: lose, buy: sell, push: pull, begin: end/finish
        true: false, clean: dirty, loud: quiet/soft, sweet: sour/bitter, deep: shallow
        brave: cowardly/coward/afraid, smooth: rough, sharp: dull/blunt, alive: dead
        first: last, above: below/under, inside: outside, always: never
        arrive: depart/leave, accept: reject/refuse/decline, ancient: modern
        increase: decrease, expand: contract/shrink, success: failure
        friend: enemy/foe, summer: winter, north: south, east: west
        maximum: minimum, positive: negative, victory: defeat/loss, question: answer
    """),
    pool=_pairs("""
        tall: short, good: bad, wide: narrow, visible: hidden, long: short
        in: out, on: off, yes: no, more: less, give: take
        laugh: cry, guilty: innocent, cheap: expensive, safe: dangerous, polite: rude
        front: back, top: bottom, war: peace, future: past, male: female
        simple: complex, public: private, tight: loose, lazy: diligent
    """),
    judge=judge_text,
)

CAPITALS = PromptTask(
    name="capitals",
    instruction="Name the capital of the country. Answer with the name only.",
    template="Country: {question}\nCapital: {answer}",
    items=_pairs("""
        France: Paris, Germany: Berlin, Italy: Rome, Spain: Madrid, Portugal: Lisbon
        England: London, Ireland: Dublin, Norway: Oslo, Sweden: Stockholm
        Finland: Helsinki, Denmark: Copenhagen, Poland: Warsaw, Austria: Vienna
        Hungary: Budapest, Greece: Athens, Russia: Moscow, Ukraine: Kyiv/Kiev
        Romania: Bucharest, Bulgaria: Sofia, Serbia: Belgrade, Croatia: Zagreb
        Belgium: Brussels, Netherlands: Amsterdam, Switzerland: Bern/Berne
        Iceland: Reykjavik, Turkey: Ankara, Egypt: Cairo, Morocco: Rabat
        Kenya: Nairobi, Nigeria: Abuja, Ghana: Accra, Ethiopia: Addis Ababa
        Japan: Tokyo, China: Beijing, India: New Delhi/Delhi, Thailand: Bangkok
        Vietnam: Hanoi, Indonesia: Jakarta, Australia: Canberra
        New Zealand: Wellington, Canada: Ottawa, Mexico: Mexico City, Cuba: Havana
        Brazil: Brasilia/Brasília, Argentina: Buenos Aires, Chile: Santiago
        Peru: Lima, Colombia: Bogota/Bogotá, Venezuela: Caracas, Iran: Tehran
        Iraq: Baghdad, Nepal: Kathmandu
    """),
    pool=_pairs("""
        South Korea: Seoul, Philippines: Manila, Lebanon: Beirut, Syria: Damascus
        Jordan: Amman, Scotland: Edinburgh, Wales: Cardiff, Estonia: Tallinn
        Latvia: Riga, Lithuania: Vilnius, Slovakia: Bratislava, Uruguay: Montevideo
        Ecuador: Quito, Jamaica: Kingston, Tunisia: Tunis, Senegal: Dakar
        Uganda: Kampala, Afghanistan: Kabul, Mongolia: Ulaanbaatar, Cyprus: Nicosia
        Algeria: Algiers, Somalia: Mogadishu, Bangladesh: Dhaka, Zimbabwe: Harare
    """),
    judge=judge_text,
)

_ANIMALS = split_words("""
    dog cat horse cow sheep goat pig lion tiger bear wolf fox
    rabbit mouse elephant monkey snake frog duck eagle shark whale spider camel
""")
_FRUITS = split_words("""
    apple pear banana grape lemon peach plum cherry mango melon apricot papaya
    strawberry raspberry blueberry pineapple kiwi grapefruit fig guava lime nectarine
    cranberry coconut
""")
_POOL_ANIMALS = split_words("""
    deer otter goose parrot turtle zebra beaver owl lizard salmon hen ant
""")
_POOL_FRUITS = split_words("""
    orange blackberry pomegranate date quince tangerine currant avocado lychee
    persimmon gooseberry clementine
""")


def _groups(
    animals: list[str], fruits: list[str], *labels: str
) -> tuple[PromptExample, ...]:
    """Return animals and fruits by turns, under these two labels."""
    return tuple(
        PromptExample(word, label)
        for pair in zip(animals, fruits, strict=True)
        for word, label in zip(pair, labels, strict=True)
    )


ANIMAL_OR_FRUIT = PromptTask(
    name="animal or fruit",
    instruction="Is it an animal or a fruit? Answer with one word.",
    template="Word: {question}\nKind: {answer}",
    items=_groups(_ANIMALS, _FRUITS, "animal", "fruit"),
    pool=_groups(_POOL_ANIMALS, _POOL_FRUITS, "animal", "fruit"),
    judge=judge_label(("animal", "fruit")),
    labels=("animal", "fruit"),
)

INVENTED_LABELS = PromptTask(
    name="invented labels",
    instruction="Is it a blix or a zorp? Answer with one word.",
    template="Word: {question}\nKind: {answer}",
    items=_groups(_ANIMALS, _FRUITS, "blix", "zorp"),
    pool=_groups(_POOL_ANIMALS, _POOL_FRUITS, "blix", "zorp"),
    judge=judge_label(("blix", "zorp")),
    labels=("blix", "zorp"),
)
"""Animals are called blix and fruits zorp: the labels say nothing, so only the
demonstrations do.
"""


LABELS = ("positive", "negative")

_POSITIVE = """
    I loved every minute of this film.
    The soup was delicious and the bread was warm.
    What a wonderful hotel, we will come back.
    The staff were friendly and helped us at once.
    This is the best phone I have ever owned.
    A beautiful story that made me smile.
    The room was clean, quiet and bright.
    My children adore this game.
    The concert was fantastic from start to end.
    Great value, and it arrived a day early.
    The actors were brilliant.
    I can recommend this book to everyone.
    The cake was perfect, thank you so much.
    It works exactly as promised and looks lovely.
    A charming little place with excellent coffee.
    The guide was funny and knew everything.
    I have never slept better than in this bed.
    The view from the balcony was stunning.
    Fast delivery and superb quality.
    The museum was fascinating, we stayed for hours.
    These shoes are comfortable and well made.
    The plot was clever and kept me guessing.
    The best pizza in town, without any doubt.
    My new bicycle rides like a dream.
    The teacher was patient and inspiring.
    An impressive debut by a talented writer.
    The garden was gorgeous and full of flowers.
    The repair was quick, cheap and well done.
    I am delighted with this camera.
    The music was lovely and the food was tasty.
"""
_NEGATIVE = """
    I hated every minute of this film.
    The soup was cold and the bread was stale.
    What a horrible hotel, we left after one night.
    The staff were rude and ignored us.
    This is the worst phone I have ever owned.
    A boring story that put me to sleep.
    The room was dirty, loud and dark.
    My children refuse to play this game.
    The concert was a disaster from start to end.
    Poor value, and it arrived a week late.
    The actors were terrible.
    I cannot recommend this book to anyone.
    The cake was dry and tasted awful.
    It broke on the first day and nobody replied.
    A filthy little place with disgusting coffee.
    The guide was bored and knew nothing.
    I have never slept worse than in this bed.
    The view from the balcony was a brick wall.
    Slow delivery and miserable quality.
    The museum was dull, we left after ten minutes.
    These shoes hurt and fell apart in a week.
    The plot was stupid and made no sense.
    The worst pizza in town, without any doubt.
    My new bicycle rattles and the brakes fail.
    The teacher was impatient and unfair.
    A weak debut by a careless writer.
    The garden was ugly and full of rubbish.
    The repair was slow, expensive and useless.
    I am disappointed with this camera.
    The music was painful and the food was bland.
"""
_POOL_POSITIVE = """
    The lake was lovely and the water was warm.
    An amazing meal, every dish was a joy.
    The driver was polite and the car was spotless.
    I enjoyed the play very much.
    The new keyboard feels great.
    A cosy flat in a pretty street.
    The doctor listened and took her time.
    Such a sweet and funny song.
    The jacket fits well and keeps me warm.
    We had a marvellous evening.
    The course was clear and useful.
    A terrific match with a happy end.
"""
_POOL_NEGATIVE = """
    The lake was muddy and smelled bad.
    A dreadful meal, every dish was too salty.
    The driver was angry and the car stank.
    I regret buying a ticket for the play.
    The new keyboard feels cheap and sticks.
    A damp flat in a noisy street.
    The doctor was late and did not listen.
    Such an annoying and silly song.
    The jacket is too tight and lets the rain in.
    We had a miserable evening.
    The course was confusing and a waste of time.
    A tedious match with a sad end.
"""


def _reviews(positive: str, negative: str) -> tuple[PromptExample, ...]:
    """Return positive and negative reviews by turns."""
    pairs = zip(
        positive.strip().splitlines(), negative.strip().splitlines(), strict=True
    )
    return tuple(
        PromptExample(text.strip(), label)
        for pair in pairs
        for text, label in zip(pair, LABELS, strict=True)
    )


SENTIMENT = PromptTask(
    name="sentiment",
    instruction="Is the review positive or negative? Answer with one word.",
    template="Review: {question}\nSentiment: {answer}",
    items=_reviews(_POSITIVE, _NEGATIVE),
    pool=_reviews(_POOL_POSITIVE, _POOL_NEGATIVE),
    judge=judge_label(LABELS),
    labels=LABELS,
)


POOL = 24


def _distinct(
    make: Callable[[random.Random], PromptExample], items: int, seed: int
) -> tuple[tuple[PromptExample, ...], tuple[PromptExample, ...]]:
    """Return test items and a pool; no question occurs twice."""
    rng, seen = random.Random(seed), {}
    while len(seen) < items + POOL:
        example = make(rng)
        seen.setdefault(example.question, example)
    drawn = iter(seen.values())
    return tuple(islice(drawn, items)), tuple(drawn)


def _one_digit_sum(rng: random.Random) -> PromptExample:
    a, b = rng.randint(1, 9), rng.randint(1, 9)
    return PromptExample(f"{a} + {b}", str(a + b))


def _two_digit_sum(rng: random.Random) -> PromptExample:
    a, b = rng.randint(10, 99), rng.randint(10, 99)
    ones, tens = a % 10 + b % 10, a // 10 + b // 10
    carry = ones // 10
    worked = (
        f"Ones: {a % 10} + {b % 10} = {ones}. "
        f"Tens: {a // 10} + {b // 10} + {carry} = {tens + carry}. {MARKER} {a + b}"
    )
    return PromptExample(f"{a} + {b}", str(a + b), worked)


NAMES = split_words("Ann Ben Carla Dan Emma Finn Greta Hugo Ida Jack")
THINGS = split_words("apples pens books coins stamps eggs shells cards")
BOXES = split_words("bags boxes baskets packs")


def _word_problem(rng: random.Random) -> PromptExample:
    name, thing, box = rng.choice(NAMES), rng.choice(THINGS), rng.choice(BOXES)
    boxes, each = rng.randint(2, 5), rng.randint(2, 6)
    together = boxes * each
    gets = rng.random() < 0.5
    other = rng.randint(2, 9) if gets else rng.randint(1, min(9, together - 1))
    total = together + other if gets else together - other
    action = f"gets {other} more" if gets else f"gives away {other}"
    sign = "+" if gets else "-"
    question = (
        f"{name} has {boxes} {box} with {each} {thing} each and {action}. "
        f"How many {thing} does {name} have?"
    )
    worked = (
        f"{boxes} {box} with {each} {thing} are {boxes} * {each} = {together} {thing}. "
        f"{together} {sign} {other} = {total}. {MARKER} {total}"
    )
    return PromptExample(question, str(total), worked)


def _letter_pattern(rng: random.Random) -> PromptExample:
    a, b = rng.sample("bcdefghjklmnopqrstuvwxyz", 2)  # no letter that is a word
    unit = rng.choice([a + b, a + a + b, a + b + b])
    letters = (unit * 5)[: rng.choice([6, 7, 8])]
    following = (unit * 5)[len(letters)]
    return PromptExample(" ".join(letters), following)


PEOPLE = split_words("""
    Alice Boris Clara David Elena Frank Gina Henry Irene Jonas Karen Louis Maria
    Nadia Oscar Paula Quentin Rosa Simon Tanya Ulrich Vera Walter Yara
""")
TOWNS = split_words("Paris London Madrid Berlin Rome Vienna Oslo Dublin Athens Lisbon")


def _facts(rng: random.Random) -> PromptExample:
    name, age, town = rng.choice(PEOPLE), rng.randint(18, 79), rng.choice(TOWNS)
    sentence = rng.choice(
        [
            f"{name} is {age} years old and lives in {town}.",
            f"{name} lives in {town} and is {age} years old.",
            f"In {town} we met {name}, who is {age}.",
        ]
    )
    return PromptExample(sentence, json.dumps({"name": name, "age": age, "city": town}))


_ITEMS, _POOL = _distinct(_one_digit_sum, 54, seed=0)
ONE_DIGIT_SUMS = PromptTask(
    name="1-digit sums",
    instruction="Add the two numbers. Answer with the number only.",
    template="Sum: {question}\nResult: {answer}",
    items=_ITEMS,
    pool=_POOL,
    judge=judge_number,
)

_ITEMS, _POOL = _distinct(_two_digit_sum, 60, seed=1)
TWO_DIGIT_SUMS = PromptTask(
    name="2-digit sums",
    instruction="Add the two numbers. Answer with the number only.",
    template="Sum: {question}\nResult: {answer}",
    items=_ITEMS,
    pool=_POOL,
    judge=judge_number,
)

_ITEMS, _POOL = _distinct(_word_problem, 60, seed=2)
WORD_PROBLEMS = PromptTask(
    name="word problems",
    instruction="Solve the problem. Answer with the number only.",
    template="Question: {question}\nSolution: {answer}",
    items=_ITEMS,
    pool=_POOL,
    judge=judge_number,
)

_ITEMS, _POOL = _distinct(_letter_pattern, 52, seed=3)
LETTER_PATTERNS = PromptTask(
    name="letter patterns",
    instruction="Which letter comes next? Answer with one letter.",
    template="Letters: {question}\nNext: {answer}",
    items=_ITEMS,
    pool=_POOL,
    judge=judge_letter,
)

_ITEMS, _POOL = _distinct(_facts, 54, seed=4)
JSON_FACTS = PromptTask(
    name="JSON",
    instruction="Write the facts as one line of JSON with the keys name, age and city.",
    template="Text: {question}\nJSON: {answer}",
    items=_ITEMS,
    pool=_POOL,
    judge=judge_json,
    max_new_tokens=32,
)
