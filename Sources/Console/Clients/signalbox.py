"""A client of Signalbox's console in one file, with nothing but Python's own library.

    from signalbox import Signalbox
    box = Signalbox("https://console.example.org:7444", token, ca="root.pem")   # or Signalbox.from_context()
    for run in box.runs(state="running"):
        print(run["host"], run["run"], run["reward_mean"])
    frame = box.episodes(run="ppo_1").frame()      # pandas or polars, where one is installed

Every answer is a list of dictionaries; `.meta` says as of when it is, `.missing` which hosts it cannot speak for.
"""

import json
import os
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
import warnings

__all__ = ["Signalbox", "SignalboxError", "Rows"]
__version__ = "1"


class SignalboxError(Exception):
    """A refusal, with HTTP's status (0: the console could not be asked)."""

    def __init__(self, status, detail):
        super().__init__(detail)
        self.status = status


class Rows(list):
    """An answer's rows, with what the console says of their completeness."""

    def __init__(self, items, meta):
        super().__init__(items)
        self.meta = meta or {}

    @property
    def missing(self):
        """Names of the hosts that are late, silent, or have never reported."""
        hosts = self.meta.get("hosts", {})
        return [name for kind in ("late", "silent", "never") for name in hosts.get(kind, [])]

    @property
    def truncated(self):
        """There is more than the limit let through."""
        return bool(self.meta.get("truncated"))

    def frame(self):
        """As a data frame of pandas, else of polars."""
        try:
            import pandas
        except ImportError:
            import polars

            return polars.DataFrame(list(self), infer_schema_length=None)
        return pandas.DataFrame(list(self))


class Signalbox:
    def __init__(self, url, token, ca=None, timeout=60, warn=True):
        """`ca`: PEM file of the authority of the console's certificate; else the system's. `warn`: about missing hosts."""
        if not url.startswith("https://"):
            raise ValueError("a console's address begins with https://")
        # The file that `signalbox tokens create` fills ends with a line feed. What is no token is not shown: it may hold one.
        token = token.strip()
        if not token or not all("!" <= character <= "~" for character in token):
            raise ValueError("that is no token: it begins with sbk_, and is one word")
        self.url, self.token, self.timeout, self.warn = url.rstrip("/"), token, timeout, warn
        self.context = ssl.create_default_context(cafile=ca)

    @classmethod
    def from_context(cls, name=None, **options):
        """The console that `signalbox login` has stored: the one in use, or the one of a name."""
        base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        with open(os.path.join(base, "signalbox", "contexts.json"), encoding="utf-8") as file:
            stored = json.load(file)
        name = name or stored["current"]
        for context in stored["contexts"]:
            if context["name"] == name:
                return cls(context["url"], context["token"], ca=context.get("authorities"), **options)
        raise SignalboxError(0, f"no context is called {name!r}")

    def request(self, method, path, params=None, body=None):
        """The JSON of one address."""
        query = urllib.parse.urlencode({key: value for key, value in (params or {}).items() if value is not None})
        request = urllib.request.Request(self.url + path + ("?" + query if query else ""), method=method)
        request.add_header("Authorization", "Bearer " + self.token)
        request.add_header("Accept", "application/json")
        data = None
        if method == "POST":
            request.add_header("Content-Type", "application/json")
            data = json.dumps(body or {}).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=self.timeout, context=self.context) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            try:
                detail = json.load(error)["detail"]
            except (ValueError, KeyError, TypeError):
                detail = str(error)
            raise SignalboxError(error.code, detail) from None
        except (OSError, ValueError) as error:
            raise SignalboxError(0, f"the console cannot be asked: {error}") from None

    def rows(self, path, **params):
        """The rows of a list, over all of its pages; warns where a limit has cut it off."""
        items, cursor = [], None
        while True:
            page = self.request("GET", path, {**params, "cursor": cursor} if cursor else params)
            items += page["items"]
            cursor = page.get("next")
            if not cursor or len(items) >= int(params.get("limit", sys.maxsize)):
                break
        rows = Rows(items, page.get("meta"))
        if self.warn and rows.missing:
            warnings.warn("hosts are missing from this answer: " + ", ".join(rows.missing[:20]), stacklevel=3)
        return self.whole(rows)

    def whole(self, rows):
        """Warns where a limit has cut rows off."""
        if self.warn and rows.truncated:
            warnings.warn(f"there are more than these {len(rows)} rows: narrow the question, or give a limit", stacklevel=4)
        return rows

    def hosts(self):
        return self.rows("/api/v1/hosts")

    def series(self, host, metric, **params):
        """`since` and `until` take an age such as 2h or a time; `points` the most buckets."""
        return self.rows(f"/api/v1/hosts/{urllib.parse.quote(host, safe='')}/series", metric=metric, **params)

    def runs(self, limit=10_000, **params):
        return self.rows("/api/v1/runs", limit=limit, **params)

    def episodes(self, limit=10_000, **params):
        """The newest first; of a run with more than `limit` episodes, `query` reads the rest."""
        return self.rows("/api/v1/episodes", limit=limit, **params)

    def incidents(self, limit=10_000, **params):
        return self.rows("/api/v1/incidents", limit=limit, **params)

    def logs(self, **params):
        """All lines that match, the oldest first: `q`, `regex`, `host`, `file`, `level`, `since`, `until`."""
        return self.rows("/api/v1/logs/pages", **params)

    def gaps(self, **params):
        return self.rows("/api/v1/gaps", **params)

    def acknowledge(self, number):
        """Takes care of an incident, in the name of the token. Returns what now happens, in a sentence."""
        return self.request("POST", f"/api/v1/incidents/{int(number)}/ack")["done"]

    def note(self, number, text):
        return self.request("POST", f"/api/v1/incidents/{int(number)}/note", body={"text": text})["done"]

    def query(self, sql, **fields):
        """One SELECT on the views of /api/v1/views."""
        answer = self.request("POST", "/api/v1/query", body={"sql": sql, **{k: str(v) for k, v in fields.items()}})
        return self.whole(Rows(answer["items"], answer.get("meta")))
