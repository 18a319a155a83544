"""Forms of the profiles app, a topic a file."""
