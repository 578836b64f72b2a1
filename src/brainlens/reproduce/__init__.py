"""The systems of the seed documents, run again: as published and without leakage."""
