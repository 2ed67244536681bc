"""A source by its kind."""

from pathlib import Path

from darkroom.sources.source import Listing


def list_source(kind: str, path: Path) -> Listing:
    """List the source of kind `fashion-mnist`, `digits`, `folder` or `zip`; only the last two read `path`.

    Raises:
        DarkroomError: when the source can't be listed.
    """
    if kind == "fashion-mnist":
        from darkroom.sources.fashion_mnist import list_fashion_mnist

        return list_fashion_mnist()
    if kind == "digits":
        from darkroom.sources.digits import list_digits

        return list_digits()
    if kind == "zip":
        from darkroom.sources.archive import list_zip

        return list_zip(path)
    from darkroom.sources.folder import list_folder

    return list_folder(path)
