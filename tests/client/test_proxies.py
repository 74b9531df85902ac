"""Proxies from the environment."""

import pytest
from yarl import URL

from mem9_async.client.proxies import proxy_for

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
        ({"ALL_PROXY": "socks5://proxy.test:1080"}, None),
        ({"HTTPS_PROXY": "http://"}, None),
        ({"HTTPS_PROXY": "http://[bad"}, None),
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
