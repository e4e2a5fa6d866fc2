# temporary stub of the lead to unblock integration: overwrite me
class BeepDetector:
    def frame(self, pcm: object) -> bool: return False
