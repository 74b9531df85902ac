"""Which proxy leads to an address, as the environment says.

aiohttp can read the environment itself (`trust_env`), but does so for every request on the
loop's executor, whose threads are greenlets in the plugin's process, and sends netrc passwords.
"""

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from yarl import URL


def proxy_for(url: URL) -> URL | None:
    """Return the http(s) proxy for *url* from HTTP_PROXY and its kin; None for a direct way.

    A proxy of another kind (socks) is ignored: aiohttp cannot speak to it.
    """
    proxies = getproxies()
    if proxy_bypass(url.authority, proxies):
        return None
    text = proxies.get(url.scheme) or proxies.get("all")
    if not text:
        return None
    if "://" not in text:
        text = f"http://{text}"
    try:
        if urlsplit(text).scheme.lower() not in ("http", "https"):
            return None
        proxy = URL(text)
    except ValueError:
        return None
    return proxy if proxy.host else None
