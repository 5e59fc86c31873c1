"""The sample chapter follows every rule. The four other test files of checks, such as
test_markdown_checks.py, break each rule once.
"""

from pathlib import Path

from tests.notebooks import code_checks
from tests.notebooks.sample import chapter_file, sample_notebook
from tests.notebooks.test_notebooks import CHECKS


def test_sample_notebook_passes_all_checks(tmp_path: Path):
    chapter = chapter_file(sample_notebook(), tmp_path)
    faults = {
        check.__name__: check(chapter) for check in (*CHECKS, *code_checks.CHECKS)
    }
    assert {name: found for name, found in faults.items() if found} == {}
