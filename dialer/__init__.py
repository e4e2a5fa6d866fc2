"""An outbound voice dialer: campaigns of real SIP calls, in layers.

Imports go downward only (``tests/unit/test_layers.py`` holds the rule):

1. values: ``errors``, ``clock``, ``call``, ``audio``, ``aio``, ``logs``
2. pure policy and protocols: ``*/base``, the dialog machine, endpointing, causes, pacing, calendar, retry
3. adapters, one technology each: line cards (pjsua2), speech engines, intent models, SQL
4. services: the conversation of one call, the scheduler, the intent batcher, the record writer, the monitor
5. composition: ``app``, ``cli``, ``simulator``, ``bench``

Keep this file empty of imports: line cards and speech workers import the package in
processes that must stay small.
"""

__version__ = "0.1.0"
