"""AutoGluon MultiModal, as its first page does it, on timm's EfficientNet-Lite0.

python autogluon_lite0.py DATA EPOCHS WEIGHTS PREDICTIONS, in an environment with
autogluon.multimodal. Its backbone is read from a folder beside the predictions: a copy of the
weights as the hub would lay them.
"""

import json
import sys
from pathlib import Path

import pandas as pd
import timm
import torch
from autogluon.multimodal import MultiModalPredictor
from safetensors.torch import load_file

data, epochs, weights, predictions = sys.argv[1:]


def table(side):
    files = sorted(Path(data, side).glob("*/*"))
    return pd.DataFrame({"image": map(str, files), "label": [f.parent.name for f in files]})


backbone = Path(predictions).with_name("backbone")
backbone.mkdir()
kept = {k: v for k, v in load_file(weights).items() if not k.startswith("classifier.")}
torch.save(kept, backbone / "pytorch_model.bin")
network = timm.create_model("tf_efficientnet_lite0")
facts = {"architecture": "tf_efficientnet_lite0", "num_features": network.num_features}
facts["pretrained_cfg"] = network.default_cfg
(backbone / "config.json").write_text(json.dumps(facts))
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
