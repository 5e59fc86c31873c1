"""Agreement of two raters beyond chance."""

from collections.abc import Hashable, Sequence


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    r"""Return Cohen's kappa: the agreement of two raters beyond what chance gives.

    $$\kappa = \frac{p_o - p_e}{1 - p_e}$$

    $p_o$ is the share of items with equal labels, and $p_e$ the share that two raters
    with these frequencies of labels would reach if they didn't look at the items. 1 is
    perfect agreement, 0 is chance.

    Raises:
        ValueError: If there are no items, their numbers differ, or both raters give one
            and the same label to all items, where kappa is undefined.

    Source: Cohen (1960), A coefficient of agreement for nominal scales,
        https://doi.org/10.1177/001316446002000104

    >>> cohen_kappa("AAAB", "AABB")
    0.5
    """
    if not first or len(first) != len(second):
        raise ValueError(
            "Both raters must label the same items, at least one; got "
            f"{len(first)} and {len(second)} labels."
        )
    n = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    chance = sum(
        sum(a == label for a in first) * sum(b == label for b in second)
        for label in set(first)
    ) / (n * n)
    if chance == 1:
        raise ValueError(
            "Both raters give every item the same label, so chance alone agrees "
            "everywhere and kappa is undefined."
        )
    return (observed - chance) / (1 - chance)
