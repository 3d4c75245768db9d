"""What a request says of itself, as far as it decides who may do what: host, origin, cookies, token."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from myquant.monitor.server import is_ours

READS: Final = ("GET", "HEAD")
ONCE: Final = (
    "host",
    "origin",
    "authorization",
    "content-length",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
)
BEARER: Final = "bearer"
PORTS: Final = {"http": 80, "https": 443}
COOKIE: Final = "myquant"
SAFE_PREFIX: Final = "__Host-"  # a cookie that only https can have set
FORM: Final = "form"


@dataclass(frozen=True)
class Asked:
    """A request. `method` of a socket is ""; header fields that are not there are ""."""

    method: str
    path: str
    scheme: str
    address: str
    port: int  # of the server
    fields: Mapping[str, str]  # those of `ONCE`, and accept
    cookies: tuple[tuple[str, str], ...]
    repeated: str  # a field that came twice and must not; "": none

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> "Asked":
        """Return what an ASGI scope says."""
        fields: dict[str, str] = {}
        cookies: list[tuple[str, str]] = []
        repeated = ""
        for raw_name, raw_value in scope.get("headers", ()):
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
            if name == "cookie":
                cookies += _cookies(value)
            elif name in ONCE and name in fields:
                repeated = name
            elif name in ONCE or name == "accept":
                fields[name] = value
        client, server = scope.get("client") or ("unknown", 0), scope.get("server") or ("", 0)
        return cls(
            str(scope.get("method", "")) if scope["type"] == "http" else "",
            str(scope["path"]),
            str(scope.get("scheme", "http")),
            str(client[0]),
            int(server[1] or 0),
            fields,
            tuple(cookies),
            repeated,
        )

    @property
    def is_socket(self) -> bool:
        """Whether it is the handshake of a websocket."""
        return not self.method

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.method in READS

    @property
    def wants_page(self) -> bool:
        """Whether a browser would show the answer."""
        return self.is_read and "text/html" in self.fields.get("accept", "")

    @property
    def is_https(self) -> bool:
        """Whether the browser came by https, to here or to whoever stands before."""
        return self.scheme in ("https", "wss") or self.fields.get("origin", "").lower().startswith("https://")

    @property
    def token(self) -> str | None:
        """What `Authorization: Bearer` says; None: there is no such field; "": it is another kind."""
        if "authorization" not in self.fields:
            return None
        kind, _, token = self.fields["authorization"].partition(" ")
        return token.strip() if kind.lower() == BEARER else ""

    def cookie_values(self, kind: str = "") -> list[str]:
        """Return what this server's cookies of a kind say ("": of the login), those first that only https can have set."""
        name = self.cookie_name(kind)
        return [value for wanted in (f"{SAFE_PREFIX}{name}", name) for key, value in self.cookies if key == wanted]

    def cookie_name(self, kind: str = "") -> str:
        """Return a cookie's name without its prefix: a browser has the same cookies for all ports of a machine."""
        return "-".join(part for part in (COOKIE, str(self.port), kind) if part)

    def is_for(self, host: str, names: tuple[str, ...]) -> bool:
        """Return whether it was sent to this machine by an address or name of its own, and by none that leads here by chance."""
        header = self.fields.get("host", "")
        name = header.rpartition(":")[0] if header.rpartition(":")[2].isdigit() else header
        return bool(header) and (is_ours(header, host) or name.lower().rstrip(".") in {each.lower() for each in names})

    def is_same_origin(self) -> bool:
        """Return whether it comes from a page of this server's own: by its origin, or else by what the browser says of it."""
        site = self.fields.get("sec-fetch-site", "")
        if site not in ("", "same-origin"):
            return False
        if "origin" not in self.fields:
            return site == "same-origin"
        origin = _place(self.fields["origin"])
        scheme = origin[0] if origin else ""
        is_lesser = scheme == "http" and self.scheme in ("https", "wss")
        return origin is not None and not is_lesser and origin == _place(f"{scheme}://{self.fields.get('host', '')}")

    def is_drawn_in(self) -> bool:
        """Return whether a page of another origin has its browser load this as a part of itself: only links may lead here."""
        is_foreign = self.fields.get("sec-fetch-site", "") in ("cross-site", "same-site")
        is_link = self.fields.get("sec-fetch-mode") == "navigate" and self.fields.get("sec-fetch-dest") == "document"
        return is_foreign and not is_link


def _place(address: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an origin; None: it is none."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    is_bare = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    if not is_bare or parts.scheme not in PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, PORTS[parts.scheme] if port is None else port


def _cookies(header: str) -> Iterator[tuple[str, str]]:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        yield name, value
