"""Bringing contact files in: reading, mapping, checking, the dry run, the commit and its undo."""
