"""The pages of the profiles app, a topic a file."""
