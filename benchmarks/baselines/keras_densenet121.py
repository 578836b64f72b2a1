"""Keras, as seed A trains: DenseNet121, batch 8, Adam, from drawn weights (its own are a download).

python keras_densenet121.py DATA EPOCHS WEIGHTS PREDICTIONS, in an environment with TensorFlow.
"""

import csv
import sys
from pathlib import Path

from tensorflow import keras

data, epochs, _, predictions = sys.argv[1:]


def pictures(split, **options):
    return keras.utils.image_dataset_from_directory(
        f"{data}/{split}", image_size=(224, 224), batch_size=8, label_mode="categorical", **options
    )


train, val = pictures("train", seed=0), pictures("val", shuffle=False)
test = pictures("test", shuffle=False)
labels, files = train.class_names, test.file_paths
base = keras.applications.DenseNet121(weights=None, include_top=False, input_shape=(224, 224, 3))
x = keras.layers.GlobalAveragePooling2D()(base.output)
x = keras.layers.Dropout(0.5)(x)
model = keras.Model(base.input, keras.layers.Dense(len(labels), activation="softmax")(x))
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])


def scaled(dataset):
    return dataset.map(lambda x, y: (x / 255, y))


model.fit(
    scaled(train),
    validation_data=scaled(val),
    epochs=int(epochs),
    verbose=2,
    callbacks=[
        keras.callbacks.ModelCheckpoint("best.keras", "val_accuracy", save_best_only=True),
        keras.callbacks.ReduceLROnPlateau("val_accuracy", factor=0.3, patience=2),
    ],
)
model = keras.models.load_model("best.keras")
print("test loss and accuracy:", model.evaluate(scaled(test), verbose=0))
table = model.predict(scaled(test), verbose=0)
with open(predictions, "w", newline="") as stream:
    writer = csv.writer(stream)
    writer.writerow(["file", *labels])
    writer.writerows([Path(f).name, *row] for f, row in zip(files, table, strict=True))
