"""Decisions about permission: plain Python, no Django, no I/O."""
