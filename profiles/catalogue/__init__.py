"""What traits, events and properties exist, learned from what is written: no rule asks for what is not there."""
