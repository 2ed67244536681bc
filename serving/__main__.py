"""Serve a bundle over HTTP.

python -m serving models/export --port 8080
"""

import argparse
from pathlib import Path

import uvicorn

from darkroom.runtime.stage import user_errors
from serving.app import make_app
from serving.service import Service


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m serving", description="Serve a bundle over HTTP.")
    parser.add_argument("bundle", type=Path, help="the folder that the export stage wrote: models/export")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    with user_errors():
        app = make_app(Service(arguments.bundle))
    uvicorn.run(app, host="127.0.0.1", port=arguments.port)


if __name__ == "__main__":
    main()
