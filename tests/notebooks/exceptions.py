"""Remaining faults of the chapters under the rules in `code_checks.py`, a list that may
only get shorter.

After fixing a fault, or after changing a cell that is listed by its id, run

    python -m tests.notebooks.exceptions

It regenerates the list from the notebooks, and refuses to if a chapter breaks a rule
more often than before.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.notebooks import code_checks
from tests.notebooks.chapter_file import ROOT, ChapterFile

FILE = Path(__file__).with_name("exceptions.json")

Exceptions = dict[str, dict[str, list[str]]]
"""For each rule and chapter, the keys of the faults."""


def listed_exceptions() -> Exceptions:
    return json.loads(FILE.read_text("utf8"))


def found_exceptions(chapters: Iterable[ChapterFile]) -> Exceptions:
    """Return the current faults by rule and chapter; entries without faults are left
    out.
    """
    found: Exceptions = {check.__name__: {} for check in code_checks.CHECKS}
    for chapter in chapters:
        for check in code_checks.CHECKS:
            if faults := check(chapter):
                found[check.__name__][chapter.path.stem] = list(faults)
    return {rule: by_chapter for rule, by_chapter in found.items() if by_chapter}


def unlisted_and_outdated(faults: code_checks.Faults, listed: list[str]) -> list[str]:
    """Return the differences between a chapter's faults and the ones listed for it."""
    problems = [f"{key}: {fault}" for key, fault in faults.items() if key not in listed]
    return problems + [
        f"{key}: no longer at fault; run python -m tests.notebooks.exceptions"
        for key in listed
        if key not in faults
    ]


def grown(before: Exceptions, after: Exceptions) -> list[str]:
    """Return the rules that a chapter breaks more often than before."""
    return [
        f"{chapter}, {rule}: {len(keys)}, listed {listed}"
        for rule, by_chapter in after.items()
        for chapter, keys in by_chapter.items()
        if len(keys) > (listed := len(before.get(rule, {}).get(chapter, ())))
    ]


def main() -> None:
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    found = found_exceptions(map(ChapterFile.read, notebooks))
    if more := grown(listed_exceptions(), found):
        sys.exit("Fix these first; the list may only get shorter:\n" + "\n".join(more))
    FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf8")


if __name__ == "__main__":
    main()
