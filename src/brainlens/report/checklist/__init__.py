"""CLAIM and TRIPOD+AI, filled in from the files of a run as far as they can answer."""
