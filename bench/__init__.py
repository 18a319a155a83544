"""Measure the budgets of the design: each figure beside the machine's bare limit from the same run (`make bench`)."""
