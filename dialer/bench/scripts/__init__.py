"""The seeded callees of ``dialer bench turns``.

phrases.yaml --phrases--> Phrases --choose--> Plan (who says what, when) --audio--> CallScript and A-law
"""
