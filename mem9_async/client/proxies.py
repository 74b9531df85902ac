"""Which proxy leads to an address, as the environment says.

aiohttp can read the environment itself (`trust_env`), but does so for every request on the
loop's executor, whose threads are greenlets in the plugin's process, and sends netrc passwords.
The standard library's reading of NO_PROXY knows neither networks nor stars.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.request import getproxies

from yarl import URL


class UnusableProxy(ValueError):
    """The environment names a proxy that cannot be used; going around it was not asked for."""

    def __init__(self, scheme: str) -> None:
        super().__init__(scheme)
        self.scheme = scheme  #: what it is, such as socks5; empty where the address is malformed


def proxy_for(url: URL) -> URL | None:
    """Return the proxy for *url* from HTTP_PROXY and its kin; None for a direct way.

    NO_PROXY takes names (with all below them), `*.name`, addresses, networks such as 10.0.0.0/8,
    each with or without a port, and `*`. Raises UnusableProxy for one that is not http or https.
    """
    proxies = getproxies()
    text = proxies.get(url.scheme) or proxies.get("all")
    if not text or _is_excepted(url, proxies.get("no", "")):
        return None
    if "://" not in text:
        text = f"http://{text}"
    scheme = text.partition("://")[0].lower()
    if scheme not in ("http", "https"):
        raise UnusableProxy(scheme)
    try:
        proxy = URL(text)
    except ValueError:
        raise UnusableProxy("") from None
    if not proxy.host:
        raise UnusableProxy("")
    return proxy


def _is_excepted(url: URL, exceptions: str) -> bool:
    host = (url.host or "").lower().rstrip(".")
    address = _address(host)
    for name, port in _entries(exceptions):
        if port is not None and port != url.port:
            continue
        if name == "*" or _covers(name, host, address):
            return True
    return False


def _entries(exceptions: str) -> Iterator[tuple[str, int | None]]:
    for entry in exceptions.lower().replace(",", " ").split():
        name, port = entry, None
        # One colon parts a port; an IPv6 address has more, or stands in brackets.
        if entry.startswith("["):
            name, _, rest = entry[1:].partition("]")
            if rest.startswith("/"):
                name += rest
            elif rest[1:].isdecimal():
                port = int(rest[1:])
        elif entry.count(":") == 1 and entry.partition(":")[2].isdecimal():
            name, _, digits = entry.partition(":")
            port = int(digits)
        yield name.rstrip("."), port


def _covers(name: str, host: str, address: IPv4Address | IPv6Address | None) -> bool:
    if address is not None:
        try:
            return address in ip_network(name, strict=False)
        except ValueError:
            return False
    if name.startswith("*."):
        return host.endswith(name[1:])
    name = name.lstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
