"""From a marketer's text to the bytes of one person's mail. Plain functions; no database."""
