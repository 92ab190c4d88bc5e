"""What the second computer does: finds the box by multicast DNS (python-zeroconf), opens it, serves time, takes its name."""
import http.client, socket, struct, sys, time


def resolve(name):
    from zeroconf import DNSAddress, DNSOutgoing, DNSQuestion, IPVersion, Zeroconf
    from zeroconf.const import _CLASS_IN, _FLAGS_QR_QUERY, _TYPE_A, _TYPE_AAAA
    zc = Zeroconf(ip_version=IPVersion.All)
    try:
        end = time.monotonic() + 12
        while time.monotonic() < end:
            found = []
            for kind in (_TYPE_A, _TYPE_AAAA):
                for r in zc.cache.async_all_by_details(name + ".", kind, _CLASS_IN):
                    found.append(socket.inet_ntop(socket.AF_INET if len(r.address) == 4 else socket.AF_INET6, r.address))
            if found:
                time.sleep(0.5)
                return found
            out = DNSOutgoing(_FLAGS_QR_QUERY)
            for kind in (_TYPE_A, _TYPE_AAAA):
                out.add_question(DNSQuestion(name + ".", kind, _CLASS_IN))
            zc.send(out)
            time.sleep(1)
    finally:
        zc.close()
    return []


def browse():
    from zeroconf import IPVersion, ServiceBrowser, Zeroconf
    zc, names = Zeroconf(ip_version=IPVersion.All), []
    ServiceBrowser(zc, "_kiln._tcp.local.", handlers=[lambda zeroconf, service_type, name, state_change: names.append(name)])
    end = time.monotonic() + 12
    while not names and time.monotonic() < end:
        time.sleep(0.2)
    told = []
    for name in names:
        info = zc.get_service_info("_kiln._tcp.local.", name, timeout=5000)
        if info:
            told.append("%s %s:%d" % (name, info.server, info.port))
    zc.close()
    return told


def opened(name):
    for address in resolve(name):
        scoped = address + "%lan" if address.startswith("fe80") else address
        try:
            c = http.client.HTTPConnection(scoped, 80, timeout=10)
            c.request("GET", "/api/v1/health", headers={"Host": name})
            r = c.getresponse()
            if r.status == 200:
                yield address
        except OSError as e:
            print(address, e, file=sys.stderr)


def ntp():
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.bind(("::", 123))
    while True:
        q, who = s.recvfrom(512)
        now = time.time() + 2208988800
        t = struct.pack("!II", int(now), int(now % 1 * 2**32))
        s.sendto(struct.pack("!BBbbII4s", 0x24, 2, 6, -20, 0, 16, b"\x7f\x00\x01\x00") + t + q[40:48] + t + t, who)


word, rest = sys.argv[1], sys.argv[2:]
if word == "resolve":
    found = resolve(*rest)
elif word == "open":
    found = list(opened(*rest))
elif word == "browse":
    found = browse()
elif word == "ntp":
    ntp()
print("\n".join(found))
sys.exit(0 if found else 1)
