"""Owns how a training is driven: Lightning without its chatter, a state to resume from, Ctrl-C.

Enters a Lightning module with its callbacks; leaves the trainer that ran it to its end, or an
`InterruptedRunError` that says how to go on. The state is saved after every epoch, last of all
that an epoch writes, so what lies beside it is never older.

Ctrl-C is heard between two batches. Anywhere else it may strike while a lock of a log's thread is
held, which nobody would give back, and the training would wait for it forever.
"""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ModelCheckpoint

from brainlens.core.errors import RunError


class InterruptedRunError(RunError):
    """Ctrl-C during training; what was saved stays and the run can be resumed."""

    exit_code = 130


class Hearing(pl.Callback):
    """Ends a training after the batch in which Ctrl-C came; a second one ends it at once."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear Ctrl-C, unless it is ignored or another's, or this is not the first thread."""
        first = threading.current_thread() is threading.main_thread()
        if not first or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self._hear)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _hear(self, number: int, frame: Any) -> None:
        if self.asked:
            signal.default_int_handler(number, frame)
        self.asked = True

    def on_train_batch_end(self, *_: Any) -> None:
        self._answer()

    def on_validation_batch_end(self, *_: Any) -> None:
        self._answer()

    def on_train_end(self, *_: Any) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.asked:
            raise KeyboardInterrupt


def drive(
    loop: pl.LightningModule,
    checkpoint: Path,
    *,
    epochs: int,
    callbacks: list[pl.Callback],
    done: Callable[[], str],
    resume: bool = False,
    logger: Any = False,
    **options: Any,
) -> pl.Trainer:
    """Train for `epochs`, keeping the full state in `checkpoint`; `resume` starts from there.

    `done` says how far a run came ("3 of 20 epochs"); `options` are Lightning's own (devices,
    precision). Raises InterruptedRunError on Ctrl-C.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    keeper = ModelCheckpoint(
        checkpoint.parent, checkpoint.stem, save_on_train_epoch_end=True,
        enable_version_counter=False,
    )  # fmt: skip
    hearing = Hearing()
    with warnings.catch_warnings(), hearing.listening():
        warnings.simplefilter("ignore")  # Lightning's hints on workers, loggers and intervals
        trainer = pl.Trainer(
            **options,
            max_epochs=epochs,
            logger=logger,
            callbacks=[hearing, *callbacks, keeper],
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
        )
        try:
            trainer.fit(loop, ckpt_path=checkpoint if resume else None, weights_only=True)
        except SystemExit:  # what Lightning makes of Ctrl-C
            again = "--resume" if checkpoint.is_file() else "--overwrite (no state was saved yet)"
            raise InterruptedRunError(
                f"stopped after {done()}. Go on with the same command and {again}"
            ) from None
    return trainer
