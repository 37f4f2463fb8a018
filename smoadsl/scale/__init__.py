"""Scale, to put one pipeline to many prompts: rows in, rows out, and a ledger that nothing paid for is lost from."""
