"""What the prediction log measures of an image's file."""

from darkroom.images.decode import decode
from darkroom.images.measure import MEASURED_SIDE, fingerprint
from darkroom.model.spec import Preprocessing


def properties(data: bytes, preprocessing: Preprocessing) -> dict[str, float]:
    """Measure an image file exactly as ingest measures it: what `darkroom.monitoring.rows.PROPERTIES` names.

    The picture that was decoded for the network is no substitute: a JPEG comes reduced to another size, and its sharpness was
    1.2 to 1.6 times that of ingest, which monitoring would take for a change of the images.

    Args:
        data: the file.
        preprocessing: of the model; its decoder and depth count.
    """
    decoded = decode(data, preprocessing.decoder, least_side=MEASURED_SIDE, grey=True, depth=preprocessing.depth)
    found = fingerprint(decoded.pixels)
    return {
        "width": decoded.width,
        "height": decoded.height,
        "aspect": decoded.width / decoded.height,
        "bytes": len(data),
        "brightness": found.brightness,
        "contrast": found.contrast,
        "sharpness": found.sharpness,
    }
