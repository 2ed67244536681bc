"""What is put into a converted TFLite file: the temperature, and metadata as Android's tools and MediaPipe read them.

The metadata say what goes in, what comes out, and the labels: a table in the file's own format under the name
`TFLITE_METADATA`, by the schema `metadata_schema.fbs` of TFLite Support, and the labels as a text file in a zip behind it.
tflite-support would write both and asks for protobuf below 4, mediapipe for an OpenCV of its own; so the few tables are written
here, with the library that both use, flatbuffers.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]
from ai_edge_litert.tools import flatbuffer_utils  # type: ignore[import-untyped]

from darkroom.inference.session import INPUT, OUTPUT
from darkroom.model.spec import ModelSpec
from darkroom.runtime.text import printable
from darkroom.statistics.temperature import Calibration

NAME, IDENTIFIER = b"TFLITE_METADATA", b"M001"
LABELS = "labels.txt"
# A zip has no earlier time.
NO_TIME = (1980, 1, 1, 0, 0, 0)

# Numbers of the schema: a kind of file, two colour spaces, and members of the unions of contents and of process units.
AXIS_LABELS = 2
COLOURS = {1: 2, 3: 1}
FEATURE, IMAGE = 1, 2
NORMALIZATION, THRESHOLD = 1, 3


def read_file(file: Path) -> Any:
    """A TFLite file as an object tree, as it may be changed."""
    model = flatbuffer_utils.read_model(str(file))
    for stored in model.buffers:
        # Other forms of bytes are written one at a time: 2.3 s in place of 0.1 for EfficientNet-Lite0 in 8 bits.
        if isinstance(stored.data, memoryview):
            stored.data = np.frombuffer(stored.data, np.uint8)
    return model


def write_file(model: Any, file: Path, names: Sequence[str]) -> None:
    """Write a TFLite file with its labels; the same model gives the same bytes.

    Args:
        model: as `read_file` gives it.
        file: to write.
        names: of the classes.
    """
    file.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    # Behind the model, where its readers do not look; offsets count from the start of the whole file.
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(LABELS, NO_TIME), "".join(f"{printable(name)}\n" for name in names))


def divide_logits(model: Any, temperature: float) -> None:
    """Divide by the temperature what the softmax at the end is given.

    Here, and not before the conversion: a conversion then holds for every temperature. The softmax has a factor of its own,
    which accelerators of phones do not all heed.

    Args:
        model: as `read_file` gives it, in place.
        temperature: of the calibrated probabilities.
    """
    graph = model.subgraphs[0]
    last = next(operator for operator in graph.operators if graph.outputs[0] in operator.outputs)
    assert model.operatorCodes[last.opcodeIndex].builtinCode == schema.BuiltinOperator.SOFTMAX
    constant, code, added = schema.BufferT(), schema.OperatorCodeT(), schema.OperatorT()
    constant.data = np.frombuffer(np.float32(temperature).tobytes(), np.uint8)
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DIV
    code.version = 1
    logits = graph.tensors[last.inputs[0]]
    model.buffers.append(constant)
    model.operatorCodes.append(code)
    for name, shape, buffer in ((b"temperature", [], len(model.buffers) - 1), (b"scaled_logits", logits.shape, 0)):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer, tensor.type = name, shape, buffer, schema.TensorType.FLOAT32
        graph.tensors.append(tensor)
    added.opcodeIndex = len(model.operatorCodes) - 1
    added.inputs, added.outputs = [last.inputs[0], len(graph.tensors) - 2], [len(graph.tensors) - 1]
    added.builtinOptionsType, added.builtinOptions = schema.BuiltinOptions.DivOptions, schema.DivOptionsT()
    graph.operators.insert(graph.operators.index(last), added)
    last.inputs = added.outputs


def add_metadata(model: Any, spec: ModelSpec, calibration: Calibration) -> None:
    """Put metadata into a model with one input and one output, in place.

    Args:
        model: as `read_file` gives it.
        spec, calibration: of the model.
    """
    buffer = schema.BufferT()
    buffer.data = metadata(spec, calibration)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = NAME, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]


def metadata(spec: ModelSpec, calibration: Calibration) -> bytes:
    """The table `ModelMetadata`.

    Args:
        spec, calibration: of the model.
    """
    shape, table = spec.preprocessing, _Tables()
    size = table.add((0, "uint32", shape.size), (1, "uint32", shape.size))
    picture = table.add((0, "int8", COLOURS[shape.channels]), (1, "offset", size))
    means, deviations = (", ".join(f"{value:.6f}" for value in values) for values in (shape.mean, shape.std))
    # In the values that go in, which are bytes: nothing is left to be done to them.
    normalization = table.add((0, "offset", table.floats(0.0)), (1, "offset", table.floats(1.0)))
    taken = table.tensor(
        INPUT,
        f"{'grey' if shape.channels == 1 else 'RGB'} as bytes, 0 to 255; resize rule: {shape.resize}. "
        f"Normalisation is in the graph: mean {means}, deviation {deviations} of values from 0 to 1.",
        content=table.content(IMAGE, picture),
        units=[table.unit(NORMALIZATION, normalization)],
        stats=(0.0, 255.0),
    )
    units = []
    if calibration.threshold is not None:
        threshold = table.add((0, "float32", calibration.threshold))
        units.append(table.unit(THRESHOLD, threshold))
    labels = table.add(
        (0, "offset", table.text(LABELS)),
        (1, "offset", table.text("the name of each class, in the order of the probabilities")),
        (2, "int8", AXIS_LABELS),
    )
    given = table.tensor(
        OUTPUT,
        f"calibrated probabilities of the {len(spec.classes)} classes",
        content=table.content(FEATURE, table.add()),
        units=units,
        stats=(0.0, 1.0),
        files=[labels],
    )
    graph = table.add((2, "offset", table.vector([taken])), (3, "offset", table.vector([given])))
    about = "An image classifier made with Darkroom. Below the threshold of its output it is not sure."
    return table.finish(
        table.add(
            (0, "offset", table.text(f"{spec.network}, {len(spec.classes)} classes")),
            (1, "offset", table.text(about)),
            (2, "offset", table.text(f"data version {spec.data_version}, code version {spec.code_version}")),
            (3, "offset", table.vector([graph])),
            (7, "offset", table.text("1.0.0")),
        )
    )


class _Tables:
    """Tables of the schema, by the places of their fields."""

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder()

    def add(self, *fields: tuple[int, str, int | float]) -> int:
        """A table of (place, type, value); what a value refers to comes before it."""
        self._builder.StartObject(1 + max((place for place, _, _ in fields), default=-1))
        for place, kind, value in fields:
            if kind == "offset":
                self._builder.PrependUOffsetTRelativeSlot(place, value, 0)
            else:
                getattr(self._builder, f"Prepend{kind.title()}Slot")(place, value, 0)
        return int(self._builder.EndObject())

    def text(self, text: str) -> int:
        return int(self._builder.CreateString(text))

    def floats(self, *values: float) -> int:
        self._builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self._builder.PrependFloat32(value)
        return int(self._builder.EndVector())

    def vector(self, offsets: list[int]) -> int:
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return int(self._builder.EndVector())

    def content(self, kind: int, properties: int) -> int:
        return self.add((0, "uint8", kind), (1, "offset", properties))

    def unit(self, kind: int, options: int) -> int:
        return self.add((0, "uint8", kind), (1, "offset", options))

    def tensor(
        self,
        name: str,
        description: str,
        content: int,
        units: list[int],
        stats: tuple[float, float],
        files: list[int] | None = None,
    ) -> int:
        limits = self.add((0, "offset", self.floats(stats[1])), (1, "offset", self.floats(stats[0])))
        fields = [(0, "offset", self.text(name)), (1, "offset", self.text(description)), (3, "offset", content)]
        fields += [(4, "offset", self.vector(units))] if units else []
        fields += [(5, "offset", limits)]
        fields += [(6, "offset", self.vector(files))] if files else []
        return self.add(*fields)

    def finish(self, root: int) -> bytes:
        self._builder.Finish(root, file_identifier=IDENTIFIER)
        return bytes(self._builder.Output())
