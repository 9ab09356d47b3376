"""The paper's claims: how they are written down, measured, judged and shown."""
