#!/usr/bin/env python3
"""Plays an existing Vigil server: enrolment, WebSocket and its types as implementations have them, nothing checked that
they do not check. Tells everything it takes as JSON lines on standard output; takes orders as lines on standard input.

  existing_server.py [--port N] [--ping SECONDS] [--no-pong] [--documented ID] [--no-connect] [--token-of ID] [--hold]

Orders: `bind` (the token is bound now), `kick` (close without a word), `deaf SECONDS` (do not read), `stop` (end),
`send JSON` (a frame to the add-on).
"""
import argparse, base64, hashlib, json, os, select, socket, struct, sys, threading, time

TOKEN = os.environ["VIGIL_TEST_TOKEN"]
say_lock = threading.Lock()


def say(**what):
    with say_lock:
        print(json.dumps(what), flush=True)


# Go's encoding/json: a field of another type fails the whole payload.
TEXT, FLOAT, INT, MAP = "string", "float64", "int64", "map[string]string"
TYPES = {
    "progress": {"job_id": TEXT, "phase": TEXT, "message": TEXT, "eta": TEXT, "percent": FLOAT, "bytes_done": INT,
                 "bytes_total": INT, "agent_id": TEXT, "command": TEXT, "phase_detail": TEXT, "speed_mbps": FLOAT,
                 "temp_c": INT, "elapsed_sec": INT, "eta_sec": INT, "badblocks_errors": INT},
    "log": {"level": TEXT, "message": TEXT, "source": TEXT, "component_id": TEXT, "job_id": TEXT, "timestamp": TEXT},
    "notification": {"event_type": TEXT, "severity": TEXT, "message": TEXT, "source": TEXT, "host": TEXT, "time": TEXT,
                     "metadata": MAP},
    "chart": {"component_id": TEXT, "key": TEXT, "value": FLOAT, "timestamp": TEXT},
    "smart": {"component_id": TEXT, "rows": "[]"},
}


def fits(value, kind):
    if kind == TEXT:
        return isinstance(value, str)
    if kind == FLOAT:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == INT:
        return isinstance(value, int) and not isinstance(value, bool) and -2**63 <= value < 2**63
    if kind == MAP:
        return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
    return isinstance(value, list)


def wrong(kind, payload):
    """Why such a server drops the frame without a word; None where it takes it."""
    if kind not in TYPES:
        return None
    if not isinstance(payload, dict):
        return "payload is no object"
    for key, value in payload.items():
        expected = TYPES[kind].get(key)
        if expected and value is not None and not fits(value, expected):
            return f"{key}: {value!r} is no {expected}"
    if kind == "log" and payload.get("level") not in ("info", "warn", "error", "debug"):
        return f"level {payload.get('level')!r} is shown by no filter"
    if kind == "notification" and payload.get("severity") not in ("info", "warning", "critical"):
        return f"severity {payload.get('severity')!r}"
    return None


class Server:
    def __init__(self, options):
        self.options, self.bound, self.manifest = options, options.documented is not None, None
        self.socket, self.lock, self.deaf = None, threading.Lock(), 0.0
        self.listener = socket.create_server(("127.0.0.1", options.port), reuse_port=False)

    def run(self):
        say(kind="listening", port=self.listener.getsockname()[1])
        threading.Thread(target=self.orders, daemon=True).start()
        if self.options.ping:
            threading.Thread(target=self.pings, daemon=True).start()
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def orders(self):
        for line in sys.stdin:
            word, _, rest = line.strip().partition(" ")
            if word == "bind":
                self.bound = True
            elif word == "deaf":
                self.deaf = time.monotonic() + float(rest)
            elif word == "kick":
                self.replace(None)
            elif word == "send":
                self.write(1, rest.encode())
            elif word == "stop":
                os._exit(0)
        os._exit(0)

    def pings(self):
        while True:
            time.sleep(self.options.ping)
            self.write(9, b"")

    def replace(self, connection):
        """A second connection kicks the first with a bare close."""
        with self.lock:
            old, self.socket = self.socket, connection
        if old:
            try:
                old.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def write(self, opcode, data, connection=None):
        connection = connection or self.socket
        if connection is None:
            return
        head = bytes([0x80 | opcode])
        n = len(data)
        head += bytes([n]) if n < 126 else (bytes([126]) + struct.pack(">H", n) if n < 65536 else bytes([127]) + struct.pack(">Q", n))
        try:
            with self.lock:
                connection.sendall(head + data)
        except OSError:
            pass

    def serve(self, connection):
        try:
            self.request(connection)
        except (OSError, EOFError, ValueError) as error:
            say(kind="gone", why=str(error))
        finally:
            connection.close()

    def request(self, connection):
        stream = connection.makefile("rb")
        method, path, _ = stream.readline().decode().split()
        headers = {}
        while (line := stream.readline().decode().strip()):
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
        if method == "POST" and path == "/api/addons/connect" and not self.options.no_connect:
            status, answer = self.connect(headers, body)
            text = json.dumps(answer).encode()
            connection.sendall(f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\nconnection: close\r\n\r\n".encode() + text)
            return
        if method == "GET" and path.startswith("/api/addons/ws"):
            query = path.partition("?")[2]
            say(kind="upgrade", query=query, authorization=headers.get("authorization", ""))
            if self.options.hold and query != f"addon_id={self.options.token_of}":
                connection.sendall(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                return
            accept = base64.b64encode(hashlib.sha1((headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
            connection.sendall(f"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n".encode())
            self.replace(connection)
            self.frames(stream, connection)
            return
        connection.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    def connect(self, headers, body):
        manifest = json.loads(body).get("manifest")
        say(kind="connect", bound=self.bound, at=time.monotonic())
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return "401 Unauthorized", {"error": "invalid token"}
        if not self.bound:
            return "412 Precondition Failed", {"error": "Token not yet bound to an add-on — complete registration in the Vigil UI first"}
        if not manifest or not manifest.get("name") or not manifest.get("version") or not 1 <= len(manifest.get("pages", [])) <= 20:
            return "400 Bad Request", {"error": "invalid manifest"}
        say(kind="manifest", manifest=manifest)
        id = self.options.token_of or self.options.documented or 3
        return "200 OK", {"addon_id": id, "session_id": TOKEN[:16], "addon": {"id": id, "name": "burnin", "status": "online"}}

    def frames(self, stream, connection):
        while True:
            while time.monotonic() < self.deaf:
                time.sleep(0.02)
            head = stream.read(2)
            if len(head) < 2:
                raise EOFError("no close frame")
            opcode, length = head[0] & 15, head[1] & 127
            if not head[1] & 128:
                raise ValueError("an unmasked frame")
            if length == 126:
                length = struct.unpack(">H", stream.read(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", stream.read(8))[0]
            mask = stream.read(4)
            data = bytes(b ^ mask[i % 4] for i, b in enumerate(stream.read(length)))
            if length > 512 * 1024:
                say(kind="too-long", length=length)
                return
            if opcode == 8:
                say(kind="closed", code=struct.unpack(">H", data[:2])[0] if len(data) >= 2 else 1005)
                return
            if opcode == 9 and not self.options.no_pong:
                self.write(10, data, connection)
            if opcode == 10:
                say(kind="pong")
            if opcode in (1, 2):
                self.take(data)

    def take(self, data):
        try:
            frame = json.loads(data)
        except ValueError as error:
            say(kind="frame", length=len(data), dropped=f"not JSON: {error}")
            return
        kind, payload = frame.get("type"), frame.get("payload")
        say(kind="frame", length=len(data), type=kind, payload=payload, dropped=wrong(kind, payload), at=time.monotonic())
        if kind == "progress" and isinstance(payload, dict) and payload.get("percent", 0) >= 100:
            say(kind="event", event_type="phase_complete", of="progress")
        if kind == "notification":
            say(kind="event", event_type=payload.get("event_type") or "addon_degraded", of="notification", payload=payload)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--ping", type=float, default=30)
    arguments.add_argument("--no-pong", action="store_true")
    arguments.add_argument("--documented", type=int)
    arguments.add_argument("--no-connect", action="store_true")
    arguments.add_argument("--token-of", type=int, help="whose the token is; else of the one that asks")
    arguments.add_argument("--hold", action="store_true", help="refuse the socket of another")
    Server(arguments.parse_args()).run()
