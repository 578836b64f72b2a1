"""AutoGluon MultiModal, as its first page does it, on timm's EfficientNet-Lite0.

python autogluon_lite0.py DATA EPOCHS WEIGHTS PREDICTIONS, in an environment with
autogluon.multimodal. Its backbone is read from a folder beside the predictions: a copy of the
weights as the hub would lay them.
"""

import json
import sys
from pathlib import Path

import pandas as pd
import torch
from autogluon.multimodal import MultiModalPredictor
from safetensors.torch import load_file

data, epochs, weights, predictions = sys.argv[1:]


def table(side):
    files = sorted(Path(data, side).glob("*/*"))
    return pd.DataFrame({"image": map(str, files), "label": [f.parent.name for f in files]})


backbone = Path(predictions).with_name("backbone")
backbone.mkdir()
torch.save(load_file(weights), backbone / "pytorch_model.bin")
(backbone / "config.json").write_text(json.dumps({"architecture": "tf_efficientnet_lite0"}))
test = table("test")
predictor = MultiModalPredictor(label="label", path="model")
predictor.fit(
    table("train"), tuning_data=table("val"), seed=0,
    hyperparameters={
        "model.names": ["timm_image"], "model.timm_image.checkpoint_name": str(backbone),
        "optim.max_epochs": int(epochs), "env.num_workers": 0, "env.num_workers_inference": 0,
    },
)  # fmt: skip
print("test:", predictor.evaluate(test, metrics=["accuracy", "f1_macro"]))
found = predictor.predict_proba(test)
found.insert(0, "file", [Path(path).name for path in test["image"]])
found.to_csv(predictions, index=False)
