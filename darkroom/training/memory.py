"""What to do when the memory is not enough."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from darkroom.runtime.errors import DarkroomError


@contextmanager
def enough_memory(batch_size: int, side: int) -> Iterator[None]:
    """Turn a lack of memory in a training step into a message with the settings that need less.

    Args:
        batch_size: images a step.
        side: of an image, in pixels.

    Raises:
        DarkroomError: in place of torch's error, on the processor (which Linux may kill instead) and on a GPU.
    """
    try:
        yield
    except (torch.cuda.OutOfMemoryError, MemoryError, RuntimeError) as error:
        # torch has no type of its own for the processor's memory.
        if not isinstance(error, torch.cuda.OutOfMemoryError | MemoryError) and "allocate memory" not in str(error):
            raise
        raise DarkroomError(
            f"the memory is not enough for steps of {batch_size} images of {side} x {side} pixels "
            f"({str(error).splitlines()[0][:120]}): set train.batch_size={max(2, batch_size // 2)}, or a smaller "
            "preprocess.size or train.network"
        ) from None
