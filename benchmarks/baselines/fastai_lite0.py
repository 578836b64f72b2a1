"""fastai, as its book does it: one frozen epoch, then all layers, on timm's EfficientNet-Lite0.

python fastai_lite0.py DATA EPOCHS WEIGHTS PREDICTIONS, in an environment with fastai and timm.
"""

import csv
import sys

from fastai.vision.all import (
    ClassificationInterpretation,
    ImageDataLoaders,
    Resize,
    accuracy,
    aug_transforms,
    get_image_files,
    set_seed,
    vision_learner,
)

data, epochs, weights, predictions = sys.argv[1:]
set_seed(0)
pictures = ImageDataLoaders.from_folder(
    data, train="train", valid="val", item_tfms=Resize(256, method="squish"),
    batch_tfms=aug_transforms(size=224), bs=32, num_workers=0,
)  # fmt: skip
learner = vision_learner(
    pictures, "tf_efficientnet_lite0", metrics=accuracy, pretrained_cfg_overlay={"file": weights}
)
learner.fine_tune(int(epochs), base_lr=0.002)
files = sorted(get_image_files(f"{data}/test"))
test = pictures.test_dl(files, with_labels=True)
print("test loss and accuracy:", learner.validate(dl=test))
ClassificationInterpretation.from_learner(learner, dl=test).print_classification_report()
table = learner.get_preds(dl=test)[0].tolist()
with open(predictions, "w", newline="") as stream:
    writer = csv.writer(stream)
    writer.writerow(["file", *pictures.vocab])
    writer.writerows([file.name, *row] for file, row in zip(files, table, strict=True))
