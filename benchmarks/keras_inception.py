"""Seed D's answer for one image, as its page gives it: Keras, Inception v3, four classes.

Weights are drawn, not loaded: time is what is measured. Run by benchmarks/predicting.py in the
TensorFlow environment: `python keras_inception.py IMAGE`.
"""

import sys

import numpy as np
import tensorflow as tf
from tensorflow import keras

network = keras.applications.InceptionV3(weights=None, include_top=False, pooling="avg")
model = keras.Sequential([network, keras.layers.Dense(4, activation="softmax")])
image = tf.io.decode_image(tf.io.read_file(sys.argv[1]), channels=3, expand_animations=False)
batch = tf.image.resize(image, (299, 299))[None] / 127.5 - 1
print(np.asarray(model.predict(batch, verbose=0)))
