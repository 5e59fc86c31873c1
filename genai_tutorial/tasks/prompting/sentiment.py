"""Sentiment of short reviews, written for this book."""

from .judge import judge_label
from .prompt import PromptExample
from .task import PromptTask

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
