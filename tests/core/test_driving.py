"""Ctrl-C ends a training between two batches, wherever in one it comes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from brainlens.core.driving import InterruptedRunError, drive

BATCHES = 4


class Pressed(pl.LightningModule):
    """A training in which Ctrl-C is pressed, so many times, in the batch `when` of an epoch."""

    def __init__(self, when: int, times: int = 1) -> None:
        super().__init__()
        self.layer, self.lock = nn.Linear(1, 1), threading.Lock()
        self.when, self.times, self.done = when, times, 0

    def training_step(self, batch: Tensor, number: int) -> Tensor:
        # A log's queue does so at each line: what strikes here leaves the lock behind.
        self.lock.acquire()
        if number == self.when:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)
        self.lock.release()
        self.done += 1
        loss: Tensor = self.layer(batch).sum()
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.1)

    def train_dataloader(self) -> Any:
        return DataLoader(torch.ones(BATCHES, 1), 1)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """A shell that runs the tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def run(loop: pl.LightningModule, folder: Path, epochs: int = 3) -> None:
    drive(
        loop, folder / "state.ckpt", epochs=epochs, callbacks=[], done=lambda: "some",
        accelerator="cpu",
    )  # fmt: skip


def test_ctrl_c_waits_for_the_batch_so_that_no_lock_is_left_behind(tmp_path: Path) -> None:
    loop = Pressed(1)
    with pytest.raises(InterruptedRunError, match=r"stopped after some\. .*no state was saved"):
        run(loop, tmp_path)
    assert not loop.lock.locked()
    assert loop.done == 2


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    loop = Pressed(1, times=2)
    with pytest.raises(InterruptedRunError):
        run(loop, tmp_path)
    assert loop.done == 1


def test_ctrl_c_in_the_last_batch_is_not_forgotten(tmp_path: Path) -> None:
    loop = Pressed(BATCHES - 1)
    with pytest.raises(InterruptedRunError):
        run(loop, tmp_path, epochs=1)
    assert loop.done == BATCHES


def test_ctrl_c_is_the_caller_s_again_afterwards(tmp_path: Path) -> None:
    with pytest.raises(InterruptedRunError):
        run(Pressed(0), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_training_that_is_told_to_ignore_ctrl_c_does(tmp_path: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop = Pressed(0)
    run(loop, tmp_path)
    assert loop.done == 3 * BATCHES


def test_a_training_in_another_thread_runs(tmp_path: Path) -> None:
    loop = Pressed(-1)
    worker = threading.Thread(target=run, args=(loop, tmp_path))
    worker.start()
    worker.join()
    assert loop.done == 3 * BATCHES
