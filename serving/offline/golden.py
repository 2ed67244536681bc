"""Golden vectors: what a client of its own, such as an app, must make of pictures, and must answer.

python -m serving.offline.golden BUNDLE GOLDEN.json
"""

import argparse
import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from darkroom.bundle.bundle import FLOAT_GRAPH, Bundle, load_bundle
from darkroom.images.pixels import to_pixels
from darkroom.runtime.files import whole_file, write_json
from darkroom.runtime.stage import user_errors
from serving.offline.pictures import make_pictures


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m serving.offline.golden",
        description="Write pictures, the arrays that the graph takes of them, and their probabilities, for tests of an app.",
    )
    parser.add_argument("bundle", type=Path, help="the folder that the export stage wrote: models/export")
    parser.add_argument("golden", type=Path, help="the JSON file to write")
    arguments = parser.parse_args()
    with user_errors():
        bundle = load_bundle(arguments.bundle, FLOAT_GRAPH)
        with whole_file(arguments.golden) as partial:
            write_json(partial, golden_vectors(bundle))
        print(f"golden: {arguments.golden}, made with {bundle.folder / bundle.graph}")


def golden_vectors(bundle: Bundle) -> dict[str, Any]:
    """Pictures with what a client must make of them; the same bundle gives the same.

    Args:
        bundle: opened with the graph that must be answered as.

    Returns:
        `size`, `channels`, `resize`, `classes`, `threshold`; and `vectors`: `width`, `height` and `data` of a decoded picture
        (bytes in base64, row by row, channels interleaved), the `pixels` that the graph takes, and `probabilities`.
    """
    shape = bundle.preprocessing
    vectors = []
    for file in make_pictures(shape.size):
        mode = "L" if shape.channels == 1 else "RGB"
        picture = np.atleast_3d(np.asarray(Image.open(io.BytesIO(file)).convert(mode)))
        pixels = to_pixels(picture, shape.size, shape.channels, shape.resize)
        vectors.append(
            {
                "width": picture.shape[1],
                "height": picture.shape[0],
                "data": base64.b64encode(picture.tobytes()).decode(),
                "pixels": base64.b64encode(pixels.tobytes()).decode(),
                "probabilities": [float(value) for value in bundle.predict(pixels[None])[0]],
            }
        )
    return {
        "graph": bundle.graph,
        "size": shape.size,
        "channels": shape.channels,
        "resize": shape.resize,
        "classes": list(bundle.classes.names),
        "threshold": bundle.calibration.threshold,
        "vectors": vectors,
    }


if __name__ == "__main__":
    main()
