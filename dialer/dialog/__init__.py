"""The dialog: what is said, what is expected, where the answer leads.

``schema`` reads and checks ``dialog.yaml``; ``messages`` are the events and commands; ``machine`` is
the pure step function; ``render`` fills the prompts.

    (state, event) -> machine.step -> (state, commands)

The machine never waits, reads a clock or talks to anything, so that asking "what would you say if"
is a call whose result is thrown away.
"""
