"""Intents: from the words of an utterance to what the person means.

``base`` has the protocol and the values; ``linear`` is the built-in model (hashed character n-grams,
numpy); ``batcher`` gathers the questions of all calls into one model call and is what the
conversation asks.
"""
