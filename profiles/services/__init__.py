"""Writes of the profiles app: one topic a module, each function one transaction."""
