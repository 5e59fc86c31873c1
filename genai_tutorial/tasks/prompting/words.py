"""Tasks whose answer is one word: past tense, antonyms, capitals, animal or fruit, and
the same two groups under labels without meaning.
"""

from .judge import judge_label, judge_text
from .prompt import PromptExample
from .task import PromptTask, split_words


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
