"""From stored bodies to people: what runs after the collector has answered."""
