"""Write a bundle as model repositories for Triton and for OpenVINO Model Server.

python -m deploy.repository models/export OUT [--graph model.onnx]

Both servers take the arrays of the graph: to decode and resize an image is the client's work then. OUT/README.md says how.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from darkroom.bundle.bundle import INDEX, Bundle, load_bundle
from darkroom.inference.session import BATCH_VALUES, INPUT, OUTPUT
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash, whole_folder, write_json
from darkroom.runtime.stage import user_errors
from darkroom.runtime.text import one_a_line

MODEL = "darkroom"
# What a folder must have to be replaced: no other one is ever removed.
ABOUT = "repository.json"
# Images a batch, at most; large images have fewer, so that a batch stays within some 2 GB in any network.
LARGEST_BATCH = 64
# The path is relative to the file, so that the folder may be mounted anywhere. Where a processor has bfloat16, OpenVINO takes
# that by default: on 10,000 images of Fashion-MNIST probabilities moved by up to 0.105 and 19 labels changed; in float32 by
# 4e-6, and none.
OPENVINO = {"name": MODEL, "base_path": MODEL, "plugin_config": {"INFERENCE_PRECISION_HINT": "f32"}}
README = Path(__file__).parent / "repository.md"


def write_repositories(bundle: Bundle, target: Path) -> None:
    """Write `target`: `triton/` and `openvino/`, a request with its answer, what a client must know, and how to start.

    Args:
        bundle: opened and checked; its graph is the one that is copied.
        target: a folder that does not exist, or that this function wrote: then it is replaced whole.

    Raises:
        DarkroomError: when something else is at `target`, when it is inside the bundle, or when it can't be written.
    """
    if target.exists() and not (target / ABOUT).is_file():
        raise DarkroomError(f"{target} exists and is no model repository that this command wrote: give another folder")
    if bundle.folder.resolve() in target.resolve().parents:
        raise DarkroomError(f"{target} is inside the bundle, which may hold no other file: give a folder elsewhere")
    graph = bundle.folder / bundle.graph
    with whole_folder(target) as out:
        for server in ("triton", "openvino"):
            version = out / server / MODEL / "1"
            version.mkdir(parents=True)
            shutil.copyfile(graph, version / "model.onnx")
        (out / "triton" / MODEL / "labels.txt").write_text(one_a_line(bundle.classes.names) + "\n", encoding="utf-8")
        (out / "triton" / MODEL / "config.pbtxt").write_text(triton_config(bundle), encoding="utf-8")
        write_json(out / "openvino/config.json", {"model_config_list": [{"config": OPENVINO}]})
        _write_example(bundle, out / "example")
        write_json(out / ABOUT, about(bundle))
        shutil.copyfile(README, out / "README.md")


def triton_config(bundle: Bundle) -> str:
    """`config.pbtxt`: the arrays of the graph, batches of what waits, labels, and a first run before it is ready.

    Triton adds the number of images to every shape. It waits for no batch to fill: an empty `dynamic_batching` has no delay.
    """
    shape = bundle.preprocessing
    sizes = [shape.size, shape.size, shape.channels]
    largest = max(1, min(LARGEST_BATCH, BATCH_VALUES // int(np.prod(sizes))))
    return f"""name: "{MODEL}"
platform: "onnxruntime_onnx"
max_batch_size: {largest}
input [ {{ name: "{INPUT}" data_type: TYPE_UINT8 dims: {sizes} }} ]
output [ {{ name: "{OUTPUT}" data_type: TYPE_FP32 dims: [{len(bundle.classes)}] label_filename: "labels.txt" }} ]
dynamic_batching {{ }}
model_warmup [ {{
  name: "one black image"
  batch_size: 1
  inputs {{ key: "{INPUT}" value {{ data_type: TYPE_UINT8 dims: {sizes} zero_data: true }} }}
}} ]
"""


def about(bundle: Bundle) -> dict[str, Any]:
    """What a client must know: the classes in order, the threshold, how images become arrays; and where it all comes from."""
    return {
        "model": MODEL,
        "bundle": file_hash(bundle.folder / INDEX),
        "graph": {"file": bundle.graph, "sha256": file_hash(bundle.folder / bundle.graph)},
        "data_version": bundle.data_version,
        "classes": bundle.classes.names,
        "threshold": bundle.calibration.threshold,
        "preprocessing": bundle.preprocessing.to_dict(),
    }


def example_images(bundle: Bundle) -> UInt8s:
    """Two images uint8 [2, S, S, C] that are the same everywhere: a ramp from corner to corner, and its negative."""
    shape = bundle.preprocessing
    ramp = np.add.outer(np.arange(shape.size), np.arange(shape.size)) * 255 // max(1, 2 * (shape.size - 1))
    # Each channel turned further, so that a client that swaps channels, or height and width, gets another answer.
    first = np.stack([np.rot90(ramp, channel) for channel in range(shape.channels)], axis=-1).astype(np.uint8)
    return np.stack([first, 255 - first])


def _write_example(bundle: Bundle, folder: Path) -> None:
    images = example_images(bundle)
    answer = bundle.predict(images)
    folder.mkdir()
    inputs = {"name": INPUT, "datatype": "UINT8", "shape": images.shape, "data": images.ravel().tolist()}
    outputs = {"name": OUTPUT, "datatype": "FP32", "shape": answer.shape, "data": answer.ravel().tolist()}
    (folder / "request.json").write_text(json.dumps({"inputs": [inputs], "outputs": [{"name": OUTPUT}]}))
    write_json(folder / "answer.json", {"model_name": MODEL, "model_version": "1", "outputs": [outputs]})


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.repository",
        description="Write a bundle as model repositories for Triton and for OpenVINO Model Server.",
    )
    parser.add_argument("bundle", type=Path, help="the folder that the export stage wrote: models/export")
    parser.add_argument("out", type=Path, help="the folder to write; one that this command wrote is replaced")
    parser.add_argument("--graph", help="another graph of the bundle: model.onnx is the float one, for a GPU")
    arguments = parser.parse_args()
    with user_errors():
        bundle = load_bundle(arguments.bundle, arguments.graph)
        write_repositories(bundle, arguments.out)
        print(f"{arguments.out} has {bundle.graph} for Triton and for OpenVINO Model Server; start with its README.md")


if __name__ == "__main__":
    main()
