"""The rule language of segments, in plain Python: no Django, no database, no clock.

A rule is JSON: {"include": node, "exclude": node or null}. It goes through stages with one job each: `parse` (JSON to
nodes), `check` (against a catalog of what exists), `sql` (text and parameters), `describe` (a sentence), `evaluate`
(one person in memory, the oracle that the SQL is tested against) and `explain` (why somebody is in or out).

Everything fails closed: what is unknown, empty or missing is an error, never a condition that everybody meets.

A missing trait meets only `missing` and `is not`. Values are compared by the type they are stored in: the text "12" is
not more than 5. Text comparisons ignore the case of A to Z. Dates are compared by the day that is written in them.

A condition on membership of another segment takes in that segment's rule (`member` is printed as the other rule's
conditions) instead of reading its members: so no segment has to be refreshed before another, and what is found for the
touched people, for the whole base and by the oracle is the same at every moment.
"""
