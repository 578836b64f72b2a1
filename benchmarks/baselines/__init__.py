"""Tools that a user would pick instead: what each makes of the same scans, split and minutes."""
