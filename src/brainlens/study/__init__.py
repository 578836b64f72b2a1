"""Studies of settings: designs, their runs, and the statistics of both."""
