"""How long data is kept: the nightly run, its page, and the classes of the project itself."""
