"""Campaigns: whom to call, when, how often, and what came of it.

``columns`` and ``folder`` describe a campaign as its folder says it; ``importer`` brings a list in;
``calendar``, ``pacing``, ``retry`` and ``suppression`` are pure rules; ``base`` is the protocol of the
store; ``scheduler`` is the service that takes due contacts and calls them; ``report`` sums up.

    contacts.csv -> importer -> store -> scheduler -> run_call -> CallRecord -> store -> report
                                          ^ calendar, pacing, retry, suppression, the control row
"""
