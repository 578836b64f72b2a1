# brainlens, as its first page does it; `index`, `audit` and `split` made the folders of all tools.
# bash brainlens_lite0.sh DATA EPOCHS WEIGHTS PREDICTIONS (the weights are found by their name)
set -e
brainlens train "$1/index.csv" -o run --recipe lite0 --set "epochs=$2"
brainlens evaluate run "$1/index.csv" -o eval
cp eval/predictions.csv "$4"
