"""What people see of a running dialer.

``state`` keeps the present state of all calls in memory, fed by the conversations; whoever shows it
(the terminal, later the web) takes snapshots.

    conversation -> LiveState.call_... -> LiveState.snapshot() -> cli.views
"""
