"""Look which files the source consists of, and hash those that are new or changed.

Reads: the source that `ingest.source` and `ingest.path` name, which is never written to.
Writes: data/survey/files.parquet: path, bytes, sha256; equal on every machine that has the same source.
Costs: a listing; hashing for what is new. DVC runs it every time, since only a look can tell that nothing changed; hashing the
    user's folder itself would cost DVC seconds for every 10,000 files.
"""

from pathlib import Path

import pyarrow.parquet as pq

from darkroom.runtime.files import whole_folder
from darkroom.runtime.stage import stage
from darkroom.runtime.without_pandas import hide_pandas_from_pyarrow
from darkroom.settings.read import read_params
from darkroom.sources.registry import source_files
from darkroom.sources.survey import survey

SEEN, OUT = Path(".darkroom/seen"), Path("data/survey")


def run(source: str, path: Path, root: Path | None, seen: Path, out: Path) -> None:
    """Survey a source.

    Args:
        source, path, root: as in `darkroom.sources.registry.list_source`.
        seen: where hashes are kept from run to run.
        out: the folder to write.

    Raises:
        DarkroomError: when the source can't be listed.
    """
    table, hashed = survey(source_files(source, path, root), seen)
    with whole_folder(out) as folder:
        pq.write_table(table, folder / "files.parquet")
    print(f"survey: {len(table):,} {'file' if len(table) == 1 else 'files'}, {hashed:,} new or changed")


def main() -> None:
    hide_pandas_from_pyarrow()
    with stage("survey"):
        params = read_params().ingest
        run(params.source, Path(params.path), Path(params.root) if params.root else None, SEEN, OUT)


if __name__ == "__main__":
    main()
