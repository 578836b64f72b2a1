"""What is installed, what this machine can do, what is within reach, and what mends the rest."""
