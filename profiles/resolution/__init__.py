"""Identity resolution: find or make the people whom identifiers belong to, merge and unmerge them, write their rows."""
