"""One call from the first ring to the record.

``runner`` is the shell that executes what the pure cores decide; ``listener`` is its ears (VAD,
endpointing, recogniser), ``playout`` its mouth (what is queued, what was really played), ``recorder``
writes both sides to a file.

    line -> Runner.on_frame -> Listener -> endpointing -> (pause) speculate, (end) commit
    commit -> dialog.machine.step -> Say, Listen, ... -> Playout -> line
"""
