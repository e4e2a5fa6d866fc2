"""The callee simulator: people who pick up, speak, press keys, hang up, or never answer.

``persona`` reads what a simulated person does from a YAML file; ``script`` is that person during a call,
a pure state machine; ``truth`` keeps what really happened at the callee's end; ``voices`` renders what
is said before calls start; ``softphone`` is the process that answers (line cards in callee mode);
``farm`` runs softphones for a whole list of personas from inside the dialer's process.

    persona files -> farm -> softphone processes -> line cards (callee mode) <- SIP, RTP <- the dialer
    call results  <- farm <- JSON lines on standard output
"""
