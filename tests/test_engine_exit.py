"""A process that ends with an open engine ends in order: no abort, no traceback, no wait for the whole picture."""

from __future__ import annotations

import subprocess
import sys

import pytest

from overpaint import pocket

STILL_PAINTING = """
import contextlib, os, sys, threading, time
import numpy as np
from overpaint import Mask, Monitor, Studio
from overpaint.engines.diffusion import diffusers_networks, engine, loader
from overpaint.errors import Cancelled
from overpaint.picture import from_array

for moment in map(float, sys.argv[1:]):  # each in a process of its own, which need not import torch again
    begun = time.monotonic()
    if (child := os.fork()) == 0:
        break
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    seconds = time.monotonic() - begun
    assert status == 0 and seconds < 60, (moment, status, seconds)
else:
    sys.exit()

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
time.sleep(moment)
"""


@pytest.mark.skipif(pocket.folder() is None, reason="no weights are shipped yet")
def test_a_process_that_ends_while_an_engine_paints_ends_well():
    """Without the engine's exit handler each of these ends by SIGABRT ('terminate called without ...')."""
    words = [sys.executable, "-c", STILL_PAINTING, "0.0", "0.02", "0.05"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
