"""Settings of the stage `ingest`; `survey` looks at the same source."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from darkroom.settings.base import Fraction, PathText, Section


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except (LookupError, ValueError):
        raise ValueError(
            f"is {name!r}, should be an encoding that Python knows, as gb18030, cp932, cp437 or utf-8"
        ) from None
    return name


class Ingest(Section):
    """Where the images come from, and what is refused."""

    source: Literal[
        "mnist", "fashion-mnist", "cifar10", "cifar100", "digits", "folder", "imagenet", "zip", "tar", "table"
    ] = "fashion-mnist"
    """Where the images come from: a data set by name, or the kind of what is at `path`."""
    path: PathText = "images"
    """The folder of class folders (or of train/, val/, test/ with class folders), the zip or tar of one, the folder in
    ImageNet's layout, or the CSV or Parquet table. For `folder` it may be in an object store: `s3://bucket/photos`, `gs://`,
    `az://`, also a Parquet table there that lists it. The data sets that have a name do not read it."""
    root: PathText | None = None
    """For a data set that has a name: the folder of a copy that is there already, as torchvision lays it out. Empty:
    fetched once to the user's cache folder."""
    class_level: Annotated[int, Field(ge=1, le=100)] | Literal["auto"] = "auto"
    """For a folder, zip or tar: which folders are the classes, 1 for those at the top, 2 for those in these, and so on;
    folders above them may be splits. `auto`: found by names and structure; where two levels make sense the line stops."""
    join_classes: bool | None = None
    """Classes whose names differ only in case, blanks, invisible characters, Unicode forms or zeros of a number, as `Cat` and
    `cat `, `1` and `01`: true makes one class of them, under the name that most images have; false a class of each. Empty: the
    line stops and names them."""
    zip_encoding: Annotated[str, AfterValidator(_encoding)] | None = None
    """The code page of the names in a zip that are not marked as UTF-8, as `gb18030`, `cp932` or `cp437`. Empty: found where
    only one makes sense of all names, and said; else the line stops with what each gives."""
    decoder: Literal["turbo", "opencv", "pillow"] = "turbo"
    """What opens JPEG files (and, for `opencv`, PNG): `turbo` is libjpeg-turbo, and small plain PNG by OpenCV. Everything else
    is opened by Pillow. All take the same files. It travels with the model."""
    depth: Literal["auto", "full", "range"] = "auto"
    """Of files that hold other than 8 bits a value, which values become 0 and 255. `full`: the ends of the scale that the
    file declares. `range`: the lowest and the highest value of the whole data set. `auto`: the full scale of the bits that
    the values take, or else the range. It travels with the model. Files of 8 bits stay as they are."""
    max_reject_fraction: Fraction = 0.01
    """The line stops when a larger fraction of the files than this can't be read as images."""
    max_unpacked_gib: Annotated[float, Field(gt=0, le=1_000_000)] = 200.0
    """An archive that would unpack to more GiB than this is refused before anything is read or written."""
