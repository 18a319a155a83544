"""From a due campaign to mails handed over, each person once."""
