"""timm's training script, its pieces in its order: loaders, mixup's neighbour AutoAugment, EMA.

python timm_lite0.py DATA EPOCHS WEIGHTS PREDICTIONS, in an environment with timm. (The script
itself is no part of the package that pip installs; settings are those of its documented recipes.)
"""

import csv
import sys
from pathlib import Path

import timm
import torch
from timm.data import create_dataset, create_loader, resolve_data_config
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import ModelEmaV3, accuracy, random_seed

data, epochs, weights, predictions = sys.argv[1:]
random_seed(0)
model = timm.create_model(
    "tf_efficientnet_lite0", pretrained=True, pretrained_cfg_overlay={"file": weights},
    num_classes=len(list(Path(data, "train").iterdir())), drop_rate=0.2,
)  # fmt: skip
options = resolve_data_config(model=model)
inputs = {key: options[key] for key in ("input_size", "interpolation", "mean", "std")}
inputs |= dict(batch_size=32, use_prefetcher=False, num_workers=0, device=torch.device("cpu"))
sets = {split: create_dataset("", root=f"{data}/{split}") for split in ("train", "val", "test")}
train = create_loader(
    sets["train"], is_training=True, auto_augment="rand-m9-mstd0.5", scale=(0.5, 1.0), **inputs
)
val, test = (create_loader(sets[s], crop_pct=1.0, **inputs) for s in ("val", "test"))
optimizer = create_optimizer_v2(model, opt="adamw", lr=5e-4, weight_decay=0.05)
schedule, last = create_scheduler_v2(
    optimizer, sched="cosine", num_epochs=int(epochs), warmup_epochs=0, step_on_epochs=False,
    updates_per_epoch=len(train),
)  # fmt: skip
average, loss_of, step = ModelEmaV3(model, decay=0.99), LabelSmoothingCrossEntropy(0.1), 0


@torch.inference_mode()
def answers(loader):
    average.eval()
    found = [(average(x).softmax(1), y) for x, y in loader]
    table, true = (torch.cat(part) for part in zip(*found, strict=True))
    print("accuracy:", accuracy(table, true)[0].item())
    return table.tolist()


for epoch in range(last):
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        average.update(model, step=step)
        step += 1
        schedule.step_update(step)
    print("epoch", epoch, "loss", loss.item(), "validation", end=" ")
    answers(val)
print("test", end=" ")
table = answers(test)
with open(predictions, "w", newline="") as stream:
    writer = csv.writer(stream)
    writer.writerow(["file", *sets["train"].reader.class_to_idx])
    writer.writerows(
        [Path(name).name, *row] for name, row in zip(sets["test"].filenames(), table, strict=True)
    )
