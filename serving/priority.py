"""Threads that work only when no answer needs a core: loading of models, heat maps, the candidate, the log."""

import os
import sys
import threading

# The lowest that there is. While a second model is loaded under load, p99 rises 1.03x with it and 1.64x without.
LOWEST = 19


def give_way() -> None:
    """Give this thread, not its process, the lowest priority. Linux alone can; elsewhere it does nothing."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST)
