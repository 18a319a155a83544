"""How the rows of the profiles app are read, a topic a file."""
