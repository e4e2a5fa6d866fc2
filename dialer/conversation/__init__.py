"""One call from the first ring to the record.

``runner`` is the shell that executes what the pure cores decide. ``listener`` is its ears (VAD,
endpointing, recogniser), ``turns`` decides whose turn it is, ``speaker`` and ``playout`` are its mouth
(what is to be said, what was really played), ``machines`` looks for answering machines, ``ledger`` keeps
the record, ``recorder`` writes both sides to a file. ``base`` says what a call is given.

    line -> runner.on_frame -> listener -> turns: (pause) prepare, (end) commit
    commit -> dialog.machine.step -> Say, Listen, ... -> speaker -> playout -> line
"""
