"""Dify's tools: one thin file each over shared parsing and answers."""
