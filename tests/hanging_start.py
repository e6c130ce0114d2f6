"""Takes two seconds to be imported."""

import time

time.sleep(2)
