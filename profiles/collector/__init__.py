"""The collector: a small ASGI application that stores what SDKs send, and answers 200 only after the commit.

No Django middleware and no ORM: a request costs a JSON check and its share of one INSERT. Who the person is, what the
message means and whether it counts is the processor's work (`profiles.processing`), after the answer.
"""
