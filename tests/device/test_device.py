"""Every table of calls on the pretend device, in processes of their own.

To see one table's calls by name: `pytest --noconftest tests/device/images.py`.
"""

import subprocess
import sys
from pathlib import Path

import pytest

TABLES = [("images", "language", "fields"), ("recipes",)]  # for two processes


@pytest.mark.slow
@pytest.mark.parametrize("tables", TABLES, ids=" ".join)
def test_tables_give_the_results_of_the_cpu(tables):
    command = [sys.executable, "-m", "pytest", "-q", "--noconftest", "--tb=short"]
    # Plug-ins that other packages bring would take seconds to load.
    unused = "cacheprovider", "nbval", "langsmith_plugin", "anyio", "platformdirs"
    command += [word for name in unused for word in ("-p", f"no:{name}")]
    command += [f"tests/device/{table}.py" for table in tables]
    run = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
