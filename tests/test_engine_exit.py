"""A process that ends with an open engine ends in order: no abort, no traceback, no wait for the whole picture."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from overpaint import pocket

STILL_PAINTING = """
import contextlib, sys, threading, time
import numpy as np
from overpaint import Mask, Monitor, Studio
from overpaint.errors import Cancelled
from overpaint.picture import from_array

started = threading.Event()
mask = np.zeros((256, 256), np.float32)
mask[80:160, 80:160] = 1
studio = Studio(threads=1)


def edit():
    picture = from_array(np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8))
    monitor = Monitor(on_progress=lambda step, steps: started.set())
    with contextlib.suppress(Cancelled):
        studio.edit(picture, mask=Mask(mask), intent="replace", prompt="a dog", model="pocket", steps=1000, seed=1,
                    monitor=monitor)


threading.Thread(target=edit, daemon=True).start()
assert started.wait(60)
time.sleep(float(sys.argv[1]))
"""


@pytest.mark.skipif(pocket.folder() is None, reason="no weights are shipped yet")
@pytest.mark.parametrize("moment", [0.0, 0.02, 0.05])
def test_a_process_that_ends_while_an_engine_paints_ends_well(moment: float):
    """Without the engine's exit handler each of these ends by SIGABRT ('terminate called without ...')."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", STILL_PAINTING, str(moment)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - begun < 60
