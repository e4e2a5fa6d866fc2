"""Benches: each is a coroutine that gives a dict of figures with the names of DESIGN part 5.

``lines`` measures line cards against callees of plain sockets in processes of their own; ``processes``
reads what ours cost.
"""
