# temporary stub of the lead to unblock integration: overwrite me
def read_slots(text, language, kinds, today):
    return {}
