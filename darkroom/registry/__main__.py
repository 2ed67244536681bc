"""`python -m darkroom.registry`: the versions of the model, and every move of the champion."""

import argparse
from pathlib import Path

from darkroom.registry.history import history_text
from darkroom.runtime.stage import user_errors


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m darkroom.registry", description="List the versions of the model.")
    parser.parse_args()
    with user_errors():
        print(history_text(Path()))


if __name__ == "__main__":
    main()
