"""MONAI, as its tutorial of 2-d classification does it: DenseNet121 from drawn weights.

python monai_densenet121.py DATA EPOCHS WEIGHTS PREDICTIONS, in an environment with MONAI. (The
tutorial's pictures have 64 pixels; these have 128.)
"""

import csv
import sys
from pathlib import Path

import torch
from monai.data import DataLoader, Dataset, decollate_batch
from monai.metrics import ConfusionMatrixMetric, ROCAUCMetric
from monai.networks.nets import DenseNet121
from monai.transforms import (
    AsDiscrete,
    Compose,
    EnsureChannelFirst,
    LoadImage,
    RandFlip,
    RandRotate,
    RandZoom,
    Resize,
    ScaleIntensity,
)
from monai.utils import set_determinism

data, epochs, _, predictions = sys.argv[1:]
set_determinism(0)
labels = sorted(folder.name for folder in Path(data, "train").iterdir())
read = [
    LoadImage(image_only=True, reader="PILReader", converter=lambda image: image.convert("L")),
    EnsureChannelFirst(channel_dim="no_channel"), ScaleIntensity(), Resize((128, 128)),
]  # fmt: skip
vary = [
    RandRotate(range_x=0.26, prob=0.5, keep_size=True), RandFlip(spatial_axis=0, prob=0.5),
    RandZoom(min_zoom=0.9, max_zoom=1.1, prob=0.5),
]  # fmt: skip


class Slices(Dataset):
    """The pictures of one side with their classes."""

    def __init__(self, side, transform):
        self.files = sorted(Path(data, side).glob("*/*"))
        super().__init__(self.files, transform)

    def __getitem__(self, i):
        return super().__getitem__(i), labels.index(self.files[i].parent.name)


train = DataLoader(Slices("train", Compose([*read, *vary])), batch_size=32, shuffle=True)
val, test = (DataLoader(Slices(side, Compose(read)), batch_size=64) for side in ("val", "test"))
model = DenseNet121(spatial_dims=2, in_channels=1, out_channels=len(labels))
optimizer = torch.optim.Adam(model.parameters(), 1e-4)
one_hot = AsDiscrete(to_onehot=len(labels))


def judge(loader):
    model.eval()
    with torch.no_grad():
        found = [(model(x).softmax(1), y) for x, y in loader]
    table, true = (torch.cat(part) for part in zip(*found, strict=True))
    area, confusion = ROCAUCMetric(), ConfusionMatrixMetric(metric_name="f1 score")
    classes = [one_hot(y[None]) for y in true]
    area(decollate_batch(table), classes)
    confusion([one_hot(row.argmax(0, keepdim=True)) for row in table], classes)
    print("accuracy", (table.argmax(1) == true).float().mean().item(), "AUC", area.aggregate(),
          "F1", confusion.aggregate()[0].item())  # fmt: skip
    return table, area.aggregate()


best = -1.0
for epoch in range(int(epochs)):
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", loss.item(), end=" ")
    if (area := judge(val)[1]) > best:
        best = area
        torch.save(model.state_dict(), "best.pth")
model.load_state_dict(torch.load("best.pth", weights_only=True))
table = judge(test)[0].tolist()
with open(predictions, "w", newline="") as stream:
    writer = csv.writer(stream)
    writer.writerow(["file", *labels])
    writer.writerows([f.name, *row] for f, row in zip(test.dataset.files, table, strict=True))
