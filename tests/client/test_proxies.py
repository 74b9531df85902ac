"""Proxies from the environment."""

import pytest
from yarl import URL

from mem9_async.client.proxies import UnusableProxy, proxy_for

MEM9 = URL("https://api.mem9.test")


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"https_proxy": "http://proxy.test:3128"}, "http://proxy.test:3128"),
        ({"HTTPS_PROXY": "http://proxy.test:3128"}, "http://proxy.test:3128"),
        ({"HTTPS_PROXY": "http://u:p@proxy.test:3128"}, "http://u:p@proxy.test:3128"),
        ({"HTTPS_PROXY": "proxy.test:3128"}, "http://proxy.test:3128"),
        ({"HTTP_PROXY": "http://proxy.test:3128"}, None),
        ({"ALL_PROXY": "http://proxy.test:3128"}, "http://proxy.test:3128"),
        ({"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "mem9.test"}, None),
        (
            {"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "other.test"},
            "http://proxy.test:3128",
        ),
    ],
)
def test_the_environment_decides(
    environment: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By scheme, with exceptions, and only what aiohttp can speak to."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert proxy_for(MEM9) == (URL(proxy) if proxy else None)


@pytest.mark.parametrize(
    ("environment", "scheme"),
    [
        ({"ALL_PROXY": "socks5://proxy.test:1080"}, "socks5"),
        ({"HTTPS_PROXY": "SOCKS5H://proxy.test:1080"}, "socks5h"),
        ({"HTTPS_PROXY": "http://"}, ""),
        ({"HTTPS_PROXY": "http://[bad"}, ""),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_and_never_gone_around(
    environment: dict[str, str], scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A direct way was not asked for, and may not be allowed."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(UnusableProxy) as refused:
        proxy_for(MEM9)

    assert refused.value.scheme == scheme
    monkeypatch.setenv("NO_PROXY", "mem9.test")
    assert proxy_for(MEM9) is None


@pytest.mark.parametrize(
    ("url", "exception", "direct"),
    [
        ("http://127.0.0.1:8080", "127.0.0.0/8", True),
        ("http://127.3.2.1:8080", "localhost, 127.0.0.0/8", True),
        ("http://128.0.0.1:8080", "127.0.0.0/8", False),
        ("http://10.1.2.3", "10.1.2.3", True),
        ("http://10.1.2.30", "10.1.2.3", False),
        ("http://10.1.2.3", "10.1.2.99/24", True),
        ("http://10.1.2.3:81", "10.1.2.3:80", False),
        ("http://10.1.2.3:81", "10.1.2.3:81", True),
        ("http://[::1]:8080", "::1", True),
        ("http://[::1]:8080", "[::1]", True),
        ("http://[::1]:8080", "[::1]:8080", True),
        ("http://[::1]:8080", "[::1]:80", False),
        ("http://[fd00::5]", "fd00::/8", True),
        ("http://[fd00::5]", "[fd00::]/8", True),
        ("http://[fe00::5]", "fd00::/8", False),
        ("http://[::ffff:10.0.0.1]", "10.0.0.0/8", True),
        ("https://api.mem9.test", "*.mem9.test", True),
        ("https://mem9.test", "*.mem9.test", False),
        ("https://api.mem9.test", ".mem9.test", True),
        ("https://mem9.test", ".mem9.test", True),
        ("https://api.mem9.test", "MEM9.Test", True),
        ("https://api.mem9.test.", "mem9.test", True),
        ("https://notmem9.test", "mem9.test", False),
        ("https://api.mem9.test", "mem9.test:443", True),
        ("https://api.mem9.test", "mem9.test:80", False),
        ("https://api.mem9.test", "other.test api.mem9.test", True),
        ("https://api.mem9.test", " , ,, ", False),
        ("https://api.mem9.test", "[, ], :, /8, [::1, 1.2.3.4/99", False),
        ("https://api.mem9.test", "*", True),
    ],
)
def test_exceptions_are_names_stars_networks_and_ports(
    url: str, exception: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the tools beside us read NO_PROXY."""
    monkeypatch.setenv("ALL_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", exception)

    assert proxy_for(URL(url)) == (None if direct else URL("http://proxy.test:3128"))
