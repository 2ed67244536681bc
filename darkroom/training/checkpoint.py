"""A checkpoint after each epoch, so that a killed training goes on where it was."""

import hashlib
from pathlib import Path
from typing import Any

import torch

# Outside every output: DVC deletes outputs before it starts a stage.
FOLDER = Path(".darkroom/checkpoints")


def checkpoint_path(folder: Path, *parts: str, files: list[Path]) -> Path:
    """Where a training keeps its checkpoint: named by everything that decides its result.

    Args:
        folder: that holds checkpoints.
        parts: settings and code version, as text.
        files: data that is trained on; their contents count.

    Returns:
        A path that no training with other settings, code or data has, so that none is ever resumed by mistake.
    """
    digest = hashlib.sha256("\0".join(parts).encode())
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return folder / f"train-{digest.hexdigest()[:16]}.pt"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write beside and rename: a kill in the middle leaves the checkpoint before. Those of other trainings go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)
    for other in path.parent.glob("train-*.pt"):
        if other != path:
            other.unlink()


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """What `save_checkpoint` wrote, or None where there is none. Tensors and plain values alone: no code is run."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state
