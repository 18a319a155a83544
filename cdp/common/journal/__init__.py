"""What must outlive the database: a journal beside it, and a marker that tells a restored backup from the real thing.

A backup that is put back is a step into the past: it has forgotten who was mailed, who withdrew and who was erased.
So these are kept outside as well, below JOURNAL_DIR, as keyed digests only:

- `journal-<generation>.jsonl`: erasures, suppressions and refusals, in order. The database knows how far of it is its
  own; whatever stands behind that is applied again.
- `marker.json`: which database this is, and a number that grows while it sends. A database that is another one, or
  behind, was restored: nothing is sent until the campaigns are paused.
- `sent/<campaign>.log`: who was handed over to the mail server (see campaigns.sending.sent_log).
"""
