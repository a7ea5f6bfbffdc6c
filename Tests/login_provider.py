"""A small OpenID Connect provider on loopback, which can also misbehave, and browsers that log in by it.

login_provider.py serve DIRECTORY            prints "ready https://127.0.0.1:PORT"; DIRECTORY holds cert.pem and key.pem
login_provider.py browse CONSOLE PROVIDER CA  prints what each login came to, as JSON: {case: {status, text, ...}}

The case is a parameter that the browser adds on its way to the provider's login page, so that many logins run side by side.
Keys and signatures are made with the openssl program: the tests need no further library.
"""
import base64, hashlib, hmac, http.client, http.server, json, os, ssl, subprocess, sys, threading, time, urllib.parse

CLIENT, SECRET = "signalbox console", "s3cret/+&="
CASES = [
    "rs256", "es256", "public-groups", "no-group", "no-name", "wrong-nonce", "wrong-aud", "two-aud", "other-azp",
    "expired", "old", "future", "wrong-iss", "alg-none", "hs256-public-key", "unknown-kid", "bad-signature",
    "es256-broken", "html", "huge", "slow", "denied", "wrong-state", "reused-code", "no-cookie", "evil-next",
    "no-token", "crit",
]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*words, data=b""):
    return subprocess.run(["openssl", *words], input=data, check=True, capture_output=True).stdout


class Keys:
    def __init__(self, directory):
        self.rsa, self.ec = directory + "/op-rsa.pem", directory + "/op-ec.pem"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.rsa)
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.ec)
        modulus = openssl("rsa", "-in", self.rsa, "-noout", "-modulus").decode().strip().split("=")[1]
        self.n = bytes.fromhex(modulus)
        self.public_pem = openssl("pkey", "-in", self.rsa, "-pubout")
        self.point = openssl("pkey", "-in", self.ec, "-pubout", "-outform", "DER")[-64:]

    def jwks(self):
        rsa = {"kty": "RSA", "use": "sig", "kid": "r1", "alg": "RS256", "n": b64(self.n), "e": "AQAB"}
        ec = {"kty": "EC", "crv": "P-256", "kid": "e1", "x": b64(self.point[:32]), "y": b64(self.point[32:])}
        # A key for encryption, one of another kind and one that is broken are passed over.
        others = [dict(rsa, kid="x1", use="enc"), {"kty": "OKP", "crv": "Ed25519", "kid": "o1", "x": "AA"},
                  {"kty": "RSA", "kid": "b1", "n": "AQAB", "e": "AQAB"}]
        return {"keys": others + [rsa, ec]}

    def sign(self, head, claims, case):
        signed = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
        data = signed.encode()
        if head["alg"] == "RS256":
            signature = openssl("dgst", "-sha256", "-sign", self.rsa, data=data)
        elif head["alg"] == "ES256":
            der = openssl("dgst", "-sha256", "-sign", self.ec, data=data)
            signature = self.joined(der)
            if case == "es256-broken":
                signature = der
        elif head["alg"] == "HS256":
            signature = hmac.new(self.public_pem, data, hashlib.sha256).digest()
        else:
            signature = b""
        if case == "bad-signature":
            signature = bytes([signature[0] ^ 1]) + signature[1:]
        return signed + "." + b64(signature)

    @staticmethod
    def joined(der):
        """r and s of a DER signature, 32 bytes each."""
        numbers, rest = [], der[2:]
        for _ in range(2):
            length = rest[1]
            numbers.append(int.from_bytes(rest[2:2 + length], "big").to_bytes(32, "big"))
            rest = rest[2 + length:]
        return b"".join(numbers)


class Provider(http.server.BaseHTTPRequestHandler):
    codes, counts, lock = {}, {"keys": 0, "description": 0, "token": 0}, threading.Lock()

    def log_message(self, *_):
        pass

    def send(self, status, body, kind="application/json", headers=()):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/.well-known/openid-configuration":
            self.count("description")
            base = self.server.base
            return self.send(200, {"issuer": base, "authorization_endpoint": base + "/authorize",
                                   "token_endpoint": base + "/token", "jwks_uri": base + "/keys"})
        if url.path == "/keys":
            self.count("keys")
            return self.send(200, self.server.keys.jwks())
        if url.path == "/counts":
            return self.send(200, self.counts)
        if url.path == "/authorize":
            return self.authorize(query)
        self.send(404, {})

    def authorize(self, query):
        wanted = {"response_type": "code", "client_id": CLIENT, "code_challenge_method": "S256",
                  "scope": "openid profile email"}
        if any(query.get(k) != v for k, v in wanted.items()) or len(query.get("state", "")) < 40:
            return self.send(400, {"error": "invalid_request", "query": query})
        case = query["case"]
        code = b64(os.urandom(600))
        self.codes[code] = query
        back = {"code": code, "state": query["state"], "iss": self.server.base, "session_state": "x", "empty": ""}
        if case == "wrong-state":
            back["state"] = b64(os.urandom(32))
        if case == "denied":
            back = {"error": "access_denied", "error_description": "<b>no</b>", "state": query["state"]}
        self.send(302, b"", headers=[("Location", query["redirect_uri"] + "?" + urllib.parse.urlencode(back))])

    def do_POST(self):
        fields = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self.count("token")
        query = self.codes.pop(fields.get("code", ""), None)
        pair = base64.b64decode(self.headers.get("Authorization", " ").split(" ")[1]).decode().split(":")
        challenge = b64(hashlib.sha256(fields.get("code_verifier", "").encode()).digest())
        if (query is None or [urllib.parse.unquote(p) for p in pair] != [CLIENT, SECRET]
                or challenge != query["code_challenge"] or fields.get("redirect_uri") != query["redirect_uri"]
                or fields.get("grant_type") != "authorization_code"):
            return self.send(400, {"error": "invalid_grant"})
        case = query["case"]
        if case == "html":
            return self.send(200, b"<html><body>Welcome</body></html>", "text/html")
        if case == "slow":
            time.sleep(8)
        if case == "huge":
            return self.send(200, b'{"id_token":"' + b"x" * (4 << 20) + b'"}')
        if case == "no-token":
            return self.send(200, {"access_token": "x", "token_type": "Bearer"})
        self.send(200, {"token_type": "Bearer", "access_token": "x", "id_token": self.token(query, case)})

    def token(self, query, case):
        now = int(time.time())
        claims = {"iss": self.server.base, "aud": CLIENT, "sub": "248289761001", "nonce": query["nonce"],
                  "iat": now, "exp": now + 300, "preferred_username": "ann-" + case, "groups": ["staff", "sre"]}
        head = {"alg": "ES256" if case.startswith("es256") else "RS256", "typ": "JWT"}
        head["kid"] = "e1" if head["alg"] == "ES256" else "r1"
        changes = {
            "public-groups": {"groups": "staff", "aud": [CLIENT], "azp": CLIENT}, "no-group": {"groups": ["guests"]},
            "no-name": {"preferred_username": "two\nlines"}, "wrong-nonce": {"nonce": "other"},
            "wrong-aud": {"aud": "another client"}, "two-aud": {"aud": [CLIENT, "another client"]},
            "other-azp": {"azp": "another client"}, "expired": {"iat": now - 600, "exp": now - 300},
            "old": {"iat": now - 86400}, "future": {"iat": now + 86400, "exp": now + 90000},
            "wrong-iss": {"iss": self.server.base + "/"},
        }
        claims.update(changes.get(case, {}))
        head.update({"alg-none": {"alg": "none"}, "hs256-public-key": {"alg": "HS256"}, "unknown-kid": {"kid": "z9"},
                     "crit": {"crit": ["exp"]}}.get(case, {}))
        return self.server.keys.sign(head, claims, case)


def serve(directory):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory + "/cert.pem", directory + "/key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.base = "https://127.0.0.1:%d" % server.server_address[1]
    server.keys = Keys(directory)
    print("ready " + server.base, flush=True)
    server.serve_forever()


class Browser:
    """Follows redirects between two servers and keeps the cookies of the one."""

    def __init__(self, console, authorities):
        self.console, self.cookies = console, {}
        self.context = ssl.create_default_context(cafile=authorities)

    def get(self, address):
        url = urllib.parse.urlsplit(address)
        connection = http.client.HTTPSConnection(url.netloc, context=self.context, timeout=30)
        headers = {"Accept": "text/html"}
        if address.startswith(self.console) and self.cookies:
            headers["Cookie"] = "; ".join("%s=%s" % pair for pair in self.cookies.items())
        connection.request("GET", url.path + ("?" + url.query if url.query else ""), headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies[name] = value
            if "Max-Age=0" in cookie:
                del self.cookies[name]
        return answer.status, answer.headers.get("Location"), text


def login(console, authorities, case, results):
    browser = Browser(console, authorities)
    following = {"evil-next": "//evil.example/x"}.get(case, "/incidents?state=open")
    status, location, text = browser.get(console + "/oidc/start?next=" + urllib.parse.quote(following, safe=""))
    if status == 303:
        _, back, _ = browser.get(location + "&case=" + case)
        if case == "no-cookie":
            browser.cookies = {}
        kept = dict(browser.cookies)
        status, location, text = browser.get(back)
        if case == "reused-code":
            browser.cookies = kept
            status, location, text = browser.get(back)
    result = {"status": status, "location": location, "cookies": sorted(browser.cookies), "text": text}
    if status == 303:
        result["page"] = browser.get(console + location)[0] if location.startswith("/") else None
    results[case] = result


def browse(console, provider, authorities):
    results = {}
    # One first, so that the others find the provider's addresses and keys known.
    login(console, authorities, CASES[0], results)
    threads = [threading.Thread(target=login, args=(console, authorities, case, results)) for case in CASES[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results["counts"] = json.loads(Browser("none", authorities).get(provider + "/counts")[2])
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    {"serve": serve, "browse": browse}[sys.argv[1]](*sys.argv[2:])
