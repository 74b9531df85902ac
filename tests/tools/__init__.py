"""Tests of the Dify-facing layer."""
