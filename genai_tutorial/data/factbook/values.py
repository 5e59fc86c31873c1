"""Short answers extracted from the Factbook's free text: a capital, a currency, a
mountain.

Each function returns the answer, `""` if the Factbook states that there is none, such
as the neighbours of an island, or None if there is no single short answer, as with two
capitals, three official languages or a tie.
"""

import re

from .countries import SPELLINGS, Country

SMALLEST_LISTED_CITY = 750_000
"""Below this population the Factbook lists only the capital, which need not be the
largest city.
"""


def capital(country: Country) -> str | None:
    """Return the only capital."""
    text = country.text("Government > Capital > name")
    if text.startswith("no official capital"):
        return ""
    # several of them, or one that is disputed
    if "capital" in text or not text or country.name == "Israel":
        return None
    return re.split(r" \(|[;,]| in ", text)[0]


def region(country: Country) -> str | None:
    """Return the world region, if the Factbook's folders and map references agree."""
    answer, on_maps = SPELLINGS["regions"].get(country.region, ("", "(?!)"))
    agree = re.fullmatch(on_maps, country.text("Geography > Map references"))
    # in the folder of Central Asia, and mostly in Europe
    return answer if agree and country.name != "Russia" else None


def currency(country: Country) -> str | None:
    """Return the currency in the singular, without its code."""
    text = country.text("Economy > Exchange rates > Currency")
    if not text:
        rates = country.text("Economy > Exchange rates")
        return "US dollar" if "US dollar" in rates else None
    plural = re.sub(r"( \([^)]*\))* per US dollar.*", "", text)
    if plural in SPELLINGS["currencies"]:
        return SPELLINGS["currencies"][plural]
    *before, last = plural.split(" ")
    answer = " ".join(
        [*before, SPELLINGS["singulars"].get(last, last.removesuffix("s"))]
    )
    is_one = re.fullmatch(r"[A-Za-z' ]+", answer) and " or " not in answer
    return answer if is_one else None


def language(country: Country) -> str | None:
    """Return the only official language."""
    languages = "People and Society > Languages"
    text = country.text(f"{languages} > Languages") or country.text(languages)
    text = text.partition("note")[0].replace("Persian Farsi", "Persian")
    text = text.replace(" only", "")
    official = re.findall(
        r"(?:^|[,;] )([A-Z][A-Za-z -]+?)(?: [\d.]+%)? \(official(?=[,;)]| and| "
        r"but| nationwide)(?:[^)]*\))",
        text,
    )
    is_one = text.count("official") == len(official) == 1 and " or " not in official[0]
    return official[0] if is_one else None


def nationality(country: Country) -> str | None:
    """Return the adjective for a person from the country."""
    adjectives = country.text("People and Society > Nationality > adjective")
    answer = re.split(" or |;", adjectives)[0]
    return answer if re.fullmatch(r"[A-Z][A-Za-z -]+", answer) else None


def peak(country: Country) -> str | None:
    """Return the name of the highest point."""
    text = country.text("Geography > Elevation > highest point")
    if re.match(r"unnamed|\d", text):
        return ""
    found = re.match(r"(K2|[A-Z][A-Za-z' .-]+?),? (?:\(|[\d,]+\b)", text)
    if found is None or re.search(" on | of the ", found[1]):
        return None
    return found[1].replace("Mt. ", "Mount ").replace("Monts", "Mont")


def domain(country: Country) -> str | None:
    """Return the internet domain."""
    text = country.text("Communications > Internet country code")
    return text if re.fullmatch(r"\.[a-z]{2}", text) else None


_INDEPENDENCE = re.compile(
    r"(?:\d{1,2} [A-Z][a-z]+ )?(\d{4}) \(from (?:the )?([^);]+)\)"
)


def independence(country: Country) -> str | None:
    """Return the year of independence, if it was gained on one date from one state."""
    found = _INDEPENDENCE.fullmatch(country.text("Government > Independence"))
    return found[1] if found else None


def ruler(country: Country) -> str | None:
    """Return the state from which the country became independent."""
    found = _INDEPENDENCE.fullmatch(country.text("Government > Independence"))
    several = "[a-z] (and|trusteeship|mandate|administration|protectorate)|-"
    if found is None or re.search(several, found[2]):
        return None
    return SPELLINGS["countries"].get(found[2], found[2])


def neighbour(country: Country) -> str | None:
    """Return the neighbour with the longest land border."""
    text = country.text("Geography > Land boundaries > border countries")
    if not text:
        total = country.text("Geography > Land boundaries > total")
        return "" if total.startswith("0 km") else None
    borders = re.findall(
        r"(?:^|[;,] )([A-Z][^;\d]*?)(?: \([^)]*\))? ([\d,.]+) km", text
    )
    return _largest_country(
        [(name, float(length.replace(",", ""))) for name, length in borders]
    )


def city(country: Country) -> str | None:
    """Return the largest city, if it is large enough for the Factbook's list."""
    text = country.text("People and Society > Major urban areas - population")
    listed = re.findall(r"(?:^|, |; )([\d,.]+) (million )?([A-Z][^,(]+)", text)
    # "872,000 million" is a misprint: only a number with a point counts millions.
    millions = [1e6 if million and "." in size else 1 for size, million, _ in listed]
    sizes = [
        (name.strip(), float(size.replace(",", "")) * unit)
        for (size, _, name), unit in zip(listed, millions, strict=True)
    ]
    largest = _largest(sizes)
    if largest is None or max(size for _, size in sizes) < SMALLEST_LISTED_CITY:
        return None
    if largest.casefold() == (capital(country) or "").casefold():
        return capital(country)
    # the Factbook writes capitals in upper case
    name = largest.title() if largest.isupper() else largest
    return SPELLINGS["cities"].get(name, name)


def export(country: Country) -> str | None:
    """Return the main export."""
    answer = re.split(r", | \(", country.text("Economy > Exports - commodities"))[0]
    is_short = re.fullmatch("[a-z][a-z -]+", answer) and len(answer.split()) <= 3
    return answer if is_short else None


def buyer(country: Country) -> str | None:
    """Return the country that buys most of the exports, unless two are tied."""
    shares = re.findall(
        r"(?:^|, )([A-Z][^\d%]*?) (\d+)%",
        country.text("Economy > Exports - partners"),
    )
    return _largest_country([(name, float(share)) for name, share in shares])


def symbol(country: Country) -> str | None:
    """Return the only national symbol."""
    text = re.sub(r" \([^)]*\)", "", country.text("Government > National symbol(s)"))
    answer = re.sub(r"^(a|an|the) ", "", text)
    return answer if re.fullmatch(r"[A-Za-z'-]+( [A-Za-z'-]+){0,2}", answer) else None


def _largest(sizes: list[tuple[str, float]]) -> str | None:
    """Return the name with the largest size; None if there is none or a tie."""
    ranked = sorted(sizes, key=lambda pair: -pair[1])
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def _largest_country(sizes: list[tuple[str, float]]) -> str | None:
    """Return the largest, under the name that the country has elsewhere."""
    largest = _largest(sizes)
    return SPELLINGS["countries"].get(largest, largest)
