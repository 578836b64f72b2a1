"""Train, evaluate and use tumour classifiers."""
