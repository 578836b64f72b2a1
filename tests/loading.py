"""Says what a command loads: run in an interpreter of its own, as a user's shell would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from subprocess import CompletedProcess

# What takes long to load, or is not there where only answers are wanted.
HEAVY = {
    "torch", "lightning", "timm", "numpy", "matplotlib", "PIL", "sklearn", "scipy", "onnx",
    "onnxruntime", "openvino", "pydicom", "nibabel", "spandrel", "huggingface_hub",
}  # fmt: skip


def loaded(
    words: Sequence[str], environment: Mapping[str, str] = os.environ
) -> tuple[set[str], CompletedProcess[str]]:
    """The packages that `brainlens WORDS` has loaded when it ends, and how it ended."""
    code = (
        f"import sys; sys.argv = ['brainlens', *{list(words)!r}]\n"
        "from brainlens.cli import main\n"
        "try: main()\n"
        "finally: print('\\n' + ' '.join(m for m in sys.modules if '.' not in m), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    *said, modules = done.stderr.splitlines()
    done.stderr = "\n".join(said)
    return set(modules.split()), done
