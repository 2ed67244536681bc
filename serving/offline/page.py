"""One HTML file that classifies in a browser: the page of the service, with the graph and its runtime inside."""

import base64
import gzip
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from darkroom.bundle.bundle import INDEX, SPEC, Bundle
from darkroom.model.spec import load_spec
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from serving.offline.pictures import make_pictures
from serving.offline.runtime import BrowserRuntime
from serving.page.routes import SHARED_STYLE
from serving.page.routes import STATIC as PAGE

STATIC = Path(__file__).parent / "static"
NO_SCRIPT = (
    '<noscript><p class="notice bad">This page needs JavaScript: the model in it runs in the browser.</p></noscript>'
)


def offline_page(bundle: Bundle, runtime: BrowserRuntime) -> str:
    """The page; the same bundle and graph give the same page.

    Args:
        bundle: opened with the graph that the page is to have.
        runtime: of the browser.

    Raises:
        DarkroomError: when no file that browsers read has a place in the data set.
    """
    depth = bundle.preprocessing.depth
    if depth and depth.rule == "range":
        raise DarkroomError(
            f"{bundle.folder} was trained on images of other than 8 bits a value, by their range: browsers read 8 bits alone, "
            "so that a page without a server could answer none of them; serve it with `python -m serving`"
        )
    imports = json.dumps({"imports": _modules()})
    main = 'import "offline/main.js";'
    text = (PAGE / "index.html").read_text(encoding="utf-8")
    text = _replace(text, r'<link rel="(?:icon|stylesheet)".*?>\n', "")
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(_policy(imports, main))}">\n'
        f"<style>\n{_styles()}</style>\n"
    )
    text = _replace(text, r"(?=<title>)", head)
    pictures = make_pictures(bundle.preprocessing.size)
    pixels = np.stack([bundle.pixels(data) for data in pictures])
    facts = _facts(bundle) | {
        "check": [
            {"image": base64.b64encode(data).decode(), "probabilities": [float(value) for value in row]}
            for data, row in zip(pictures, bundle.predict(pixels), strict=True)
        ]
    }
    parts = {
        "bundle": (json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c"), "application/json"),
        "pixels": (_packed(pixels.tobytes()), "text/plain"),
        "graph": (_packed((bundle.folder / bundle.graph).read_bytes()), "text/plain"),
        "runtime": (_packed(runtime.module), "text/plain"),
        "wasm": (_packed(runtime.wasm), "text/plain"),
    }
    scripts = "".join(
        f'<script id="{name}" type="{kind}">{content}</script>\n' for name, (content, kind) in parts.items()
    )
    scripts += f'<script type="importmap">{imports}</script>\n<script type="module">{main}</script>\n'
    text = _replace(text, r'<script type="module" src="[^"]*"></script>\n', "")
    text = _replace(text, r"<noscript>.*?</noscript>", NO_SCRIPT)
    return _replace(text, r"(?=</body>)", scripts)


def _replace(text: str, pattern: str, by: str) -> str:
    changed, count = re.subn(pattern, lambda _: by, text)
    assert count, f"the page of the service has no {pattern}"
    return changed


def _modules() -> dict[str, str]:
    """By name, all modules as addresses that hold them; `./x.js` has no meaning in such a module, so imports are by name."""
    found = {}
    for folder, room in ((PAGE, "page"), (STATIC, "offline")):
        for path in sorted(folder.glob("*.js")):
            source = path.read_text(encoding="utf-8")
            for before, after in (("./", room), ("../page/", "page")):
                source = source.replace(f'from "{before}', f'from "{after}/')
            encoded = base64.b64encode(source.encode()).decode()
            found[f"{room}/{path.name}"] = f"data:text/javascript;base64,{encoded}"
    return found


def _styles() -> str:
    files = [SHARED_STYLE, *sorted(PAGE.glob("*.css"))]
    return "".join(path.read_text(encoding="utf-8") for path in files)


def _policy(*scripts: str) -> str:
    """No connection to anywhere; of scripts those of this page, and what they import from its own bytes."""
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in scripts]
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(hashes)} data: blob: 'wasm-unsafe-eval'",
            "style-src 'unsafe-inline'",
            "img-src blob:",
            "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _packed(data: bytes) -> str:
    """Base64 of gzip, without a time: a quarter of the runtime's bytes."""
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


def _facts(bundle: Bundle) -> dict[str, Any]:
    """What `GET /v1/model` gives of a bundle, as far as the page shows it."""
    spec = load_spec(bundle.folder / SPEC)
    shape = bundle.preprocessing
    return {
        "classes": list(bundle.classes.names),
        "threshold": bundle.calibration.threshold,
        "network": spec.network,
        "preprocessing": {
            "size": shape.size,
            "channels": shape.channels,
            "resize": shape.resize,
            "decoder": shape.decoder,
        },
        "data_version": spec.data_version,
        "code_version": spec.code_version,
        "graph": bundle.graph,
        "hash": file_hash(bundle.folder / INDEX),
    }
