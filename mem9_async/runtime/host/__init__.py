"""Dify's process: the SDK's server and pipes as we run them."""
