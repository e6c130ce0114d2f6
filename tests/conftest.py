"""What all tests stand on."""

from __future__ import annotations

import signal

# A suite that is started in the background by a shell without job control has SIGINT ignored, and every process that it
# starts inherits that: tests of interrupts would wait for ever. A handler of our own is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
