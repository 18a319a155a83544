"""The capture mailbox of a local installation: every mail lands here and none leaves the machine."""
