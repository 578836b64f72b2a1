"""Owns the embedded sample: SYNTHETIC labelled slices, for the demonstration and the tests.

Enters: a place. Leaves: a folder of four class folders with `manifest.csv`, README and licence.
Nothing in it is a patient: `tools/sample` draws simulated lesions into the MNI152 template.
"""

from __future__ import annotations

import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from brainlens.core.errors import OutputError
from brainlens.core.files import output_error

SAMPLE_DIR = Path(str(files(__name__)))


def copy_to(folder: Path) -> Path:
    """Make `folder` a copy of the sample, or leave it alone if it is one already.

    Raises OutputError where the folder holds anything else or cannot be written.
    """
    sample = _contents(SAMPLE_DIR)
    if folder.exists():
        if not folder.is_dir():
            raise OutputError(f"{folder}: is a file; expected a new folder. Choose another place")
        found = _contents(folder)
        if found == sample:
            return folder
        if found:
            raise OutputError(
                f"{folder}: already holds files other than the sample; expected a new or an empty "
                "folder. Remove it or choose another place"
            )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as name:
            whole = Path(name) / "sample"
            for file, content in sample.items():
                (whole / file).parent.mkdir(parents=True, exist_ok=True)
                (whole / file).write_bytes(content)
            if folder.exists():
                shutil.rmtree(folder)  # empty but for folders
            whole.rename(folder)
    except OSError as error:
        raise output_error(folder, error) from None
    return folder


def _contents(folder: Path) -> dict[str, bytes]:
    """Every file's bytes by its path within `folder`, code aside."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
