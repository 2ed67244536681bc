"""The features of images, for the prediction log: what goes into the last layer of the graph that answered."""

import onnxruntime

from darkroom.inference.session import INPUT, open_session
from darkroom.runtime.arrays import Float32s, UInt8s
from darkroom.runtime.errors import DarkroomError
from serving.logs import LOG
from serving.model import LoadedModel


class Features:
    """Runs the graph again with its features as output; the engine's own session gives answers alone.

    Raises:
        DarkroomError: when onnx is missing, by which the graph gets that output.
    """

    def __init__(self) -> None:
        try:
            import onnx  # noqa: F401
        except ImportError:
            raise DarkroomError(
                "features in the prediction log need the package onnx: install it, or leave --prediction-log-features out"
            ) from None
        self._model: LoadedModel | None = None
        self._session: onnxruntime.InferenceSession | None = None
        self._name = ""

    def of(self, model: LoadedModel, pixels: UInt8s) -> list[float] | None:
        """The features of an image uint8 [S, S, C]; None for a network without a fully connected last layer."""
        if model is not self._model:
            self._open(model)
        if self._session is None:
            return None
        # One at a time: batches gain 7% at most on a processor, and would hold more memory beside the answers.
        found: Float32s = self._session.run([self._name], {INPUT: pixels[None]})[0]
        values: list[float] = found.ravel().tolist()
        return values

    def _open(self, model: LoadedModel) -> None:
        from darkroom.bundle.graph_features import with_features

        self._model, self._session = model, None
        graph, name = with_features(model.bundle.folder / model.bundle.graph)
        if name is None:
            LOG.warning("%s has no features to log: its network has no fully connected last layer", model.bundle.folder)
            return
        session = open_session(graph, threads=1)
        # The folder may hold another bundle by now.
        if _weights(session) != _weights(model.bundle.session):
            LOG.warning("%s was replaced before its features could be opened: they are not logged", model.bundle.folder)
            return
        self._session, self._name = session, name


def _weights(session: onnxruntime.InferenceSession) -> str:
    return str(session.get_modelmeta().custom_metadata_map.get("weights_sha256"))
