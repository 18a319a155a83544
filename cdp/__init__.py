"""The project: it puts the apps together and is imported by none of them (only `cdp.common` is)."""
