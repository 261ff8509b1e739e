"""What the server imports of KServe, and what it leaves out."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import crossfade_serving.server
loaded = {"pandas", "kubernetes", "kserve.model_server", "kserve.models"} & sys.modules.keys()
assert not loaded, loaded
import kserve.utils.utils as utils
import numpy
frame = utils.pd.DataFrame({"a": [1]})
assert type(frame).__module__.startswith("pandas"), type(frame)
import pandas
assert pandas.DataFrame is utils.pd.DataFrame
"""


def test_pandas_and_the_kubernetes_client_stay_out_until_they_are_used() -> None:
    """In a process of its own, because other tests may have loaded them already."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
