"""A believable web shop to look at: people, what they did, what they allowed; pushed through the collection API.

`vocabulary` and `products` are the raw material, `people` and `behaviour` make a year of life from a seed, `push`
sends it with the real Python SDK, and `content` sets up what a marketer would have made.
"""
