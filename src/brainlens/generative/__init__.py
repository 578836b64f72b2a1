"""Networks that make pictures: one paper a file."""
