"""A source by its kind."""

from collections.abc import Mapping
from pathlib import Path

from darkroom.sources.source import Listing


def list_source(kind: str, path: Path, root: Path | None, max_unpacked_bytes: int) -> Listing:
    """List a source.

    Args:
        kind: as in `ingest.source`.
        path: where the images are; the data sets that have a name do not read it.
        root: a copy of such a data set, as torchvision lays it out; without one it is fetched. The other kinds do not read it.
        max_unpacked_bytes: an archive, or a table that holds images, that would unfold to more is refused.

    Raises:
        DarkroomError: when the source can't be listed.
    """
    match kind:
        case "mnist" | "fashion-mnist" | "cifar10" | "cifar100":
            from darkroom.sources.torchvision_sets import list_published

            return list_published(kind, root)
        case "digits":
            from darkroom.sources.digits import list_digits

            return list_digits()
        case "folder":
            from darkroom.sources.folder import list_folder

            return list_folder(path)
        case "imagenet":
            from darkroom.sources.imagenet import list_imagenet

            return list_imagenet(path)
        case "zip":
            from darkroom.sources.zip_archive import list_zip

            return list_zip(path, max_unpacked_bytes)
        case "tar":
            from darkroom.sources.tar_archive import list_tar

            return list_tar(path, max_unpacked_bytes)
        case "table":
            from darkroom.sources.table import list_table

            return list_table(path, max_unpacked_bytes)
    raise ValueError(f"there is no kind of source {kind!r}")


def source_files(kind: str, path: Path, root: Path | None) -> list[tuple[str, str]]:
    """Every file that a source consists of, by a name that is unique within it, sorted by name.

    For an archive, and for a table that holds the images, that is the file itself (or the files), which is not opened beyond
    what tells the two kinds of table apart. For a folder and for a table of paths it is each image, under the name it has
    in the listing, and the files beside them that the listing was made from, there or not. The data sets that have a name
    consist of none. Places are text: a million Path objects take eight seconds to make.

    Args:
        kind, path, root: as in `list_source`.

    Raises:
        DarkroomError: when a folder or a table can't be listed.
    """
    match kind:
        case "folder":
            from darkroom.sources.folder import files_of_folder

            files = files_of_folder(path)
        case "imagenet":
            files = _listed_files(list_source(kind, path, root, 0))
        case "zip" | "tar":
            files = {path.name: str(path)}
        case "table":
            from darkroom.sources.table import tables_alone

            held = tables_alone(path)
            files = _listed_files(list_source(kind, path, root, 0)) if held is None else _as_text(held)
        case _:
            files = {}
    return sorted(files.items())


def _listed_files(listing: Listing) -> dict[str, str]:
    files = {file.name: file for file in listing.inputs}
    return _as_text(files | {image.path: image.file for image in listing.images if image.file is not None})


def _as_text(files: Mapping[str, Path]) -> dict[str, str]:
    return {name: str(file) for name, file in files.items()}
