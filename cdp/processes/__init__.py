"""The processes of an installation: which there are, who minds them, how each tells that it is at work."""
