"""What the C library does with the memory that a training step frees."""

import ctypes
import platform

# From glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Keep freed memory for the next step, from here to the end of the process; glibc alone, nothing elsewhere.

    A step frees its tensors and asks for the same again. By default glibc gives the large ones back to the kernel, which fills
    every page with zeros before it hands it out anew: about a tenth of a step (docs/decisions/2026-11-23-training.md).
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        # No allocation gets a mapping of its own, and the heap shrinks only from 2 GiB of free memory on.
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
