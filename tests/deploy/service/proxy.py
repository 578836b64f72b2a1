"""A reverse proxy as hospitals have them: it gives a server a path below its own."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_HOP = {"connection", "transfer-encoding", "server", "date"}  # of one connection, not of the answer


@contextmanager
def below(prefix: str, port: int) -> Iterator[str]:
    """The address at which the server on `port` appears below `prefix`; the Host is handed on."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.hand_on()

        def do_POST(self) -> None:
            self.hand_on()

        def hand_on(self) -> None:
            if not self.path.startswith(prefix + "/"):
                self.send_error(404)
                return
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            line.request(self.command, self.path.removeprefix(prefix), sent, dict(self.headers))
            answer = line.getresponse()
            content = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP | {"content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            line.close()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}{prefix}/"
        proxy.shutdown()
