"""Spot checks: one metric of a model's card, estimated from a small random sample."""

from dataclasses import dataclass
from functools import reduce

from scipy.stats import binomtest

from genai_tutorial.metrics import Interval, t_interval
from genai_tutorial.recipes import load_recipe, recipe, sample
from genai_tutorial.recipes.sampling import set_options


@dataclass(frozen=True)
class SpotCheck:
    metric: str
    values: list

    def on_card(self, metrics):
        return reduce(lambda part, key: part[key], self.metric.split("."), metrics)

    def interval(self, level=0.999):
        """Return Clopper-Pearson's interval of rights and wrongs, else Student's.

        Wilson's interval is too narrow for an accuracy near 1: if that is 0.999, the
        intervals of 97 in 100 samples of 32 contain it, instead of 999 in 1,000.
        """
        if all(isinstance(value, bool) for value in self.values):
            test = binomtest(sum(self.values), len(self.values))
            ends = test.proportion_ci(level, method="exact")
            return Interval(test.statistic, ends.low, ends.high, level)
        return t_interval(self.values, level)


def spot_check(chosen, loaded, n, seed):
    return SpotCheck(chosen.metric, chosen.score(loaded, n, seed))


def write(name, *, seed=0, folder=None, **options):
    """Return a text of a trained model."""
    chosen = recipe(name)
    given = set_options(chosen, options)
    return sample(chosen, load_recipe(chosen, folder), given, 1, seed).items[0]
