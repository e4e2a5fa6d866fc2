# temporary stub of the lead to unblock integration: overwrite me
class MachineDetector:
    verdict = None
    def __init__(self, *a: object) -> None: ...
    def frame(self, t_ns: int, speech: bool) -> None: ...
    def words(self, text: str) -> None:
        if "after the" in text or "leave a" in text or "message" in text: self.verdict = "machine"
