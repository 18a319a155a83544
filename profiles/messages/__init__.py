"""What SDKs send: one decoder, one table of limits, one reading, for the collector, the processor and an erasure."""
