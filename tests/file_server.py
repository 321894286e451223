"""An HTTP server for tests: each answer is a function that gets the request's handler."""

import contextlib
import http.server
import re
import threading


class Server:
    """Answers each request with the next of `answers`, and repeats the last one.

    Attributes:
        requests: (path, headers) of the requests.
        over: set when the server closes; slow answers wait for it.
    """

    def __init__(self, *answers):
        self.answers, self.requests, self.over = list(answers), [], threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.over = outer.over
                outer.requests.append((self.path, dict(self.headers)))
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                with contextlib.suppress(OSError):  # the client may have closed the connection
                    answer(self)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def send(handler, status, body=b"", **headers):
    """Send an answer; `content_length=None` omits that header."""
    headers = {"content_length": len(body)} | headers
    handler.send_response(status)
    for name, value in headers.items():
        if value is not None:
            handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()
    handler.wfile.write(body)
    handler.wfile.flush()


def whole(data, **headers):
    """The whole file, even if only a part is requested."""
    return lambda handler: send(handler, 200, data, **headers)


def ranges(data, upto=None, honours_version=True, **headers):
    """The part that is requested, cut off at byte `upto` of the file.

    With `honours_version`, the whole file if another version is requested (If-Range).
    """

    def answer(handler):
        wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        version = handler.headers.get("If-Range")
        changed = honours_version and version not in (None, headers.get("etag"), headers.get("last_modified"))
        if wanted is None or changed:
            send(handler, 200, data[:upto], **headers, content_length=len(data))
        elif int(wanted[1]) >= len(data):
            send(handler, 416, content_range=f"bytes */{len(data)}", **headers)
        else:
            start = int(wanted[1])
            place = f"bytes {start}-{len(data) - 1}/{len(data)}"
            length = len(data) - start
            send(handler, 206, data[start:upto], content_range=place, content_length=length, **headers)

    return answer


def stalled(data, upto, **headers):
    """The first bytes, then nothing."""

    def answer(handler):
        send(handler, 200, data[:upto], content_length=len(data), **headers)
        handler.over.wait(20)

    return answer


def refused(status, **headers):
    return lambda handler: send(handler, status, b"no", **headers)


def leads_to(location):
    return lambda handler: send(handler, 302, location=location)
