"""What every layer stands on: errors, files, configuration, seeds, images."""
