"""Durable at-least-once delivery of jobs. Knows no HTTP, no mem9 and no Dify."""
