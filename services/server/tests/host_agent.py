"""A host agent in another language: enrols, signs, reports recorded documents, and looks at what came of it.

    host_agent.py BASE_URL USER PASSWORD GOLDEN_FOLDER

Exit code 0: all as expected; 1: something is not, in words; 3: a library is missing.
"""

import base64
import copy
import datetime
import json
import pathlib
import socket
import sys
import time
import urllib.error
import urllib.request

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives import serialization
except ImportError as error:
    print(f"the Python library cryptography is not here: {error}")
    sys.exit(3)

BASE, USER, PASSWORD, GOLDEN = sys.argv[1], sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4])


def ask(method, path, body=None, bearer=None):
    headers = {"Accept": "application/json"}
    data = None
    if body is not None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    request = urllib.request.Request(BASE + path, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text.decode(errors="replace")


def expect(what, got, status, word=None):
    if got[0] != status or (word and got[1].get("type") != word):
        print(f"{what}: expected {status} {word or ''}, got {got[0]} {got[1]}")
        sys.exit(1)
    return got[1]


def check(what, holds):
    if not holds:
        print(f"{what} does not hold")
        sys.exit(1)


class Agent:
    def __init__(self, hostname):
        self.hostname, self.key, self.fingerprint = hostname, Ed25519PrivateKey.generate(), f"mid:{hostname}"
        raw = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.public = base64.b64encode(raw).decode()
        self.id = self.session = None

    def register(self, token):
        body = {"token": token, "hostname": self.hostname, "fingerprint": self.fingerprint, "public_key": self.public}
        return ask("POST", "/api/v1/agents/register", body)

    def signed(self, moment, key=None):
        text = f"{self.id}:{self.fingerprint}:{moment}".encode()
        signature = base64.b64encode((key or self.key).sign(text)).decode()
        return {"agent_id": self.id, "fingerprint": self.fingerprint, "timestamp": moment, "signature": signature}

    def auth(self, body):
        return ask("POST", "/api/v1/agents/auth", body)

    def report(self, drives, when):
        body = {
            "hostname": self.hostname,
            "timestamp": when.isoformat().replace("+00:00", "Z"),
            "agent_version": "3.0-test",
            "drives": drives,
            "capabilities": {"led_identify": False},
        }
        return ask("POST", "/api/report", body, self.session)


# A person logs in and makes a token.
person = expect("login", ask("POST", "/api/auth/login", {"username": USER, "password": PASSWORD}), 200)["token"]
token = expect("token", ask("POST", "/api/v1/tokens", {"name": "nas", "expires_in": 3600}, person), 200)["token"]
check("the token has 64 digits", len(token) == 64)
listed = expect("tokens", ask("GET", "/api/v1/tokens", bearer=person), 200)
check("the list does not hold the secret", token not in json.dumps(listed) and listed["tokens"][0]["used_at"] is None)

# An agent enrols; what is wrong is told apart.
agent = Agent("nas")
expect("a wrong token", agent.register("0" * 64), 401, "token-wrong")
enrolled = expect("registration", agent.register(token), 200)
agent.id, agent.session = enrolled["agent_id"], enrolled["session_token"]
check("the id is a number", isinstance(agent.id, int))
ends = datetime.datetime.strptime(enrolled["session_expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
left = ends - datetime.datetime.now(datetime.timezone.utc)
check("a session lasts an hour", datetime.timedelta(minutes=58) < left <= datetime.timedelta(minutes=61))
pubkey = expect("pubkey", ask("GET", "/api/v1/server/pubkey"), 200)["public_key"]
check("it is the key of the registration", pubkey == enrolled["server_public_key"] and len(base64.b64decode(pubkey)) == 32)
again = expect("the same key without a token", agent.register(""), 200)
check("it is the same agent", again["agent_id"] == agent.id)
expect("the token a second time", Agent("shed").register(token), 401, "token-wrong")

now = int(time.time())
good = agent.signed(now)
agent.session = expect("authentication", agent.auth(good), 200)["session_token"]
expect("the same signature again", agent.auth(good), 401, "replayed")
expect("an old signature", agent.auth(agent.signed(now - 400)), 401, "clock-off")
expect("another's signature", agent.auth(agent.signed(now + 1, Ed25519PrivateKey.generate())), 401, "signature-wrong")

# Reports over twelve days: reallocated sectors rise by two a day, pending ones come and go.
names = sorted(path.name for path in GOLDEN.glob("*.json"))
documents = {name: json.loads((GOLDEN / name).read_bytes()) for name in names}


def edited(day):
    disk = copy.deepcopy(documents["smart-ata.json"])
    disk["serial_number"] = "RISING"
    for row in disk["ata_smart_attributes"]["table"]:
        if row["id"] == 5:
            row["raw"] = {"value": 2 * day, "string": str(2 * day)}
        if row["id"] == 197:
            count = 3 if day == 6 else 0
            row["raw"] = {"value": count, "string": str(count)}
    ssd = copy.deepcopy(documents["smart-nvme.json"])
    ssd["serial_number"] = "WEARING"
    ssd["nvme_smart_health_information_log"]["percentage_used"] = 70 + day
    return [disk, ssd]


today = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
for day in range(12):
    done = expect(f"report of day {day}", agent.report(edited(day), today - datetime.timedelta(days=11 - day)), 200)
    check("the agent is told its interval", done["status"] == "ok" and done["report_interval_seconds"] == 3600)
done = expect("every recorded document", agent.report(edited(11) + [documents[n] for n in names], today), 200)
# scan-megaraid, smart-fail and smart-raid say nothing; smart-ata-date is smart-ata once more; smart-sat and smart-pass
# have the same device and neither model nor serial.
check(f"five are named: {done['rejected']}", len(done["rejected"]) == 5)

expect("no session", ask("POST", "/api/report", {}), 401, "session-wrong")
expect("a wrong session", ask("POST", "/api/report", {}, "0" * 64), 401, "session-wrong")
expect("no JSON", ask("POST", "/api/report", b"{", agent.session), 400, "bad-json")
flaw = expect("bad fields", ask("POST", "/api/report", {"hostname": "a b", "drives": 7}, agent.session), 400, "bad-report")
check("both are named", "hostname:" in flaw["detail"] and "drives:" in flaw["detail"])
# The head alone is enough to be refused; the box does not wait for what it will not take.
host, port = BASE.removeprefix("http://").split(":")
with socket.create_connection((host, int(port)), timeout=60) as raw:
    head = f"POST /api/report HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {agent.session}\r\n"
    raw.sendall((head + "Content-Type: application/json\r\nContent-Length: 1048577\r\n\r\n").encode())
    check("a megabyte is the most", raw.recv(4096).startswith(b"HTTP/1.1 413 "))

# What came of it.
found = expect("history", ask("GET", "/api/smart/attributes/history?serial=RISING&attribute=5", bearer=person), 200)
counts = [value for _, value in found["drives"][0]["history"]["5"]]
check(f"the history is what was sent: {counts}", counts == [2 * day for day in range(12)])
found = expect("trend", ask("GET", "/api/smart/attributes/trend?serial=RISING&attribute=5", bearer=person), 200)
line = found["drives"][0]["trends"]["5"]
check(f"two a day: {line}", abs(line["per_day"] - 2) < 1e-6 and line["confidence"] == "high")
crossing = line["crossings"][0]
check(f"50 in 14 days: {crossing}", crossing["limit"] == 50 and abs(crossing["days"] - 14) < 0.1)
found = expect("wear", ask("GET", "/api/wearout/trend?serial=WEARING", bearer=person), 200)
crossings = {c["name"]: c["days"] for c in found["drives"][0]["trend"]["crossings"]}
check(f"90 % in 9 days, 100 % in 19: {crossings}", abs(crossings["wear_90"] - 9) < 0.1 and abs(crossings["rated_life"] - 19) < 0.1)

events = expect("events", ask("GET", "/api/v1/events?limit=1000", bearer=person), 200)
told = [(e["type"], e["data"]["alert"]) for e in events if e["type"].startswith("drive.") and e["data"]["serial"] == "RISING"]
pending = [kind for kind, alert in told if alert == "pending"]
check(f"pending came and went: {told}", pending == ["drive.alert", "drive.alert_resolved"])
check("each rise of reallocated was told", [kind for kind, alert in told if alert == "reallocated"] == ["drive.alert"] * 11)
issues = expect("issues", ask("GET", "/api/smart/health/issues", bearer=person), 200)
serials = {drive["serial"]: drive for drive in issues["drives"]}
check("the worn-out SCSI disk is critical", any(d["model"] == "SEAGATE ST373453LC" and d["score"] == 0 for d in issues["drives"]))
check("parts explain the score", 100 - sum(p["cost"] for p in serials["RISING"]["parts"]) == serials["RISING"]["score"])

for path in ["/api/hosts", "/api/v1/hosts", "/api/history", "/api/hosts/nas/history", "/api/health/score", "/api/reports/health", "/api/stats"]:
    expect(path, ask("GET", path, bearer=person), 200)
expect("removal", ask("DELETE", f"/api/v1/agents/{agent.id}", bearer=person), 200)
expect("the agent is gone", agent.report([], today), 401, "session-wrong")
check("and its drives", expect("drives", ask("GET", "/api/smart/attributes", bearer=person), 200)["count"] == 0)
print("all as expected")
