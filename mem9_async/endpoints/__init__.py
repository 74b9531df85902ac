"""Dify endpoints."""
