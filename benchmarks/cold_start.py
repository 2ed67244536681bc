"""How long it takes from nothing to the first answer: a new process that reads the model and one image file.

Measures seconds (median of 11 rounds, in turns) of `python -m darkroom.predict` over the bundle, beside two torch programs that
read the same image in the same way and give the same class: one that builds the network from its code and loads its weights,
and one as lean as torch allows, which loads a TorchScript file. And what starting costs alone: Python, onnxruntime, torch. The
line must have run; the file system's cache is warm, as the first round does not count.

    python -m benchmarks.cold_start path/to/image.png
"""

import argparse
import functools
import statistics
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch

from benchmarks.rounds import in_turns, print_table, timed
from darkroom.bundle.bundle import load_bundle
from darkroom.network.load import load_model

ROUNDS = 11
OURS, OWN_CODE, LEAN = "darkroom.predict, the bundle", "torch, the network's code and weights", "torch, TorchScript"
MODEL, BUNDLE = Path("models/train"), Path("models/export")

# Both end in the same lines; `read` is our own, so that all decode and resize alike.
ANSWER = """
spec = load_spec(Path(sys.argv[2]))
shape = spec.preprocessing
data = Path(sys.argv[3]).read_bytes()
pixels = read_pixels(data, shape.size, shape.channels, shape.resize, shape.decoder)
with torch.inference_mode():
    probabilities = model(torch.from_numpy(pixels[None])).softmax(dim=1)[0]
print(spec.classes.names[int(probabilities.argmax())], float(probabilities.max()))
"""
IMPORTS = """
import sys
from pathlib import Path
import torch
from darkroom.images.pixels import read_pixels
from darkroom.model.spec import load_spec
"""
PROGRAMS = {
    OWN_CODE: f"{IMPORTS}from darkroom.network.load import load_model\nmodel, _ = load_model(Path(sys.argv[1]).parent){ANSWER}",
    LEAN: f"{IMPORTS}model = torch.jit.load(sys.argv[1]){ANSWER}",
}
ALONE = {"Python alone": "pass", "import onnxruntime": "import onnxruntime", "import torch": "import torch"}


def run(*arguments: object) -> str:
    """What a new Python process prints."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def write_script(path: Path) -> None:
    """The trained network as TorchScript, which needs no code of its own."""
    network, spec = load_model(MODEL)
    shape = spec.preprocessing
    example = torch.zeros(1, shape.size, shape.size, shape.channels, dtype=torch.uint8)
    # Tracing warns of sizes that it takes for constants: there is but one.
    with torch.inference_mode(), warnings.catch_warnings(action="ignore"):
        torch.jit.save(torch.jit.trace(network, example), path)  # type: ignore[no-untyped-call]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__)
    parser.add_argument("image", type=Path, help="a file like those that the model was trained on")
    image = parser.parse_args().image
    answer = load_bundle(BUNDLE)
    label = answer.classes.names[int(answer.predict(answer.pixels(image.read_bytes())[None]).argmax())]
    with tempfile.TemporaryDirectory() as home:
        script = Path(home) / "model.pt"
        write_script(script)
        files = {OWN_CODE: MODEL / "weights.safetensors", LEAN: script}
        calls: dict[str, tuple[object, ...]] = {OURS: ("-m", "darkroom.predict", BUNDLE, image)}
        calls |= {name: ("-c", PROGRAMS[name], file, MODEL / "model.json", image) for name, file in files.items()}
        for name, call in calls.items():
            if label not in (printed := run(*call)):
                raise SystemExit(f"error: {name} does not name {label}, but prints {printed}")
        calls |= {name: ("-c", program) for name, program in ALONE.items()}
        contestants = {name: timed(functools.partial(run, *call)) for name, call in calls.items()}
        seconds = {name: statistics.median(found) for name, found in in_turns(contestants, ROUNDS).items()}
    rows = [(name, f"{found:.2f}", f"{found / seconds[OURS]:.1f}x") for name, found in seconds.items()]
    print_table(("", "seconds", "beside ours"), rows)


if __name__ == "__main__":
    main()
