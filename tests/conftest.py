"""What all tests stand on."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from overpaint import pocket

# how long examples take to make and run says how busy the machine is
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# A suite that is started in the background by a shell without job control has SIGINT ignored, and every process that it
# starts inherits that: tests of interrupts would wait for ever. A handler of our own is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def without_pocket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that was built without the embedded model: nothing is there but what the test puts there."""
    monkeypatch.setattr(pocket, "FOLDER", tmp_path / "no-pocket")
