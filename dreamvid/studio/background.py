"""What goes on beside the requests, as long as the server is there."""

import asyncio
import contextlib


class Background:
    """Something that goes on from `start` to `stop`."""

    _task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """What goes on; it is cancelled in the end."""
        raise NotImplementedError

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self.run())

    async def stop(self) -> None:
        """End it, and wait until it has ended."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
