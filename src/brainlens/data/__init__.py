"""From folders of scans to an index whose splits do not leak."""
