"""Images in a folder of an object store: `s3://`, `gs://`, `az://`. A listing tells what changed; only new objects are read."""

import errno
from collections.abc import Sequence

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.object_store import Changed, ObjectStore, Stored
from darkroom.runtime.store_backends import AT_ONCE
from darkroom.runtime.threads import in_order
from darkroom.sources.bucket_listing import SUFFIX, bucket_of, read_bucket_listing
from darkroom.sources.image_files import MAX_IMAGE_BYTES
from darkroom.sources.layout import lay_out
from darkroom.sources.source import Ignored, Listing, Location, Reader, SourceImage, SourceKind, files_by_listing


def list_bucket(location: Location) -> Listing:
    """List a folder of class folders in an object store, or one of train/, val/ and test/ that hold class folders.

    Objects are named as files of the same folder on a disk would be. No object is read. A URL that ends with `.parquet`
    is that of a table with the listing, as `darkroom.sources.bucket_listing` reads it.

    Raises:
        DarkroomError: when the store can't be listed, nothing is there, or it has fewer than two classes.
    """
    url = location.url or ""
    store = _store(url)
    found = read_bucket_listing(store, bucket_of(url)[1]) if url.endswith(SUFFIX) else _objects(store)
    objects = {each.name: each for each in found}
    unusual = [name for name in objects if not all(name.split("/"))]
    others = [Ignored(name, "its name has an empty part between two slashes") for name in unusual]
    layout = lay_out(objects.keys() - set(unusual), url, (), others, location.class_level)
    images = [
        SourceImage(name, label, split, path, stamp=stamp(objects[path])) for path, name, label, split in layout.images
    ]
    return Listing(layout.classes, images, layout.ignored, sizes=[objects[image.file or ""].bytes for image in images])


def _store(url: str) -> ObjectStore:
    """Where the names of objects start: the folder, or the bucket of a table."""
    return ObjectStore.open(bucket_of(url)[0] if url.endswith(SUFFIX) else url)


def _objects(store: ObjectStore) -> list[Stored]:
    """All objects of the store's folder; the folders in it are listed at the same time."""
    from tqdm import tqdm

    try:
        folders, found = store.folders_and_objects()
    except FileNotFoundError:
        folders, found = [], []
    if not folders and (found or store.is_object()):
        raise DarkroomError(
            f"{store.url} is not a folder of class folders: give the folder that holds them. A zip, a tar or a table is read "
            "from this machine: fetch it first"
        )
    if not folders:
        raise DarkroomError(f"there is nothing at {store.url}: check bucket and folder (`aws s3 ls {store.url}/`)")
    with tqdm(desc="survey", unit=" objects", disable=None) as bar:
        for more in in_order(store.find, folders, threads=AT_ONCE):
            bar.update(len(more))
            found += more
    return found


def stamp(stored: Stored) -> str:
    """An object's mark and bytes, as `SourceImage.stamp`."""
    return f"{stored.mark} {stored.bytes}"


def read_bucket(location: Location, images: Sequence[SourceImage]) -> Reader:
    """Read images that are objects; each must be what the listing told of."""
    store = _store(location.url or "")

    def read(image: SourceImage) -> bytes:
        mark, _, size = (image.stamp or "").rpartition(" ")
        if int(size) > MAX_IMAGE_BYTES:
            raise OSError(f"{int(size):,} bytes, more than {MAX_IMAGE_BYTES:,}")
        try:
            return store.read_listed(image.file or "", int(size), mark)
        except FileNotFoundError:
            raise OSError(errno.ENOENT, "it is no longer in the bucket") from None
        except Changed as error:
            raise OSError(errno.ESTALE, str(error)) from None

    return read


BUCKET = SourceKind(
    "folder", detect=lambda path: False, files=files_by_listing, list=list_bucket, reader=read_bucket, readers=AT_ONCE
)
