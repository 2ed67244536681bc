"""ONNX Runtime sessions, opened and run in one way wherever a graph answers."""

import math
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state
from tqdm import tqdm

from darkroom.runtime.arrays import Float32s, Images, UInt8s
from darkroom.runtime.cores import operator_threads
from darkroom.runtime.threads import in_order

INPUT, LOGITS, OUTPUT = "images", "logits", "probabilities"

# A batch holds at most this many images, and fewer large ones: a million pixel values are no slower than four, and take a
# quarter of the memory (EfficientNet-Lite0 at 224 pixels, one core: 100 images a second with 2 to 8 at a time, 95 with 28).
BATCH_IMAGES = 256
BATCH_VALUES = 2**20

# Batches side by side, at most, for memory. Each in one thread, since threads within an operator wait for each other.
BATCHES_AT_ONCE = 8

# The runtime writes nothing to the terminal: what is wrong, it raises.
FATAL_ONLY = 4

# How long a thread looks for work before it sleeps. By default it spins for milliseconds: 56 images of EfficientNet-Lite0 took
# 2.3 s beside others (load 5 on two cores) in place of 1.6, and 1.15 s of the processor in place of 0.76.
SPIN_MICROSECONDS = "100"

# What a broken graph raises when it is opened or run. The runtime's own errors share no base but Exception.
GRAPH_ERRORS: tuple[type[Exception], ...] = (
    *(found for found in vars(onnxruntime_pybind11_state).values() if isinstance(found, type) and issubclass(found, Exception)),
    RuntimeError, ValueError, TypeError, MemoryError,
)  # fmt: skip


def open_session(graph: Path | bytes, threads: int = 0) -> onnxruntime.InferenceSession:
    """Open a graph on the processor.

    Args:
        graph: an ONNX file, or its bytes.
        threads: for the work inside one operator; 0 takes as many as there are cores for us.
    """
    options = onnxruntime.SessionOptions()
    # Of its own accord it takes all cores of the machine, whatever the quota or the affinity, and binds threads to them.
    options.intra_op_num_threads = threads or operator_threads()
    options.add_session_config_entry("session.intra_op.spin_duration_us", SPIN_MICROSECONDS)
    options.log_severity_level = FATAL_ONLY
    source = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def give_back_memory(session: onnxruntime.InferenceSession, images: UInt8s) -> None:
    """Run a graph of ours once more, and give back what larger batches needed and this one does not.

    A session keeps the memory of the largest batch that it ever ran: 15 MB for 32 images at 28 pixels, 384 for 32 at 224.

    Args:
        session: of a graph that takes `images`.
        images: uint8 [N, S, S, C].
    """
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    session.run(None, {INPUT: images}, options)


def probabilities(session: onnxruntime.InferenceSession, images: Images, progress: str | None = None) -> Float32s:
    """Run a graph of ours over images, in batches.

    Args:
        session: of a graph that takes `images` and gives `probabilities`.
        images: uint8 [N, S, S, C]; may be memory-mapped.
        progress: the words in front of a progress bar; None draws none.

    Returns:
        float32 [N, K].
    """
    return values(session, [OUTPUT], images, progress)[0]


def values(
    session: onnxruntime.InferenceSession, names: list[str], images: Images, progress: str | None = None
) -> list[Float32s]:
    """As `probabilities`, for any outputs: for each name float32 [N, …]."""
    if len(images) <= _batch(images) and progress is None:
        # What the service asks for each image: the rest takes 0.1 ms, as much as half a small graph.
        found: list[Float32s] = session.run(names, {INPUT: np.ascontiguousarray(images)})
        return found
    return _in_batches(session, names, images, progress, at_once=1)


def probabilities_of(graph: Path | bytes, images: Images, progress: str | None = None) -> Float32s:
    """As `probabilities`, of a graph that is opened for these images."""
    return values_of(graph, [OUTPUT], images, progress)[0]


def values_of(graph: Path | bytes, names: list[str], images: Images, progress: str | None = None) -> list[Float32s]:
    """As `values`, of a graph that is opened for these images: on each core a batch of its own.

    Args:
        graph: as for `open_session`.
        names, images, progress: as for `values`.
    """
    threads = operator_threads()
    at_once = min(threads, BATCHES_AT_ONCE)
    return _in_batches(open_session(graph, threads // at_once), names, images, progress, at_once)


def _batch(images: Images) -> int:
    """How many images at a time."""
    return max(1, min(BATCH_IMAGES, BATCH_VALUES // math.prod(images.shape[1:])))


def _in_batches(
    session: onnxruntime.InferenceSession, names: list[str], images: Images, progress: str | None, at_once: int
) -> list[Float32s]:
    batch = _batch(images)

    def run(start: int) -> list[Float32s]:
        found: list[Float32s] = session.run(names, {INPUT: np.ascontiguousarray(images[start : start + batch])})
        return found

    batches = []
    with tqdm(total=len(images), desc=progress, unit="img", disable=None if progress else True) as bar:
        for found in in_order(run, range(0, len(images), batch), threads=at_once):
            batches.append(found)
            bar.update(len(found[0]))
    return [np.concatenate(found) for found in zip(*batches, strict=True)]
