"""Canary, to have one key for all tests."""

import uuid

CANARY = f"CANARY-{uuid.uuid4()}"
