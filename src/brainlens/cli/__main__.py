"""`python -m brainlens.cli`: the command line without its script."""

from brainlens.cli import main

main()
