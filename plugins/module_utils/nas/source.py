# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An archive's bytes on their way: read ahead by a second thread, counted and summed while they pass, and kept nowhere."""
import hashlib
import queue
import threading
from typing import Any, Callable, Optional, Tuple

CHUNK = 1 << 20
AHEAD = 8  # chunks that wait for the one who unpacks them: what the node's memory holds of an archive

PATIENCE = 2  # seconds that a read which nobody needs any more may take


class Source:
    """read_chunk: gives the next bytes, at most CHUNK, and b"" at the end. path: of the archive, where it is a file on the node.

    The network and the sum of the whole are waited for in one thread, the NAS and the sums of the files in the other.
    """

    def __init__(self, read_chunk: Callable[[], bytes], path: Optional[str] = None) -> None:
        self.path = path
        self._read_chunk, self._digest, self._size = read_chunk, hashlib.sha256(), 0
        self._ahead: queue.Queue[Any] = queue.Queue(AHEAD)
        self._ended, self._stopped = False, False
        self._thread = threading.Thread(target=self._fill, daemon=True)

    def __enter__(self) -> "Source":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Before the file is closed, whose number the next one gets. A server that is silent is not waited for."""
        self._stopped = True
        while not self._ahead.empty():
            self._ahead.get()
        self._thread.join(PATIENCE)

    def _fill(self) -> None:
        try:
            chunk = self._read_chunk()
            while chunk and not self._stopped:
                self._digest.update(chunk)
                self._size += len(chunk)
                self._ahead.put(chunk)
                chunk = self._read_chunk()
            self._ahead.put(b"")
        except BaseException as error:  # of the one who reads, not of this thread
            self._ahead.put(error)

    def next(self) -> bytes:
        """The next bytes, b"" at the end."""
        chunk = b"" if self._ended else self._ahead.get()
        self._ended = not chunk or isinstance(chunk, BaseException)
        if isinstance(chunk, BaseException):
            raise chunk
        return bytes(chunk)

    def rest(self) -> Tuple[int, str]:
        """Read to the end. (size, sha256) of the whole."""
        while self.next():
            pass
        return self._size, self._digest.hexdigest()
