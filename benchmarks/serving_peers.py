"""The servers that `benchmarks.serving` stands beside, each in a process of its own and as its maker's pages show it.

Run by the Python that has the peers; it imports nothing of Darkroom. The graph takes uint8 [N, S, S, C] and gives
probabilities, so that all contestants run the same one.

    python serving_peers.py fastapi|litserve|empty GRAPH PORT
    GRAPH=… bentoml serve benchmarks.serving_peers:BENTO
"""

import base64
import importlib
import io
import os
import sys
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image


class Graph:
    """A graph as everybody opens it, with Pillow's decoding and scaling before it."""

    def __init__(self, path: str) -> None:
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        taken = self.session.get_inputs()[0]
        self.name, self.side, self.channels = taken.name, taken.shape[1], taken.shape[3]

    def predict(self, picture: Image.Image) -> list[float]:
        """The probabilities of one picture."""
        plain = picture.convert("L" if self.channels == 1 else "RGB").resize((self.side, self.side))
        pixels = np.asarray(plain, np.uint8).reshape(1, self.side, self.side, self.channels)
        found: list[float] = self.session.run(None, {self.name: pixels})[0][0].tolist()
        return found


def run_fastapi(graph: str, port: int) -> None:
    """An asynchronous route that reads an uploaded file and runs the session."""
    fastapi, uvicorn = importlib.import_module("fastapi"), importlib.import_module("uvicorn")
    app, model = fastapi.FastAPI(), Graph(graph)

    async def predict(file: Any) -> dict[str, list[float]]:
        return {"probabilities": model.predict(Image.open(io.BytesIO(await file.read())))}

    predict.__annotations__["file"] = fastapi.UploadFile
    app.post("/predict")(predict)
    uvicorn.run(app, port=port, log_level="warning")


def run_litserve(graph: str, port: int) -> None:
    """Its four methods, with the picture in base64 as its pages send it."""
    litserve = importlib.import_module("litserve")
    os.environ["GRAPH"] = graph
    # Its worker is another process, which finds the class by its name in this module.
    globals()["Api"] = make_lit_api()
    litserve.LitServer(globals()["Api"](), accelerator="cpu").run(
        port=port, log_level="warning", generate_client_file=False
    )


def make_lit_api() -> Any:
    """The class with the four methods."""
    litserve = importlib.import_module("litserve")

    def setup(self: Any, device: str) -> None:
        self.model = Graph(os.environ["GRAPH"])

    def decode_request(self: Any, request: dict[str, str]) -> Image.Image:
        return Image.open(io.BytesIO(base64.b64decode(request["image"])))

    def predict(self: Any, picture: Image.Image) -> Any:
        return self.model.predict(picture)

    def encode_response(self: Any, output: list[float]) -> dict[str, list[float]]:
        return {"probabilities": output}

    methods = {each.__name__: each for each in (setup, decode_request, predict, encode_response)}
    return type("Api", (litserve.LitAPI,), methods | {"__module__": __name__})


def run_empty(graph: str, port: int) -> None:
    """No framework and no model: reads the body, and answers. What any server in Python can reach at most."""
    uvicorn = importlib.import_module("uvicorn")

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        more = scope["type"] == "http"
        while more:
            more = (await receive()).get("more_body", False)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"{}"})

    uvicorn.run(app, port=port, log_level="warning", lifespan="off")


def make_bento() -> Any:
    """A service with one method that takes a picture."""
    bentoml = importlib.import_module("bentoml")

    class Classifier:
        def __init__(self) -> None:
            self.model = Graph(os.environ["GRAPH"])

        def classify(self, image: Image.Image) -> dict[str, list[float]]:
            return {"probabilities": self.model.predict(image)}

    Classifier.classify = bentoml.api(Classifier.classify)  # type: ignore[method-assign]
    return bentoml.service(Classifier)


if __name__ == "__main__":
    {"fastapi": run_fastapi, "litserve": run_litserve, "empty": run_empty}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
elif __name__ == "__mp_main__":
    Api = make_lit_api()
elif os.environ.get("GRAPH"):
    BENTO = make_bento()
