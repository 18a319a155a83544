"""The REST API of the profiles app, a topic a file."""
