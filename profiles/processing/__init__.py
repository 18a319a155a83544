"""From stored bodies to people: what runs after the door has answered."""
