"""Speech: what is heard and what is said.

``base`` has the protocols; ``endpointing`` and ``amd`` are pure policies (events in, decisions out);
``vad_*``, ``asr_*`` and ``tts_*`` each adapt one engine. Recognisers run in speech workers
(``worker``), processes of their own, because they hold the GIL or can end their process.

    frames -> vad -> endpointing -> (end of turn)
           -> worker client -> SEQPACKET -> worker -> recogniser -> hypotheses
"""
