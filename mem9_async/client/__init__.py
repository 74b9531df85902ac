"""mem9 over aiohttp: requests out, outcomes and memories in."""
