"""Seed A's DCGAN step in Keras, on random pictures: prints its seconds a step.

Run by benchmarks/synth.py in an environment with TensorFlow. Networks, kernel sizes, rates and
batch size are the document's; both updates in one compiled step, each from a picture of its own,
as its losses are written.
"""

import json
import sys
import time

import numpy as np
import tensorflow as tf

steps, size, width, batch = (int(text) for text in sys.argv[1:5])
layers = tf.keras.layers
start = tf.keras.initializers.TruncatedNormal(stddev=0.02)


def build_generator():
    noise = tf.keras.Input((100,))
    h = layers.LeakyReLU(0.2)(layers.ReLU()(layers.Dense(8 * 8 * width)(noise)))
    h = layers.Reshape((8, 8, width))(h)
    side, channels = 8, width
    while side < size:
        side, channels = side * 2, channels // 2
        h = layers.Conv2DTranspose(channels, 5, 2, "same", kernel_initializer=start)(h)
        h = layers.LeakyReLU(0.2)(layers.BatchNormalization()(h))
    out = layers.Conv2DTranspose(3, 5, 1, "same", kernel_initializer=start, activation="tanh")(h)
    return tf.keras.Model(noise, out)


def build_critic():
    picture = tf.keras.Input((size, size, 3))
    h = picture
    for share, stride in ((16, 2), (8, 2), (4, 2), (2, 1), (1, 2)):
        h = layers.Conv2D(width // share, 5, stride, "same", kernel_initializer=start)(h)
        h = layers.LeakyReLU(0.2)(layers.BatchNormalization()(h))
    return tf.keras.Model(picture, layers.Dense(1)(layers.Flatten()(h)))


generator, critic = build_generator(), build_critic()
make, judge = tf.keras.optimizers.Adam(0.0004, 0.5), tf.keras.optimizers.Adam(0.00001, 0.5)
loss = tf.keras.losses.BinaryCrossentropy(from_logits=True)


@tf.function
def step(real):
    with tf.GradientTape() as tape:
        fake = generator(tf.random.uniform((batch, 100), -1, 1), training=True)
        of_real, of_fake = critic(real, training=True), critic(fake, training=True)
        told = (loss(tf.ones_like(of_real), of_real) + loss(tf.zeros_like(of_fake), of_fake)) / 2
    weights = critic.trainable_variables
    judge.apply_gradients(zip(tape.gradient(told, weights), weights, strict=True))
    with tf.GradientTape() as tape:
        fake = generator(tf.random.uniform((batch, 100), -1, 1), training=True)
        of_fake = critic(fake, training=True)
        fooled = loss(tf.ones_like(of_fake), of_fake)
    weights = generator.trainable_variables
    make.apply_gradients(zip(tape.gradient(fooled, weights), weights, strict=True))


real = tf.constant(np.random.default_rng(0).uniform(-1, 1, (batch, size, size, 3)), tf.float32)
step(real)
begun = time.perf_counter()
for _ in range(steps):
    step(real)
print(json.dumps({"seconds_per_step": (time.perf_counter() - begun) / steps}))
