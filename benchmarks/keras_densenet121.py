"""Seed A's training loop as published, on random pictures: prints its images per second.

Run by benchmarks/seed_a.py in an environment with TensorFlow. The network, batch size, optimizer,
validation and callbacks are those of the document (figures 11 and 12); weights are random, which
costs the same arithmetic.
"""

import json
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf

steps, val = int(sys.argv[1]), int(sys.argv[2])
images = 8 * steps + val
pictures = np.random.default_rng(0).random((images, 224, 224, 3)).astype("float32")
classes = tf.keras.utils.to_categorical(np.arange(images) % 4, 4)

base = tf.keras.applications.DenseNet121(weights=None, include_top=False, input_shape=(224, 224, 3))
model = tf.keras.layers.GlobalAveragePooling2D()(base.output)
model = tf.keras.layers.Dropout(rate=0.4)(model)
model = tf.keras.layers.Dense(4, activation="softmax")(model)
model = tf.keras.models.Model(inputs=base.input, outputs=model)
model.compile(loss="categorical_crossentropy", optimizer="Adam", metrics=["accuracy"])


class Clock(tf.keras.callbacks.Callback):
    """Seconds of each epoch."""

    def on_train_begin(self, logs=None):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)


clock = Clock()
with tempfile.TemporaryDirectory() as folder:
    tensorboard = tf.keras.callbacks.TensorBoard(log_dir=f"{folder}/logs")
    checkpoint = tf.keras.callbacks.ModelCheckpoint(
        f"{folder}/best.keras", monitor="val_accuracy", save_best_only=True, mode="auto"
    )
    reduce_lr = tf.keras.callbacks.ReduceLROnPlateau(monitor="val_accuracy", factor=0.3, patience=2)
    model.fit(
        pictures, classes, validation_split=val / images, epochs=2, verbose=0, batch_size=8,
        callbacks=[tensorboard, checkpoint, reduce_lr, clock],
    )  # fmt: skip
print(json.dumps({"images_per_second": 8 * steps / clock.seconds[-1]}))
