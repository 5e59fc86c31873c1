"""Short answers extracted from the Factbook's free text: a capital, a currency, a
mountain.

Each function returns the answer, `""` if the Factbook states that there is none, such
as the neighbours of an island, or None if there is no single short answer, as with two
capitals, three official languages or a tie.
"""

import re

from .countries import Country

# The region of each folder, and a pattern of its map references. Where the two
# disagree, as for Georgia, there is no single answer.
_REGIONS = {
    "africa": ("Africa", "Africa"),
    "australia-oceania": ("Oceania", "Oceania"),
    "central-america-n-caribbean": (
        "Central America and the Caribbean",
        "Central America and the Caribbean",
    ),
    "central-asia": ("Central Asia", "Asia"),
    "east-n-southeast-asia": ("East and Southeast Asia", "Asia|Southeast Asia"),
    "europe": ("Europe", "Europe|metropolitan France: Europe .*"),
    "middle-east": ("Middle East", "Middle East"),
    "north-america": ("North America", "North America"),
    "south-america": ("South America", "South America"),
    "south-asia": ("South Asia", "Asia"),
}

_COUNTRIES = {
    "Bahamas, The": "Bahamas",
    "Bosnia & Herzegovina": "Bosnia and Herzegovina",
    "Congo, Republic of the": "Republic of the Congo",
    "Czech Republic": "Czechia",
    "DRC": "Democratic Republic of the Congo",
    "Holy See": "Vatican City",
    "Macedonia": "North Macedonia",
    "NZ": "New Zealand",
    "S. Korea": "South Korea",
    "St. Lucia": "Saint Lucia",
    "The Gambia": "Gambia",
    "Trinidad & Tobago": "Trinidad and Tobago",
    "UAE": "United Arab Emirates",
    "UK": "United Kingdom",
    "US": "United States",
    "USA": "United States",
}

# The Factbook writes "forints (HUF) per US dollar". These plurals are irregular.
_CURRENCIES = {
    "Communaute Financiere Africaine francs": "West African CFA franc",
    "Comptoirs Francais du Pacifique francs": "CFP franc",
    "Cooperation Financiere en Afrique Centrale francs": "Central African CFA franc",
    "Renminbi yuan": "yuan",
    "konvertibilna markas": "convertible mark",
    "new Israeli shekels": "new shekel",
    "nuevo sol": "sol",
    "togrog/tugriks": "tugrik",
}
_SINGULARS = {
    "colones": "colon",
    "emalangeni": "lilangeni",
    "koruny": "koruna",
    "kroner": "krone",
    "kronor": "krona",
}
_SINGULARS |= {
    "kronur": "krona",
    "lei": "leu",
    "leke": "lek",
    "leva": "lev",
    "maloti": "loti",
    "meticais": "metical",
}
_SINGULARS |= {"quetzales": "quetzal", "zlotych": "zloty"}

_CITIES = {
    "Dar Es Salaam": "Dar es Salaam",
    "Kuwait": "Kuwait City",
    "New York-Newark": "New York",
}
_CITIES |= {
    "Port-Au-Prince": "Port-au-Prince",
    "Tel Aviv-Yafo": "Tel Aviv",
    "Marseille-Aix-en-Provence": "Marseille",
}

SMALLEST_LISTED_CITY = 750_000
"""Below this population the Factbook lists only the capital, which need not be the
largest city.
"""


def capital(country: Country) -> str | None:
    """Return the only capital."""
    text = country.entries.get("Government > Capital > name", "")
    if text.startswith("no official capital"):
        return ""
    # several of them, or one that is disputed
    if "capital" in text or not text or country.name == "Israel":
        return None
    return re.split(r" \(|[;,]| in ", text)[0]


def region(country: Country) -> str | None:
    """Return the world region, if the Factbook's folders and map references agree."""
    answer, on_maps = _REGIONS.get(country.region, ("", ""))
    agree = re.fullmatch(
        on_maps, country.entries.get("Geography > Map references", "?")
    )
    # in the folder of Central Asia, and mostly in Europe
    return answer if agree and country.name != "Russia" else None


def currency(country: Country) -> str | None:
    """Return the currency in the singular, without its code."""
    text = country.entries.get("Economy > Exchange rates > Currency", "")
    if not text:
        uses_dollars = "US dollar" in country.entries.get(
            "Economy > Exchange rates", ""
        )
        return "US dollar" if uses_dollars else None
    plural = re.sub(r"( \([^)]*\))* per US dollar.*", "", text)
    if plural in _CURRENCIES:
        return _CURRENCIES[plural]
    *before, last = plural.split(" ")
    answer = " ".join([*before, _SINGULARS.get(last, last.removesuffix("s"))])
    return (
        answer
        if re.fullmatch(r"[A-Za-z' ]+", answer) and " or " not in answer
        else None
    )


def language(country: Country) -> str | None:
    """Return the only official language."""
    languages = "People and Society > Languages"
    text = country.entries.get(f"{languages} > Languages") or country.entries.get(
        languages, ""
    )
    text = (
        text.partition("note")[0]
        .replace("Persian Farsi", "Persian")
        .replace(" only", "")
    )
    official = re.findall(
        (
            r"(?:^|[,;] )([A-Z][A-Za-z -]+?)(?: [\d.]+%)? \(official(?=[,;)]| and| "
            r"but| nationwide)(?:[^)]*\))"
        ),
        text,
    )
    return (
        official[0]
        if text.count("official") == len(official) == 1 and " or " not in official[0]
        else None
    )


def nationality(country: Country) -> str | None:
    """Return the adjective for a person from the country."""
    answer = re.split(
        r" or |;",
        country.entries.get("People and Society > Nationality > adjective", ""),
    )[0]
    return answer if re.fullmatch(r"[A-Z][A-Za-z -]+", answer) else None


def peak(country: Country) -> str | None:
    """Return the name of the highest point."""
    text = country.entries.get("Geography > Elevation > highest point", "")
    if re.match(r"unnamed|\d", text):
        return ""
    found = re.match(r"(K2|[A-Z][A-Za-z' .-]+?),? (?:\(|[\d,]+\b)", text)
    answer = (
        found[1].replace("Mt. ", "Mount ").replace("Monts", "Mont") if found else ""
    )
    return (
        answer if answer and " on " not in answer and " of the " not in answer else None
    )


def domain(country: Country) -> str | None:
    """Return the internet domain."""
    text = country.entries.get("Communications > Internet country code", "")
    return text if re.fullmatch(r"\.[a-z]{2}", text) else None


_INDEPENDENCE = re.compile(
    r"(?:\d{1,2} [A-Z][a-z]+ )?(\d{4}) \(from (?:the )?([^);]+)\)"
)


def independence(country: Country) -> str | None:
    """Return the year of independence, if it was gained on one date from one state."""
    found = _INDEPENDENCE.fullmatch(
        country.entries.get("Government > Independence", "")
    )
    return found[1] if found else None


def ruler(country: Country) -> str | None:
    """Return the state from which the country became independent."""
    found = _INDEPENDENCE.fullmatch(
        country.entries.get("Government > Independence", "")
    )
    if found is None or re.search(
        "[a-z] (and|trusteeship|mandate|administration|protectorate)|-", found[2]
    ):
        return None
    return _COUNTRIES.get(found[2], found[2])


def neighbour(country: Country) -> str | None:
    """Return the neighbour with the longest land border."""
    text = country.entries.get("Geography > Land boundaries > border countries", "")
    if not text:
        none = re.match(
            r"0 km", country.entries.get("Geography > Land boundaries > total", "")
        )
        return "" if none else None
    borders = re.findall(
        r"(?:^|[;,] )([A-Z][^;\d]*?)(?: \([^)]*\))? ([\d,.]+) km", text
    )
    return _largest(
        [
            (_COUNTRIES.get(name, name), float(length.replace(",", "")))
            for name, length in borders
        ]
    )


def city(country: Country) -> str | None:
    """Return the largest city, if it is large enough for the Factbook's list."""
    text = country.entries.get(
        "People and Society > Major urban areas - population", ""
    )
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
    return _CITIES.get(name, name)


def export(country: Country) -> str | None:
    """Return the main export."""
    answer = re.split(
        r", | \(", country.entries.get("Economy > Exports - commodities", "")
    )[0]
    return (
        answer
        if re.fullmatch(r"[a-z][a-z -]+", answer) and len(answer.split()) <= 3
        else None
    )


def buyer(country: Country) -> str | None:
    """Return the country that buys most of the exports, unless two are tied."""
    shares = re.findall(
        r"(?:^|, )([A-Z][^\d%]*?) (\d+)%",
        country.entries.get("Economy > Exports - partners", ""),
    )
    return _largest(
        [(_COUNTRIES.get(name, name), float(share)) for name, share in shares]
    )


def symbol(country: Country) -> str | None:
    """Return the only national symbol."""
    text = re.sub(
        r" \([^)]*\)", "", country.entries.get("Government > National symbol(s)", "")
    )
    answer = re.sub(r"^(a|an|the) ", "", text)
    return answer if re.fullmatch(r"[A-Za-z'-]+( [A-Za-z'-]+){0,2}", answer) else None


def _largest(sizes: list[tuple[str, float]]) -> str | None:
    """Return the name with the largest size; None if there is none or a tie."""
    ranked = sorted(sizes, key=lambda pair: -pair[1])
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]
