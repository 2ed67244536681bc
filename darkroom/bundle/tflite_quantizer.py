"""The INT8 form of a TFLite file: a program that runs in the converter's own environment.

    python -I tflite_quantizer.py model.tflite images.npy model.int8.tflite

reads a float file with one signature and images to calibrate on, uint8 [N, S, S, C]. It imports nothing of darkroom.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

INPUT = "images"

# Products with a bias, by name, and the axis of their weights along which the output channels lie.
PRODUCTS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}

# As in `darkroom.compression.int8`: the products, and what is between two of them without arithmetic of its own. With every
# operation in 8 bits and the ranges below, the quantizer fails on a tensor of six dimensions in EfficientNet-Lite0 with a grid
# of averages, and it is no faster (8.0 ms an image of 224 pixels either way; float: 16.2).
IN_8_BITS = (*PRODUCTS, "BATCH_MATMUL", "CONV_2D_TRANSPOSE", "MAX_POOL_2D", "PAD", "RELU", "RESHAPE", "TRANSPOSE")


def quantize(float_file: str, images_file: str, target: str) -> None:
    """Write the INT8 form of a float file.

    Weights are int8 with a scale for each channel, the values between products int8, with the smallest and the largest value
    of the images as ranges. The last product and the softmax stay in float, so that probabilities do not come in steps.
    """
    import numpy as np
    from ai_edge_litert.tools import flatbuffer_utils  # type: ignore[import-untyped]
    from ai_edge_quantizer import quantizer  # type: ignore[import-not-found]
    from ai_edge_quantizer.algorithm_manager import AlgorithmName  # type: ignore[import-not-found]
    from ai_edge_quantizer.recipe_manager import RecipeManager  # type: ignore[import-not-found]

    model = flatbuffer_utils.read_model(float_file)
    last = list(_operators(model, *PRODUCTS))[-1]
    name = model.subgraphs[0].tensors[last.outputs[0]].name.decode()
    recipe = RecipeManager()
    for operation in IN_8_BITS:
        recipe.add_static_config(".*", operation, activation_num_bits=8, weight_num_bits=8)
    recipe.add_quantization_config(f"^{re.escape(name)};", "*", algorithm_key=AlgorithmName.NO_QUANTIZE)
    ranges = _ranges(float_file, np.load(images_file), recipe)
    _pad_with_numbers(model, ranges)
    _make_room_for_biases(model, ranges)
    content = flatbuffer_utils.convert_object_to_bytearray(model)
    quantized = quantizer.Quantizer(content, recipe.get_quantization_recipe())
    Path(target).write_bytes(quantized.quantize(ranges, enable_progress_report=False).quantized_model)


def _ranges(float_file: str, images: Any, recipe: Any) -> dict[str, Any]:
    """The smallest and the largest value of every tensor, by its name.

    By the runtime's own statistics: 3 s for 128 images of 224 pixels, where the quantizer's default takes 13 for the same. That
    default also forgets: its ranges are those of the last twenty images or so.
    """
    from ai_edge_quantizer import calibrator
    from ai_edge_quantizer.utils import qsv_utils  # type: ignore[import-not-found]

    calibration = calibrator.Calibrator(
        float_file,
        mode=calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED,
        qsv_update_func=qsv_utils.min_max_update,
    )
    (signature,) = calibration.get_signature_list()
    calibration.calibrate({signature: [{INPUT: images[row : row + 1]} for row in range(len(images))]}, recipe)
    ranges: dict[str, Any] = calibration.get_model_qsvs()
    return ranges


def _pad_with_numbers(model: Any, ranges: dict[str, Any]) -> None:
    """Let what pads a maximum be the smallest value rather than minus infinity.

    The maximum stays what it was. An endless range has no scale, and the runtime crashed on such a file of ResNet-18.
    """
    import numpy as np

    tensors = model.subgraphs[0].tensors
    for operator in _operators(model, "PADV2"):
        padded, result = (tensors[index].name.decode() for index in (operator.inputs[0], operator.outputs[0]))
        if np.isneginf(ranges[result]["min"]).any():
            least = np.asarray(ranges[padded]["min"], np.float32).min()
            ranges[result]["min"] = np.full_like(ranges[result]["min"], least)
            # One constant may pad several maxima.
            buffer = model.buffers[tensors[operator.inputs[2]].buffer]
            before = np.frombuffer(buffer.data, np.float32)
            buffer.data = np.frombuffer(
                np.where(np.isinf(before), least, np.minimum(before, least)).tobytes(), np.uint8
            )


def _make_room_for_biases(model: Any, ranges: dict[str, Any]) -> None:
    """Give channels that are all but constant a weight large enough for their bias.

    A bias is stored in 32 bits, in units of the scale of the input times that of the channel's weights. Where the weights are
    zero and the bias is not, as in dead channels of any network, it would overflow to another constant: in the unused channels
    that `small_image_net` had once, 85% of labels agreed then on Fashion-MNIST, and 99.3% with this. ONNX Runtime's
    quantizer does the same. What the weight adds is less than a ten-thousandth of the bias.
    """
    import numpy as np

    tensors = model.subgraphs[0].tensors
    for operator in _operators(model, *PRODUCTS):
        if len(operator.inputs) < 3 or operator.inputs[2] < 0:
            continue
        inputs, weights, bias = (tensors[index] for index in operator.inputs[:3])
        stored = [model.buffers[tensor.buffer].data for tensor in (weights, bias)]
        if inputs.name.decode() not in ranges or any(data is None for data in stored):
            continue
        found = ranges[inputs.name.decode()]
        scale = (max(float(np.max(found["max"])), 0.0) - min(float(np.min(found["min"])), 0.0)) / 255
        if not scale:
            continue  # every image gave zeros, with which any weight gives nothing
        values = np.frombuffer(stored[0], np.float32).reshape(weights.shape).copy()
        channels = np.moveaxis(values, PRODUCTS[_name(model, operator)], -1)
        first = (0,) * (channels.ndim - 1)
        # Half of what 32 bits hold.
        least = 127 * np.abs(np.frombuffer(stored[1], np.float32)) / (scale * 2**30)
        largest = np.abs(channels).max(axis=tuple(range(channels.ndim - 1)))
        channels[first] = np.where(largest < least, least, channels[first])
        model.buffers[weights.buffer].data = np.frombuffer(values.tobytes(), np.uint8)


def _operators(model: Any, *names: str) -> Iterator[Any]:
    """The operators of a model that have one of these names, in the order in which they are computed."""
    return (operator for operator in model.subgraphs[0].operators if _name(model, operator) in names)


def _name(model: Any, operator: Any) -> str:
    from ai_edge_litert.tools import flatbuffer_utils

    return str(flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex))


if __name__ == "__main__":
    quantize(*sys.argv[1:])
