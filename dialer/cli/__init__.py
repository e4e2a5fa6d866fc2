"""Commands: they read settings and arguments, compose the parts, and print.

``main`` assembles them; ``output`` says how results are printed; ``views`` draws what people watch.
"""
