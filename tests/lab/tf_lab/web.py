"""The web server that archives and test images are downloaded from: plain HTTP, with the headers a download checks.

http://WEB_IP/NAME is STATE/www/NAME; http://WEB_IP/slow/NAME is the same file at 32 KiB a second.
"""
from __future__ import annotations

import email.utils
import functools
import hashlib
import http.server
import socketserver
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

from . import settings
from .shell import daemon, running, wait_for

PART = "Web server (http://%s/)" % settings.WEB_IP
URL = "http://%s/" % settings.WEB_IP
SLOW_BYTES_PER_SECOND = 32 * 1024


def build():
    """Nothing: the standard library is enough."""


def start():
    settings.WWW.mkdir(parents=True, exist_ok=True)
    # tf_lab is found by PYTHONPATH, for a daemon's working directory is /.
    daemon("web", sys.executable, "-m", "tf_lab.web", settings.WEB_IP, "80", settings.WWW,
           env={"PYTHONPATH": str(settings.SOURCE), "PYTHONDONTWRITEBYTECODE": "1"})
    wait_for("The web server at %s" % URL, _answers, 20, log="web")


def status():
    if not running("web"):
        return "down"
    return "up, %d files" % sum(path.is_file() for path in settings.WWW.iterdir()) if _answers() else "down: no answer"


def _answers():
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy this machine has
    with direct.open(URL, timeout=3) as response:
        return response.status == 200


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self):
        # HTTPServer's own asks DNS for this machine's name, and nobody in the lab answers.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "tf-serving-lab"

    def __init__(self, root, *arguments):
        self.root = root
        super().__init__(*arguments)

    def address_string(self):
        return self.client_address[0]  # not its name, see server_bind

    def do_HEAD(self):
        self._answer(False)

    def do_GET(self):
        self._answer(True)

    def _answer(self, with_body):
        path = unquote(urlsplit(self.path).path)
        slow = path.startswith("/slow/")
        file = Path(self.root, path.removeprefix("/slow/" if slow else "/"))
        if ".." in file.parts:
            self.send_error(404)
        elif file.is_dir():
            self._send("".join("%s\n" % entry.name for entry in sorted(file.iterdir())).encode(), {}, with_body, slow)
        else:
            self._file(file, with_body, slow)

    def _file(self, file, with_body, slow):
        try:
            changed = file.stat().st_mtime
            content = file.read_bytes()
        except OSError:
            self.send_error(404)
            return
        etag = '"%s"' % hashlib.sha256(content).hexdigest()
        headers = {"ETag": etag, "Last-Modified": email.utils.formatdate(changed, usegmt=True)}
        if etag in self.headers.get("If-None-Match", ""):
            self.send_response(304)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
        else:
            self._send(content, headers, with_body, slow)

    def _send(self, content, headers, with_body, slow):
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if not with_body:
            return
        step = SLOW_BYTES_PER_SECOND // 8 if slow else len(content) or 1
        try:
            for begin in range(0, len(content), step):
                if slow:
                    time.sleep(1 / 8)
                self.wfile.write(content[begin:begin + step])
        except OSError:
            self.close_connection = True  # the client has gone, as tests that kill a download want it


def main(address, port, root):
    Server((address, int(port)), functools.partial(Handler, root)).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
