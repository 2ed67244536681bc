"""Ours beside named peers and the measured ceilings of the machine; how to run each: `docs/benchmarks.md`."""

# Before onnxruntime and other packages: it switches their telemetry off.
import darkroom  # noqa: F401
