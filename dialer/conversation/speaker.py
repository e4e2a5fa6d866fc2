"""The mouth of one call: says what the dialog wants, rendering live only what could not be known before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dialer.aio import spawn
from dialer.conversation.base import Prompts
from dialer.conversation.playout import Playout
from dialer.dialog.messages import Say

FirstUtterance = Callable[[int], None]


class Speaker:
    """Turns ``Say`` commands into queued audio.

    Args:
        call_id: for the names of tasks.
        language: of the prompts.
        prompts: the cache.
        playout: the queue of this call.
        failed: called with the error when a prompt cannot be rendered.
    """

    def __init__(
        self,
        call_id: str,
        language: str,
        prompts: Prompts,
        playout: Playout,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._call_id = call_id
        self._language = language
        self._prompts = prompts
        self._playout = playout
        self._failed = failed
        self._reply = 0  # counts replies, so that the rendering of an older one is dropped
        self._rendering = False

    @property
    def busy(self) -> bool:
        """Whether something of ours is being said or made ready to be said."""
        return self._rendering or self._playout.busy

    def say(self, says: Sequence[Say], on_first: FirstUtterance | None = None) -> None:
        """Say these one after the other, behind what is already being said.

        Args:
            says: what to say.
            on_first: gets the utterance number of the first as soon as it is queued.
        """
        self._reply += 1
        self._rendering = False
        self._playout.forget_cut()
        self._queue(says, self._reply, on_first)

    def stop(self) -> None:
        """Be silent now; ``resume`` goes on where this stopped."""
        self._reply += 1
        self._rendering = False
        self._playout.stop()

    def resume(self) -> bool:
        """Go on where ``stop`` cut us off; False where there is nothing left to say."""
        return self._playout.resume()

    def _queue(self, says: Sequence[Say], reply: int, on_first: FirstUtterance | None) -> None:
        for index, say in enumerate(says):
            pcm = self._prompts.get(say.text, self._language)
            if pcm is None:
                self._rendering = True
                spawn(
                    self._render(says[index:], reply, on_first),
                    name=f"render:{self._call_id}",
                    on_error=lambda error: self._render_failed(reply, error),
                )
                return
            utterance = self._playout.say(say.prompt, say.text, pcm, uninterruptible=say.uninterruptible)
            if on_first is not None:
                on_first(utterance)
                on_first = None

    async def _render(self, says: Sequence[Say], reply: int, on_first: FirstUtterance | None) -> None:
        pcm = await self._prompts.fetch(says[0].text, self._language)
        if reply != self._reply:
            return
        self._rendering = False
        first = says[0]
        utterance = self._playout.say(first.prompt, first.text, pcm, uninterruptible=first.uninterruptible)
        if on_first is not None:
            on_first(utterance)
        self._queue(says[1:], reply, None)

    def _render_failed(self, reply: int, error: BaseException) -> None:
        if reply == self._reply:
            self._rendering = False
            self._failed(error)
