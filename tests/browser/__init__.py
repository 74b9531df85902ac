"""Tests of the queue's page."""
